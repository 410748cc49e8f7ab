import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { loadSodium, nodeHasher } from "#crypto";
import type { RunResult } from "./run-result.ts";
import { runSeed, type ScheduleCrypto, type ScheduleSettings } from "./schedule.ts";

/** What a worker runs at a time: a few seeds of one kind of cluster. Plain values only, since functions do not cross to another process. */
export interface Turn {
  readonly settings: ScheduleSettings;
  /** First and last seed, both included. */
  readonly from: number;
  readonly to: number;
}

/** Takes the results of a turn, in whichever order turns end. */
export type TakeResults = (results: readonly RunResult[], turn: Turn) => void;

/** Runs a turn's seeds: all, or up to the first that fails. */
export function runTurn({ settings, from, to }: Turn, crypto: ScheduleCrypto): RunResult[] {
  const results: RunResult[] = [];
  for (let seed = from; seed <= to; seed++) {
    const result = runSeed(settings, seed, crypto);
    results.push(result);
    if (settings.firstFailure === true && result.violations.length > 0) break;
  }
  return results;
}

/** Runs turns until none is left: here, or on several processes that take them from the end of the list. */
export async function runTurns(turns: Turn[], workers: number, take: TakeResults): Promise<void> {
  if (workers <= 1) await runHere(turns, take);
  else await Promise.all(Array.from({ length: workers }, () => runInProcess(turns, take)));
}

async function runHere(turns: Turn[], take: TakeResults): Promise<void> {
  const crypto = { hasher: nodeHasher, ed25519: await loadSodium() };
  for (let turn = turns.pop(); turn !== undefined; turn = turns.pop()) {
    take(runTurn(turn, crypto), turn);
    // Progress may want to be drawn, and an interrupt heard.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** A worker of its own process takes turns until none is left; it stays the same for all, because a new one is slow until its code is compiled. */
function runInProcess(turns: Turn[], take: TakeResults): Promise<void> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const file = fileURLToPath(new URL(`./campaign-worker.${extension}`, import.meta.url));
  const child: ChildProcess = fork(file, { serialization: "advanced" });
  return new Promise((resolve, reject) => {
    let current: Turn | undefined;
    const next = (): void => {
      current = turns.pop();
      if (current === undefined) child.disconnect();
      else child.send(current);
    };
    child.on("message", (results: readonly RunResult[]) => {
      if (current !== undefined) take(results, current);
      next();
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a simulation process ended with ${code ?? "a signal"}`));
    });
    next();
  });
}
