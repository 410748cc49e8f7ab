import type { EngineName } from "#base";
import type { Core, CoreOptions } from "./core.ts";
import { createPbftCore } from "./pbft/pbft-core.ts";
import type { PbftRules, PbftTiming } from "./pbft/rules.ts";
import { createRaftCore } from "./raft/raft-core.ts";
import type { RaftRules, RaftTiming } from "./raft/rules.ts";
import type { TendermintRules, TendermintTiming } from "./tendermint/rules.ts";
import { createTendermintCore } from "./tendermint/tendermint-core.ts";
import type { GuardScope } from "./vote-guard.ts";

/** Waiting times by engine; what is absent has its default. */
export interface CoreTiming {
  readonly pbft?: Partial<PbftTiming>;
  readonly tendermint?: Partial<TendermintTiming>;
  readonly raft?: Partial<RaftTiming>;
}

/** Rules by engine, overridden by planted bugs and Byzantine actors only. */
export interface CoreRules {
  readonly pbft?: PbftRules;
  readonly tendermint?: TendermintRules;
  readonly raft?: RaftRules;
}

/** The core of an engine. @throws {QuorumgateError} STORAGE_CORRUPT when the restored records do not read */
export function createCore(
  engine: EngineName,
  options: CoreOptions & { readonly timing?: CoreTiming | undefined; readonly rules?: CoreRules | undefined },
): Core {
  const { timing, rules, ...rest } = options;
  switch (engine) {
    case "pbft":
      return createPbftCore({ ...rest, ...(timing?.pbft && { timing: timing.pbft }), ...(rules?.pbft && { rules: rules.pbft }) });
    case "raft":
      return createRaftCore({ ...rest, ...(timing?.raft && { timing: timing.raft }), ...(rules?.raft && { rules: rules.raft }) });
    case "tendermint":
      return createTendermintCore({
        ...rest,
        ...(timing?.tendermint && { timing: timing.tendermint }),
        ...(rules?.tendermint && { rules: rules.tendermint }),
      });
  }
}

/** How far a vote's promise reaches. */
export function guardScopeOf(engine: EngineName): GuardScope {
  return engine === "tendermint" ? "height" : "epoch";
}
