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

/** One process takes turns until none is left; it stays the same for all, because a new one is slow until its code is compiled. */
async function runInProcess(turns: Turn[], take: TakeResults): Promise<void> {
  const worker = new TurnProcess();
  try {
    for (let turn = turns.pop(); turn !== undefined; turn = turns.pop()) take(await worker.run(turn), turn);
  } finally {
    await worker.end();
  }
}

/** What waits for the results of the turn that a process runs. */
interface Waiting {
  readonly resolve: (results: readonly RunResult[]) => void;
  readonly reject: (cause: Error) => void;
}

/** A process of its own that runs turns, one at a time. */
export class TurnProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #waiting: Waiting | undefined;
  #failure: Error | undefined;

  constructor() {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const file = fileURLToPath(new URL(`./campaign-worker.${extension}`, import.meta.url));
    this.#child = fork(file, { serialization: "advanced" });
    this.#child.on("message", (results: readonly RunResult[]) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(results);
    });
    this.#child.on("error", (cause) => this.#fail(cause));
    this.#ended = new Promise((resolve) => {
      this.#child.on("exit", (code) => {
        this.#fail(new Error(`a simulation process ended with ${code ?? "a signal"}`));
        resolve();
      });
    });
  }

  /** Runs a turn; the one before must have ended. Rejects when the process ends meanwhile. */
  run(turn: Turn): Promise<readonly RunResult[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#waiting = { resolve, reject };
      return void this.#child.send(turn);
    });
  }

  /** Lets the process end by itself; resolves when it has. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }

  /** Ends the process in the midst of its turn, which rejects. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #fail(cause: Error): void {
    this.#failure ??= cause;
    this.#waiting?.reject(cause);
    this.#waiting = undefined;
  }
}
