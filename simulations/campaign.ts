import { availableParallelism } from "node:os";
import { encodeUtf8, type Hasher, toHex } from "#base";
import { nodeHasher } from "#crypto";
import { FAULT_KINDS, type FaultKind } from "./faults/catalogue.ts";
import type { Fault } from "./faults/fault.ts";
import { MARKS } from "./marks.ts";
import type { RunResult } from "./run-result.ts";
import { plantedBug, type ScheduleSettings } from "./schedule.ts";
import { runTurns, type Turn } from "./workers.ts";

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
  const [report] = await runCampaigns([options], options);
  if (report === undefined) throw new RangeError("there is no campaign");
  return report;
}

/**
 * Runs several campaigns one after another on the same processes, which then compile the code that all share once.
 * @throws {RangeError} for an empty range or an unknown planted bug
 */
export async function runCampaigns(
  campaigns: readonly CampaignOptions[],
  options: Pick<CampaignOptions, "workers" | "onProgress">,
): Promise<CampaignReport[]> {
  for (const { seeds, planted } of campaigns) {
    if (!(seeds.from <= seeds.to)) throw new RangeError("the range of seeds is empty");
    if (planted !== undefined) plantedBug(planted);
  }
  const begun = campaigns.map((campaign) => ({ campaign, settings: settingsOf(campaign), results: [] as RunResult[], busyMs: 0 }));
  const turns = begun.flatMap(({ campaign, settings }) => turnsOf(settings, campaign.seeds).reverse()).reverse();
  const total = campaigns.reduce((sum, { seeds }) => sum + seeds.to - seeds.from + 1, 0);
  let [done, failures, lastMs] = [0, 0, performance.now()];
  await runTurns(turns, Math.min(options.workers ?? availableParallelism(), turns.length), (results, { settings }) => {
    const run = begun.find((candidate) => candidate.settings === settings);
    run?.results.push(...results);
    const nowMs = performance.now();
    if (run !== undefined) run.busyMs += nowMs - lastMs;
    [done, failures, lastMs] = [done + results.length, failures + results.filter(hasFailed).length, nowMs];
    // Turns under way are finished: one of them may hold an earlier seed that fails, and the report must not depend on who was faster.
    if (settings.firstFailure === true && failures > 0) turns.length = 0;
    options.onProgress?.({ done, total, failures });
  });
  return begun.map(({ campaign, settings, results, busyMs }) => {
    results.sort((a, b) => a.seed - b.seed);
    const counted = settings.firstFailure === true ? upToFailure(results) : results;
    return reportOf(counted, { hasher: nodeHasher, seconds: busyMs / 1_000, kinds: campaign.kinds });
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

/** From the last to the first: workers take from the end. */
function turnsOf(settings: ScheduleSettings, { from, to }: CampaignOptions["seeds"]): Turn[] {
  const size = settings.firstFailure === true ? SEEDS_PER_SEARCH : SEEDS_PER_TURN;
  const turns: Turn[] = [];
  for (let at = from; at <= to; at += size) turns.push({ settings, from: at, to: Math.min(to, at + size - 1) });
  return turns.reverse();
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
