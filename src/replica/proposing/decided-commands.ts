import { type BlockHeader, type CommandResult, LIMITS, type SignedCommand } from "#base";
import type { LeaderRate } from "./leader-rate.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { Mempool } from "./mempool.ts";

/** A block that was decided and applied. */
export interface DecidedCommands {
  readonly header: BlockHeader;
  /** View of its commit certificate. */
  readonly view: number;
  readonly commands: readonly SignedCommand[];
  readonly results: readonly CommandResult[];
  readonly nowUs: number;
}

/** Refusals of commands whose key is not their issuer's. */
const UNAUTHENTIC: ReadonlySet<string> = new Set(["IDENTITY_UNKNOWN", "IDENTITY_KEY_MISMATCH", "IDENTITY_ISSUER_UNKNOWN"]);

/** The commands of a block wait no more; how long they did, and whether they were ordered before, tells of the leader. */
export function noteDecided(
  { mempool, watch, rate }: { readonly mempool: Mempool; readonly watch: LeaderWatch; readonly rate: LeaderRate },
  { header, view, commands, results, nowUs }: DecidedCommands,
): void {
  let firstUs = nowUs;
  for (const { hash } of commands) {
    const waiting = mempool.get(hash);
    // For strangers a leader has little room, however fast it is.
    if (waiting !== undefined && !waiting.isStranger) firstUs = Math.min(firstUs, waiting.arrivedUs);
    mempool.remove(hash);
    watch.forget(hash);
  }
  // What an earlier leader made of it is no fault of whoever has to propose it again.
  const repeats = header.originView === view && results.some(({ code }) => code === "COMMAND_DUPLICATE");
  const hasStrangers = results.some(({ code }) => UNAUTHENTIC.has(code));
  watch.onBlock({ view, full: commands.length >= LIMITS.blockCommandsMax, hasStrangers, repeats, nowUs });
  if (firstUs < nowUs) rate.onBlock({ view, nowUs, commands: commands.length, waitedUs: nowUs - firstUs });
}
