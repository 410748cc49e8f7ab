import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { encodeUtf8, type Hasher, toHex } from "#base";
import { loadSodium, nodeHasher } from "#crypto";
import { FAULT_KINDS, type FaultKind } from "./faults/catalogue.ts";
import type { Fault } from "./faults/fault.ts";
import { MARKS } from "./marks.ts";
import type { RunResult } from "./run-result.ts";
import { plantedBug, runSeed, type ScheduleCrypto, type ScheduleSettings } from "./schedule.ts";

/** A campaign: many seeds of one cluster. */
export interface CampaignOptions extends ScheduleSettings {
  /** First and last seed, both included. */
  readonly seeds: { readonly from: number; readonly to: number };
  /** Processes; as many as there are cores by default. The report does not depend on it, but for the speed. */
  readonly workers?: number;
  /** Whether to stop at the first schedule that fails, and there at the first violation; by default with a planted bug. */
  readonly firstFailure?: boolean;
  onProgress?(progress: CampaignProgress): void;
}

/** How far a campaign is. */
export interface CampaignProgress {
  readonly done: number;
  readonly total: number;
  readonly failures: number;
}

/** A schedule that broke an invariant: the list of its faults replays it. */
export interface CampaignFailure {
  readonly seed: number;
  readonly invariant: string;
  readonly faults: readonly Fault[];
}

/** What `quorumgate simulate` prints. */
export interface CampaignReport {
  readonly schedules: number;
  readonly commits: number;
  readonly failures: readonly CampaignFailure[];
  /** Of all processes together, by the wall clock. */
  readonly schedulesPerSecond: number;
  readonly virtualSeconds: number;
  /** How often faults of each kind took effect, 0 for those that never did. */
  readonly faultKinds: Readonly<Record<string, number>>;
  /** How often the rare branches ran, 0 for those that never did. */
  readonly marks: Readonly<Record<string, number>>;
  /** SHA-256 over the trace hashes in the order of the seeds. */
  readonly traceHash: string;
}

/** Seeds that a worker gets at a time: short enough that all end together, long enough that messages do not matter. */
const SEEDS_PER_TURN = 10;
/** The same where the first failure ends it: what other processes run meanwhile is lost. */
const SEEDS_PER_SEARCH = 4;

/** Runs a range of seeds on several processes. @throws {RangeError} for an empty range or an unknown planted bug */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { seeds, planted } = options;
  if (!(seeds.from <= seeds.to)) throw new RangeError("the range of seeds is empty");
  if (planted !== undefined) plantedBug(planted);
  const total = seeds.to - seeds.from + 1;
  const settings = settingsOf(options);
  const turns = turnsOf(seeds, settings.firstFailure === true ? SEEDS_PER_SEARCH : SEEDS_PER_TURN);
  const workers = Math.min(options.workers ?? availableParallelism(), turns.length);
  const startedMs = performance.now();
  const results: RunResult[] = [];
  const take = (turn: readonly RunResult[]): void => {
    results.push(...turn);
    const failures = results.filter(hasFailed).length;
    // Turns under way are finished: one of them may hold an earlier seed that fails, and the report must not depend on who was faster.
    if (settings.firstFailure === true && failures > 0) turns.length = 0;
    options.onProgress?.({ done: results.length, total, failures });
  };
  if (workers <= 1) await runHere(settings, turns, take);
  else await Promise.all(Array.from({ length: workers }, () => runInProcess(settings, turns, take)));
  results.sort((a, b) => a.seed - b.seed);
  return reportOf(settings.firstFailure === true ? upToFailure(results) : results, {
    hasher: nodeHasher,
    seconds: (performance.now() - startedMs) / 1_000,
    kinds: options.kinds,
  });
}

function hasFailed({ violations }: RunResult): boolean {
  return violations.length > 0;
}

/** The results up to the first that failed; all when none did. */
function upToFailure(results: readonly RunResult[]): readonly RunResult[] {
  const first = results.findIndex(hasFailed);
  return first < 0 ? results : results.slice(0, first + 1);
}

/** What crosses to a worker: the settings alone, since functions do not. */
function settingsOf({
  engine,
  nodes,
  kinds,
  planted,
  realCrypto,
  firstFailure = planted !== undefined,
}: CampaignOptions): ScheduleSettings {
  return {
    engine,
    nodes,
    firstFailure,
    ...(kinds === undefined ? {} : { kinds }),
    ...(planted === undefined ? {} : { planted }),
    ...(realCrypto === undefined ? {} : { realCrypto }),
  };
}

/** One worker's next seeds. */
export interface Turn {
  readonly from: number;
  readonly to: number;
}

function turnsOf({ from, to }: Turn, size: number): Turn[] {
  const turns: Turn[] = [];
  for (let at = from; at <= to; at += size) turns.push({ from: at, to: Math.min(to, at + size - 1) });
  return turns.reverse();
}

/** Runs a turn's seeds: all, or up to the first that fails. */
export function runTurn(settings: ScheduleSettings, turn: Turn, crypto: ScheduleCrypto): RunResult[] {
  const results: RunResult[] = [];
  for (let seed = turn.from; seed <= turn.to; seed++) {
    const result = runSeed(settings, seed, crypto);
    results.push(result);
    if (settings.firstFailure === true && hasFailed(result)) break;
  }
  return results;
}

async function runHere(settings: ScheduleSettings, turns: Turn[], take: (turn: readonly RunResult[]) => void): Promise<void> {
  const crypto = { hasher: nodeHasher, ed25519: await loadSodium() };
  for (let turn = turns.pop(); turn !== undefined; turn = turns.pop()) {
    take(runTurn(settings, turn, crypto));
    // Progress may want to be drawn, and an interrupt heard.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** A worker of its own process takes turns until none is left. */
function runInProcess(settings: ScheduleSettings, turns: Turn[], take: (turn: readonly RunResult[]) => void): Promise<void> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const file = fileURLToPath(new URL(`./campaign-worker.${extension}`, import.meta.url));
  const child: ChildProcess = fork(file, { serialization: "advanced" });
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const turn = turns.pop();
      if (turn === undefined) child.disconnect();
      else child.send({ settings, turn });
    };
    child.on("message", (results: readonly RunResult[]) => {
      take(results);
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

function reportOf(
  results: readonly RunResult[],
  about: { readonly hasher: Hasher; readonly seconds: number; readonly kinds: readonly FaultKind[] | undefined },
): CampaignReport {
  // What was never reached is named too: a count that is missing is overlooked.
  const faultKinds = new Map((about.kinds ?? FAULT_KINDS).map((kind) => [kind, 0]));
  const marks = new Map(Object.keys(MARKS).map((mark) => [mark, 0]));
  const failures: CampaignFailure[] = [];
  let [commits, virtualMs] = [0, 0];
  for (const result of results) {
    commits += result.commits;
    virtualMs += result.virtualMs;
    for (const [kind, count] of Object.entries(result.hits)) faultKinds.set(kind, (faultKinds.get(kind) ?? 0) + count);
    for (const [name, count] of Object.entries(result.marks)) marks.set(name, (marks.get(name) ?? 0) + count);
    for (const { invariant } of result.violations) failures.push({ seed: result.seed, invariant, faults: result.faults });
  }
  return {
    schedules: results.length,
    commits,
    failures,
    schedulesPerSecond: Math.round((results.length / about.seconds) * 10) / 10,
    virtualSeconds: Math.round(virtualMs / 1_000),
    faultKinds: sorted(faultKinds),
    marks: sorted(marks),
    traceHash: toHex(about.hasher.sha256(encodeUtf8(results.map((result) => result.traceHash).join(" ")))),
  };
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
