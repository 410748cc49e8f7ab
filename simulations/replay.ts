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

/** Parameters that say how much or how long: less of them is simpler. What is drawn is at least 1. */
const SIZES = ["forMs", "downMs", "delayMs", "periodMs", "syncMs", "count"] as const;

/**
 * The smallest part of a list of faults, as fast-check finds it, under which the same invariant still breaks first, and then the smallest sizes
 * of these faults; the list itself when no invariant breaks. Another invariant would be another bug.
 */
export async function shrinkFaults(options: ReplayOptions): Promise<readonly Fault[]> {
  const { faults } = options;
  const run = await replayer({ ...options, endsAtViolation: true });
  const [first] = run(faults).violations;
  if (first === undefined) return faults;
  const holds = (candidate: readonly Fault[]): boolean => run(candidate).violations[0]?.invariant !== first.invariant;
  return withFewestSizes(withFewest(faults, holds), holds);
}

type Holds = (faults: readonly Fault[]) => boolean;

function withFewest(faults: readonly Fault[], holds: Holds): readonly Fault[] {
  const chosen = (mask: readonly boolean[]): Fault[] => faults.filter((_, index) => mask[index]);
  const masks = fastCheck.tuple(...faults.map(() => fastCheck.boolean()));
  return chosen(
    shrunk(
      masks,
      faults.map(() => true),
      (mask) => holds(chosen(mask)),
    ),
  );
}

function withFewestSizes(faults: readonly Fault[], holds: Holds): readonly Fault[] {
  const places = faults.flatMap((fault, index) =>
    SIZES.flatMap((name) => {
      const value = fault[name];
      return value === undefined || !Number.isSafeInteger(value) || value < 1 ? [] : [{ index, name, value }];
    }),
  );
  const resized = (sizes: readonly number[]): Fault[] =>
    faults.map((fault, index) => {
      const own = places.flatMap((place, at) => (place.index === index ? [[place.name, sizes[at] ?? place.value]] : []));
      return { ...fault, ...Object.fromEntries(own) };
    });
  const ranges = fastCheck.tuple(...places.map(({ value }) => fastCheck.integer({ min: 1, max: value })));
  return resized(
    shrunk(
      ranges,
      places.map(({ value }) => value),
      (sizes) => holds(resized(sizes)),
    ),
  );
}

/** The smallest value for which something does not hold, beginning with one for which it does not. */
function shrunk<T>(values: fastCheck.Arbitrary<T>, from: T, holds: (value: T) => boolean): T {
  // One run, of the value that is given: what follows is shrinking.
  const { counterexample } = fastCheck.check(fastCheck.property(values, holds), { examples: [[from]], numRuns: 1 });
  return counterexample?.[0] ?? from;
}

async function replayer(
  options: ReplayOptions & { readonly endsAtViolation?: boolean },
): Promise<(faults: readonly Fault[], record?: (event: RunEvent) => void) => RunResult> {
  const { seed = 1, nodes, realCrypto = false, engine = "pbft", weights, window, endsAtViolation = false } = options;
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
    return runSchedule({
      ...cluster,
      hasher: crypto.hasher,
      keys,
      faults,
      endsAtViolation,
      ...planted,
      ...(record === undefined ? {} : { record }),
    });
  };
}
