import { type EngineName, faultModelOf, LIMITS, SeededRandom } from "#base";

/** A third of the seeds have members of unequal weight. */
const UNEQUAL_CHANCE = 1 / 3;
const WEIGHT_MAX = 7;

/** The weights of a seed's cluster: all 1, or unequal integers of which none is so large that its node's fault would be fatal. */
export function weightsOf({
  seed,
  nodes,
  engine,
}: {
  readonly seed: number;
  readonly nodes: number;
  readonly engine: EngineName;
}): number[] {
  const random = new SeededRandom(seed, "weights");
  const equal = Array.from({ length: nodes }, () => 1);
  if (!random.chance(UNEQUAL_CHANCE)) return equal;
  const factor = isByzantine(engine) ? 3 : 2;
  for (let attempt = 0; attempt < 8; attempt++) {
    const weights = equal.map(() => random.between(1, WEIGHT_MAX));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    // A cluster too small to tolerate a fault declares so, and may weigh its members as it likes.
    if (toleratesNoFault({ nodes, engine }) || weights.every((weight) => factor * weight < total)) return weights;
  }
  return equal;
}

/** Whether a cluster is too small to tolerate a single fault: 1 to 3 nodes, or 1 to 2 against crashes alone. */
export function toleratesNoFault({ nodes, engine }: { readonly nodes: number; readonly engine: EngineName }): boolean {
  return nodes <= (isByzantine(engine) ? 3 : 2);
}

function isByzantine(engine: EngineName): boolean {
  return faultModelOf(engine) === "byzantine";
}

/** Half of the seeds prune, and so early that whoever was away needs the state instead of blocks. */
const PRUNING_CHANCE = 1 / 2;

/** Heights between stable checkpoints, and blocks kept below the tip; as usual where they are absent. */
export interface Retention {
  readonly checkpointInterval?: number;
  readonly blocksKept?: number;
}

/** When the nodes of a seed's cluster prune; nothing where they do not in so short a time. */
export function retentionOf({ seed }: { readonly seed: number }): Retention {
  const random = new SeededRandom(seed, "retention");
  return random.chance(PRUNING_CHANCE) ? { checkpointInterval: random.between(1, 5), blocksKept: random.between(0, 4) } : {};
}

/** One seed in four runs with a wider window, in the engines that have one. */
const WIDE_CHANCE = 1 / 4;

/** The window of a seed's cluster: mostly one height in flight, else several. */
export function windowOf({ seed, engine }: { readonly seed: number; readonly engine: EngineName }): number {
  const random = new SeededRandom(seed, "window");
  return engine !== "tendermint" && random.chance(WIDE_CHANCE) ? random.between(2, LIMITS.windowMax) : 1;
}
