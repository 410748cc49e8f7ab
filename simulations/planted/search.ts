import { availableParallelism } from "node:os";
import type { CampaignFailure } from "../campaign.ts";
import type { RunResult } from "../run-result.ts";
import type { ScheduleSettings } from "../schedule.ts";
import { TurnProcess } from "../workers.ts";
import type { PlantedBug } from "./bug.ts";

/** Schedules after which a planted bug counts as not found. */
const SCHEDULES_MAX = 1_000;
/** The time in which each must be found, seconds of one core (docs/TESTING.md). */
const SECONDS_MAX = 600;
/** Schedules at a time: after each turn it is looked at the clock. */
const SEEDS_PER_TURN = 4;

/** What is sought, and how long. */
export interface PlantedSearch {
  readonly bugs: readonly PlantedBug[];
  /** Schedules for each bug at most; 1,000 by default. */
  readonly schedulesMax?: number;
  /** Seconds for each bug at most, and as many again for the same schedules without it; 600 by default. A process that does not answer is ended. */
  readonly secondsMax?: number;
  /** Processes, each of which seeks another bug; as many as there are cores by default. What is found does not depend on it. */
  readonly workers?: number;
  onProgress?(progress: SearchProgress): void;
}

/** How far a search is. */
export interface SearchProgress {
  readonly total: number;
  /** Bugs whose search has ended, as they ended. */
  readonly findings: readonly PlantedFinding[];
  /** Bugs that are being sought, with the schedules run so far. */
  readonly seeking: readonly { readonly name: string; readonly schedules: number }[];
}

/** What came of the search for one bug. */
export interface PlantedFinding {
  readonly bug: PlantedBug;
  /** Schedules up to the one in which it was found, that one included; all that were run when it was not. */
  readonly schedules: number;
  /** Of the search, by the wall clock; the control takes some more. */
  readonly seconds: number;
  readonly failure: CampaignFailure | undefined;
  /** Why this is no finding; absent when the bug was found, by an invariant that it may break, and its schedules break nothing without it. */
  readonly wrong?: string;
}

/** Part of a schedule's result that a search looks at. */
type Outcome = Pick<RunResult, "seed" | "faults" | "violations">;

/** Seeks planted bugs, from seed 1 on, and then runs each one's schedules without it. The findings are in the order of the bugs. */
export async function seekPlanted(search: PlantedSearch): Promise<PlantedFinding[]> {
  const { bugs, workers = availableParallelism() } = search;
  const waiting = [...bugs];
  const findings: PlantedFinding[] = [];
  const seeking = new Map<PlantedBug, number>();
  const tell = (): void => {
    const running = [...seeking].map(([{ name }, schedules]) => ({ name, schedules }));
    search.onProgress?.({ total: bugs.length, findings, seeking: running });
  };
  const seekSome = async (): Promise<void> => {
    const seeker = new Seeker(search);
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const sought = bug;
      findings.push(
        await seeker.seek(sought, (schedules) => {
          seeking.set(sought, schedules);
          tell();
        }),
      );
      seeking.delete(sought);
      tell();
    }
    await seeker.end();
  };
  await Promise.all(Array.from({ length: Math.min(workers, bugs.length) }, seekSome));
  return bugs.flatMap((bug) => findings.filter((finding) => finding.bug === bug));
}

/** One process, and what it seeks. */
class Seeker {
  readonly #schedulesMax: number;
  readonly #secondsMax: number;
  #process: TurnProcess | undefined;

  constructor({ schedulesMax = SCHEDULES_MAX, secondsMax = SECONDS_MAX }: PlantedSearch) {
    this.#schedulesMax = schedulesMax;
    this.#secondsMax = secondsMax;
  }

  async seek(bug: PlantedBug, onSchedules: (schedules: number) => void): Promise<PlantedFinding> {
    const begunMs = performance.now();
    const { name, engine = "pbft", nodes = 4 } = bug;
    const settings = { engine, nodes, planted: name, firstFailure: true };
    const { ran, failed, problem } = await this.#runUntilFailure(settings, { to: this.#schedulesMax, onSchedules });
    const seconds = (performance.now() - begunMs) / 1_000;
    const failure = failed && { seed: failed.seed, invariant: failed.violations[0]?.invariant ?? "", faults: failed.faults };
    const found = { bug, schedules: ran, seconds, failure };
    if (problem !== undefined) return { ...found, wrong: problem };
    if (failure === undefined) return { ...found, wrong: "not found" };
    if (!bug.breaks.includes(failure.invariant))
      return { ...found, wrong: `found by ${failure.invariant}, not by ${bug.breaks.join(", ")}` };
    const control = await this.#runUntilFailure({ ...settings, isControl: true }, { to: ran, onSchedules: () => onSchedules(ran) });
    const wrong = control.problem ?? (control.failed && `seed ${control.failed.seed} breaks ${invariantsOf(control.failed)} without it`);
    return wrong === undefined ? found : { ...found, wrong };
  }

  async end(): Promise<void> {
    await this.#process?.end();
  }

  /** Runs seeds from 1 on, until one fails or time is over. */
  async #runUntilFailure(
    settings: ScheduleSettings,
    { to, onSchedules }: { readonly to: number; onSchedules(schedules: number): void },
  ): Promise<{ readonly ran: number; readonly failed?: Outcome; readonly problem?: string }> {
    const worker = this.#process ?? new TurnProcess();
    this.#process = worker;
    let [ran, isLate] = [0, false];
    const timer = setTimeout(() => {
      isLate = true;
      worker.kill();
    }, this.#secondsMax * 1_000);
    try {
      for (onSchedules(0); ran < to; onSchedules(ran)) {
        const results = await worker.run({ settings, from: ran + 1, to: Math.min(to, ran + SEEDS_PER_TURN) });
        ran += results.length;
        const failed = results.find(({ violations }) => violations.length > 0);
        if (failed !== undefined) return { ran, failed };
      }
      return { ran };
    } catch (cause) {
      this.#process = undefined;
      const reason = cause instanceof Error ? cause.message : String(cause);
      return { ran, problem: isLate ? `no end within ${this.#secondsMax} s` : reason };
    } finally {
      clearTimeout(timer);
    }
  }
}

function invariantsOf({ violations }: Outcome): string {
  return violations.map(({ invariant, detail }) => `${invariant} (${detail})`).join(", ");
}
