import fastCheck from "fast-check";
import type { EngineName } from "#base";
import { loadSodium, nodeHasher } from "#crypto";
import type { RunEvent } from "./diagrams/events.ts";
import { transcriptOf } from "./diagrams/transcript.ts";
import type { Fault } from "./faults/fault.ts";
import { runSchedule } from "./run.ts";
import type { RunResult } from "./run-result.ts";
import { keysFor, plantedBug } from "./schedule.ts";

/** A schedule that is run again: its faults are given, not drawn. */
export interface ReplayOptions {
  /** Delays, workload and everything but the faults; 1 by default. */
  readonly seed?: number;
  /** The consensus engine; pbft by default. */
  readonly engine?: EngineName;
  /** One weight each; drawn from the seed by default. */
  readonly weights?: readonly number[];
  /** Heights in flight; drawn from the seed by default. */
  readonly window?: number;
  readonly nodes: number;
  readonly faults: readonly Fault[];
  /** Name of a planted bug. */
  readonly planted?: string;
  readonly realCrypto?: boolean;
}

/** A run, event by event, and the same as lines for a person to follow. */
export interface Transcript {
  readonly events: readonly RunEvent[];
  readonly lines: readonly string[];
  readonly result: RunResult;
}

/** Runs a schedule again and writes down what happens, for a person to follow. */
export async function replayTranscript(options: ReplayOptions): Promise<Transcript> {
  const events: RunEvent[] = [];
  const run = await replayer(options);
  const result = run(options.faults, (event) => events.push(event));
  return { events, lines: transcriptOf(events), result };
}

/** The smallest part of a list of faults, as fast-check finds it, under which an invariant still breaks; the list itself when none does. */
export async function shrinkFaults(options: ReplayOptions): Promise<readonly Fault[]> {
  const { faults } = options;
  const run = await replayer(options);
  const chosen = (mask: readonly boolean[]): Fault[] => faults.filter((_, index) => mask[index]);
  const property = fastCheck.property(fastCheck.tuple(...faults.map(() => fastCheck.boolean())), (mask) => {
    return run(chosen(mask)).violations.length === 0;
  });
  // One run, of the whole list: what follows is shrinking.
  const all = faults.map(() => true);
  const details = fastCheck.check(property, { examples: [[all]], numRuns: 1 });
  const [smallest = all] = details.counterexample ?? [];
  return chosen(smallest);
}

async function replayer(options: ReplayOptions): Promise<(faults: readonly Fault[], record?: (event: RunEvent) => void) => RunResult> {
  const { seed = 1, nodes, realCrypto = false, engine = "pbft", weights, window } = options;
  const crypto = { hasher: nodeHasher, ed25519: await loadSodium() };
  const bug = options.planted === undefined ? undefined : plantedBug(options.planted);
  const planted = {
    ...(bug && { planted: bug }),
    ...(bug?.engine && { engine: bug.engine }),
    ...(bug?.nodes && { nodes: bug.nodes }),
    ...(bug?.weights && { weights: bug.weights }),
  };
  return (faults, record) => {
    const keys = keysFor(crypto, { seed, realCrypto });
    const cluster = { seed, engine, nodes, ...(weights === undefined ? {} : { weights }), ...(window === undefined ? {} : { window }) };
    return runSchedule({ ...cluster, hasher: crypto.hasher, keys, faults, ...planted, ...(record === undefined ? {} : { record }) });
  };
}
