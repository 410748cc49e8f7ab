import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { nodeHasher } from "#crypto";
import { standInKeys } from "../keys.ts";
import { plantedBug } from "../schedule.ts";
import { countTwins, drawTwins, enumerateTwins, type TwinsSpace } from "./enumerate.ts";
import { enumerateMutations, type MutationSpace } from "./mutations.ts";
import { type PlayOptions, playTwins } from "./play.ts";
import type { TwinsScenario } from "./scenario.ts";

/** Which scenarios to play. Plain values only: it travels between processes. */
export interface TwinsSettings {
  readonly space: TwinsSpace | MutationSpace;
  /** One scenario of twins is drawn for each of these seeds; of mutations those with these numbers are played. Without them the space is played whole. */
  readonly seeds?: { readonly from: number; readonly to: number };
  /** Name of a planted bug, of which engine and rules are taken; each process ends with the first scenario that finds it. */
  readonly planted?: string;
}

/** A scenario that broke an invariant; written to a file it can be played again. */
export interface TwinsFailure {
  readonly scenario: TwinsScenario;
  readonly invariant: string;
  readonly detail: string;
}

/** What one process counted. */
export interface TwinsCounts {
  readonly scenarios: number;
  readonly messages: number;
  /** Scenarios in which honest nodes decided a height differently. */
  readonly disagreements: number;
  /** Scenarios that broke an invariant. */
  readonly failed: number;
  /** The first of them, by their number. */
  readonly failures: readonly (TwinsFailure & { readonly number: number })[];
}

/** What `quorumgate simulate --twins` and `--mutations` print. */
export interface TwinsReport extends TwinsCounts {
  /** Scenarios of the space, names counted apart; of mutations as many as were played. */
  readonly all: number;
  readonly exhaustive: boolean;
  readonly seconds: number;
}

/** A campaign: a space of scenarios on several processes. */
export interface TwinsOptions extends TwinsSettings {
  /** Processes; as many as there are cores by default. */
  readonly workers?: number;
  /** How many there are in all is not known of mutations: each changes what follows. */
  onProgress?(progress: { readonly done: number; readonly total: number | undefined; readonly failed: number }): void;
}

/** Failures that a report lists. */
const FAILURES_KEPT = 20;
/** Scenarios between two looks at the clock, or two messages to the parent. */
const TURN = 100;
/** A space beyond this many classes takes hours: it is drawn from instead. */
export const TWINS_CLASSES_MAX = 1_000_000;

const NOTHING: TwinsCounts = { scenarios: 0, messages: 0, disagreements: 0, failed: 0, failures: [] };

/** Plays one scenario with the keys that simulations use, and the rules of a planted bug if one is named. */
export function runTwinsScenario(scenario: TwinsScenario, planted?: string): ReturnType<typeof playTwins> {
  return playTwins(scenario, playOptions(planted));
}

/** Plays a whole space, or one scenario for each seed. @throws {RangeError} for a planted bug that is none of a core */
export async function runTwins(options: TwinsOptions): Promise<TwinsReport> {
  const { seeds, planted, onProgress } = options;
  playOptions(planted);
  const engine = planted === undefined ? undefined : plantedBug(planted).engine;
  const space = engine === undefined ? options.space : { ...options.space, engine };
  const count = "mutations" in space ? undefined : countTwins(space);
  if (seeds === undefined && count !== undefined && count.classes === undefined) throw new RangeError("too many scenarios: draw some");
  const total = seeds === undefined ? count?.classes : seeds.to - seeds.from + 1;
  const workers = Math.max(1, Math.min(options.workers ?? availableParallelism(), Math.ceil((total ?? Number.POSITIVE_INFINITY) / TURN)));
  const startedMs = performance.now();
  let counts = NOTHING;
  const take = (turn: TwinsCounts): void => {
    counts = joined(counts, turn);
    onProgress?.({ done: counts.scenarios, total, failed: counts.failed });
  };
  const settings = { space, ...(seeds && { seeds }), ...(planted === undefined ? {} : { planted }) };
  if (workers === 1) await playHere(settings, take);
  else await Promise.all(Array.from({ length: workers }, (_, worker) => playInProcess({ settings, worker, workers }, take)));
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  return { ...counts, all: count?.all ?? counts.scenarios, exhaustive: seeds === undefined, seconds };
}

/** A worker's part: every so-many-th scenario. */
export interface TwinsShare {
  readonly settings: TwinsSettings;
  readonly worker: number;
  readonly workers: number;
}

/** Plays a share, and tells what came of it in turns. */
export function* playShare({ settings, worker, workers }: TwinsShare): Generator<TwinsCounts> {
  const options = playOptions(settings.planted);
  let counts = NOTHING;
  let number = 0;
  for (const scenario of scenariosOf(settings, options)) {
    if (number++ % workers !== worker) continue;
    const { violations, messages, disagreements } = playTwins(scenario, options);
    const [first] = violations;
    counts = joined(counts, {
      ...{ scenarios: 1, messages, disagreements: disagreements > 0 ? 1 : 0, failed: first === undefined ? 0 : 1 },
      failures: first === undefined ? [] : [{ scenario, ...first, number }],
    });
    if (first !== undefined && settings.planted !== undefined) break;
    if (counts.scenarios < TURN) continue;
    yield counts;
    counts = NOTHING;
  }
  yield counts;
}

function* scenariosOf({ space, seeds }: TwinsSettings, options: PlayOptions): Generator<TwinsScenario> {
  if ("mutations" in space) {
    let number = 0;
    for (const scenario of enumerateMutations(space, options)) {
      if (seeds !== undefined && number > seeds.to) return;
      if (seeds === undefined || number >= seeds.from) yield scenario;
      number += 1;
    }
    return;
  }
  if (seeds === undefined) return void (yield* enumerateTwins(space));
  for (let seed = seeds.from; seed <= seeds.to; seed++) yield drawTwins(space, seed);
}

async function playHere(settings: TwinsSettings, take: (turn: TwinsCounts) => void): Promise<void> {
  for (const turn of playShare({ settings, worker: 0, workers: 1 })) {
    take(turn);
    // Progress may want to be drawn, and an interrupt heard.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

function playInProcess(share: TwinsShare, take: (turn: TwinsCounts) => void): Promise<void> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const child: ChildProcess = fork(fileURLToPath(new URL(`./worker.${extension}`, import.meta.url)), { serialization: "advanced" });
  return new Promise((resolve, reject) => {
    child.on("message", take);
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a simulation process ended with ${code ?? "a signal"}`));
    });
    child.send(share);
  });
}

function joined(left: TwinsCounts, right: TwinsCounts): TwinsCounts {
  const failures = right.failures.length === 0 ? left.failures : [...left.failures, ...right.failures];
  return {
    scenarios: left.scenarios + right.scenarios,
    messages: left.messages + right.messages,
    disagreements: left.disagreements + right.disagreements,
    failed: left.failed + right.failed,
    failures: failures.length < 2 ? failures : [...failures].sort((a, b) => a.number - b.number).slice(0, FAILURES_KEPT),
  };
}

const KEYS = standInKeys(nodeHasher);

function playOptions(planted: string | undefined): PlayOptions {
  const rules = planted === undefined ? undefined : plantedBug(planted).overrides.rules;
  // What hangs on a clock is no rule of a core, and cores are all there is here.
  if (planted !== undefined && typeof rules !== "object") throw new RangeError(`${planted} is no bug in the rules of a core`);
  return { hasher: nodeHasher, keys: KEYS, ...(typeof rules === "object" && { rules }) };
}
