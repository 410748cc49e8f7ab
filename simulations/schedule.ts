import type { EngineName, Hasher } from "#base";
import { createVerifier, type Ed25519 } from "#crypto";
import type { FaultKind } from "./faults/catalogue.ts";
import { ed25519Keys, type KeyMill, standInKeys } from "./keys.ts";
import type { PlantedBug } from "./planted/bug.ts";
import { PLANTED_BUGS } from "./planted/planted.ts";
import { drawFaults, runSchedule } from "./run.ts";
import type { RunResult } from "./run-result.ts";
import { weightsOf } from "./shape.ts";

/** One seed in so many runs with real Ed25519. */
const REAL_CRYPTO_EVERY = 100;

/** Engines that the simulator runs. */
export const SIMULATED_ENGINES: readonly EngineName[] = ["pbft", "tendermint", "raft"];

/** What all schedules of a campaign share. Plain values only: it travels between processes. */
export interface ScheduleSettings {
  /** Reaches the nodes through genesis. */
  readonly engine: EngineName;
  readonly nodes: number;
  /** Kinds of faults to draw from; all by default, or those under which a planted bug shows. */
  readonly kinds?: readonly FaultKind[];
  /** Name of a planted bug. */
  readonly planted?: string;
  /** The same schedules on the same cluster as with the planted bug, without it: nothing may break. */
  readonly isControl?: boolean;
  /** Every seed with real Ed25519, not one in a hundred. */
  readonly realCrypto?: boolean;
  /** Whether a schedule ends at its first violation, and a campaign with it. */
  readonly firstFailure?: boolean;
}

/** Hash and signatures of a campaign; loaded once, before the first run. */
export interface ScheduleCrypto {
  readonly hasher: Hasher;
  readonly ed25519: Ed25519;
}

/** The planted bug of a name. @throws {RangeError} for a name that is none */
export function plantedBug(name: string): PlantedBug {
  const found = PLANTED_BUGS.find((bug) => bug.name === name);
  if (found === undefined)
    throw new RangeError(`no planted bug is called ${name}; there are ${PLANTED_BUGS.map((bug) => bug.name).join(", ")}`);
  return found;
}

/** What a schedule is planted with: as a control only the kinds of faults and the shape of the cluster that a bug needs. */
function plantedIn({ planted, isControl = false }: ScheduleSettings): PlantedBug | undefined {
  if (planted === undefined) return undefined;
  const bug = plantedBug(planted);
  const { window } = bug.overrides;
  return isControl ? { ...bug, overrides: window === undefined ? {} : { window } } : bug;
}

/** The stand-in's keys come from names alone, so all runs of a process share them. */
const STAND_INS = new WeakMap<Hasher, KeyMill>();

/** The keys that a seed runs with. */
export function keysFor(crypto: ScheduleCrypto, about: { readonly seed: number; readonly realCrypto: boolean }): KeyMill {
  const { hasher, ed25519 } = crypto;
  if (!about.realCrypto && about.seed % REAL_CRYPTO_EVERY !== 0) {
    const keys = STAND_INS.get(hasher) ?? standInKeys(hasher);
    STAND_INS.set(hasher, keys);
    return keys;
  }
  return ed25519Keys({ hasher, ed25519, verifier: createVerifier(ed25519) });
}

/** Runs one seed of a campaign. A schedule that throws broke S1, and is reported as every other failure is. */
export function runSeed(settings: ScheduleSettings, seed: number, crypto: ScheduleCrypto): RunResult {
  const { kinds, realCrypto = false } = settings;
  const planted = plantedIn(settings);
  const nodes = planted?.nodes ?? settings.nodes;
  const engine = planted?.engine ?? settings.engine;
  const keys = keysFor(crypto, { seed, realCrypto });
  try {
    return runSchedule({
      seed,
      engine,
      nodes,
      hasher: crypto.hasher,
      keys,
      ...(kinds === undefined ? {} : { kinds }),
      ...(planted === undefined ? {} : { planted }),
      ...(planted?.weights && { weights: planted.weights }),
      endsAtViolation: settings.firstFailure === true,
    });
  } catch (cause) {
    const faults = drawFaults(
      { seed, engine, ...(kinds && { kinds }), ...(planted && { planted }) },
      planted?.weights ?? weightsOf({ seed, nodes, engine }),
    );
    const detail = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    const liveness = { core: [], coreMs: undefined, allMs: undefined, waitedFor: [] };
    const counts = { hits: {}, marks: {}, messages: {}, signatures: 0, receipts: 0, liveness };
    const nothing = { ...counts, commits: 0, answered: 0, virtualMs: 0, events: 0, traceHash: "" };
    return { ...nothing, seed, faults, violations: [{ invariant: "S1", detail }] };
  }
}
