import { type FaultModel, type NodeId, SeededRandom, tolerableWeight } from "#base";
import { BYZANTINE_FAULTS } from "./byzantine-faults.ts";
import { CLIENT_FAULTS } from "./client-faults.ts";
import { CLOCK_FAULTS } from "./clock-faults.ts";
import type { Fault, FaultDefinition } from "./fault.ts";
import { GOVERNANCE_FAULTS } from "./governance-faults.ts";
import { JOIN_FAULTS } from "./join-faults.ts";
import { NETWORK_FAULTS } from "./network-faults.ts";
import { PROCESS_FAULTS } from "./process-faults.ts";
import { STORAGE_FAULTS } from "./storage-faults.ts";

/** Every kind of fault: what it does, where it is put in, and what has to hold. The one table of them. */
export const FAULT_CATALOGUE: readonly FaultDefinition[] = [
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...STORAGE_FAULTS,
  ...CLOCK_FAULTS,
  ...CLIENT_FAULTS,
  ...GOVERNANCE_FAULTS,
  ...JOIN_FAULTS,
  ...BYZANTINE_FAULTS,
];

/** A row's kind. */
export type FaultKind = string;

/** Kinds of faults, for `--faults` and for the counts. */
export const FAULT_KINDS: readonly FaultKind[] = FAULT_CATALOGUE.map(({ kind }) => kind);

/** Kinds that any schedule may draw. */
export const USUAL_KINDS: readonly FaultKind[] = FAULT_CATALOGUE.filter(({ isStaged }) => isStaged !== true).map(({ kind }) => kind);

const ROWS = new Map(FAULT_CATALOGUE.map((row) => [row.kind, row]));

/** Parameters that a fault of a kind may lack. */
const OPTIONAL: ReadonlySet<string> = new Set(["prepares", "writes"]);

/** Kinds that a protocol against crashes alone does not tolerate: nodes that lie, and bytes that change on their way, which signatures would show. */
const LIES: ReadonlySet<FaultKind> = new Set(["corruption", ...BYZANTINE_FAULTS.map(({ kind }) => kind)]);

/** Length of the safety phase. */
export const SAFETY_MS = 8_000;

/** Faults of one schedule at most. */
const FAULTS_MAX = 6;

/** The row of a kind. @throws {RangeError} for a kind that is none */
export function faultRow(kind: FaultKind): FaultDefinition {
  const row = ROWS.get(kind);
  if (row === undefined) throw new RangeError(`no kind of fault is called ${kind}; there are ${FAULT_KINDS.join(", ")}`);
  return row;
}

/** What a schedule's faults are drawn from. */
export interface FaultDraw {
  readonly seed: number;
  /** One weight for each node. */
  readonly weights: readonly number[];
  readonly kinds: readonly FaultKind[];
  /** What the engine's members may do wrong; lie by default. Under `crash` nobody lies, and links keep what they carry whole. */
  readonly model?: FaultModel;
}

/**
 * A schedule's faults out of its seed. Nodes of at most the tolerable weight are Byzantine, may forget, or have a clock beyond the allowed
 * skew: those spend one budget, since a node without memory may contradict itself. Source: the fault atlas of TigerBeetle's simulator, which
 * keeps a good copy in each quorum too.
 */
export function faultsOf({ seed, weights, model = "byzantine", ...drawn }: FaultDraw): Fault[] {
  const kinds = model === "byzantine" ? drawn.kinds : drawn.kinds.filter((kind) => !LIES.has(kind));
  if (kinds.length === 0) return [];
  const random = new SeededRandom(seed, "faults");
  const nodes = weights.length;
  const victims = pickVictims(random, { weights, model });
  const faults: Fault[] = [];
  const count = random.between(0, FAULTS_MAX);
  for (let i = 0; i < count; i++) {
    const kind = random.pick(kinds);
    const parameters = faultRow(kind).draw({
      random,
      nodes,
      victim: victims.length === 0 ? undefined : random.pick(victims),
      atMs: random.between(500, SAFETY_MS - 100),
      forMs: random.between(200, 4_000),
      node: random.below(nodes),
    });
    if (parameters !== undefined) faults.push({ kind, ...parameters });
  }
  return faults;
}

/** Nodes that a seed's faults may spend. */
export function victimsOf({ seed, ...cluster }: Pick<FaultDraw, "seed" | "weights"> & { readonly model: FaultModel }): readonly number[] {
  return pickVictims(new SeededRandom(seed, "faults"), cluster);
}

/** Nodes that may be spent, by weight: all of them together leave the rest a quorum. */
function pickVictims(
  random: SeededRandom,
  { weights, model }: { readonly weights: readonly number[]; readonly model: FaultModel },
): readonly number[] {
  const tolerable = tolerableWeight(
    weights.reduce((sum, weight) => sum + weight, 0),
    model,
  );
  const victims: number[] = [];
  let spent = 0;
  for (const index of random.shuffle(weights.map((_, at) => at))) {
    const weight = weights[index] ?? 0;
    if (spent + weight > tolerable) continue;
    spent += weight;
    victims.push(index);
  }
  return victims;
}

/** The nodes that a schedule's faults spend: those that lie, and those that may have forgotten or whose clock is wild. */
export function spentNodes(
  faults: readonly Fault[],
  ids: readonly NodeId[],
): { byzantine: ReadonlySet<NodeId>; spent: ReadonlySet<NodeId> } {
  const nodesOf = (isSpent: (cost: FaultDefinition["cost"]) => boolean): Set<NodeId> =>
    new Set(faults.flatMap(({ kind, node }) => (node !== undefined && isSpent(faultRow(kind).cost) ? (ids[node] ?? []) : [])));
  return { byzantine: nodesOf((cost) => cost === "voice"), spent: nodesOf((cost) => cost !== "none") };
}

/** Reads a list of faults, as `failures[].faults` of a report holds it. @throws {RangeError} when it is none */
export function parseFaults(value: unknown): Fault[] {
  if (!Array.isArray(value)) throw new RangeError("a schedule is a list of faults");
  return value.map((item: unknown) => {
    if (!isFault(item)) throw new RangeError(`no kind of fault has these parameters: ${JSON.stringify(item)}`);
    return item;
  });
}

function isFault(value: unknown): value is Fault {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  const { kind, ...rest } = value as Record<string, unknown>;
  const row = typeof kind === "string" ? ROWS.get(kind) : undefined;
  if (row === undefined) return false;
  const isNumber = (item: unknown): boolean => typeof item === "number" && Math.abs(item) <= Number.MAX_SAFE_INTEGER;
  const isParameter = (name: string): boolean => {
    const item = rest[name];
    if (item === undefined) return OPTIONAL.has(name);
    return name === "side" ? Array.isArray(item) && item.every(isNumber) : isNumber(item);
  };
  const names: readonly string[] = row.parameters;
  return names.every(isParameter) && Object.keys(rest).every((name) => names.includes(name));
}
