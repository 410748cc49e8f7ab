import { type FaultModel, SeededRandom } from "#base";
import type { Retention } from "../shape.ts";
import { type FaultKind, faultRow, SAFETY_MS, victimsOf } from "./catalogue.ts";
import type { Fault } from "./fault.ts";
import { JOIN_FAULTS } from "./join-faults.ts";

/** One schedule in so many has a scene. */
const SCENE_CHANCE = 1 / 8;
/** Of those whose cluster prunes, so many are about a state that is taken over. */
const TRANSFER_CHANCE = 3 / 4;

/** Of the others, where members may lie, so many are about members that leave. */
const LEAVING_CHANCE = 1 / 2;

/** So many are about a node that joins, with blocks or with a state. */
const JOINING_CHANCE = 1 / 3;
/** Of the scenes of single nodes: nothing else bites there. */
const SECOND_NODE_CHANCE = 1 / 2;

const JOIN_KINDS: readonly FaultKind[] = JOIN_FAULTS.map(({ kind }) => kind);

/** What a seed's scene is drawn for. */
export interface SceneDraw {
  readonly seed: number;
  /** One weight for each node. */
  readonly weights: readonly number[];
  readonly model: FaultModel;
  readonly retention: Retention;
}

/**
 * Faults that bite only together, or only where the cluster is of the right shape: chance alone would hardly bring them together. They are drawn
 * from a stream of their own beside a schedule's other faults, and spend the same nodes.
 */
export function sceneOf({ seed, weights, model, retention }: SceneDraw): Fault[] {
  const random = new SeededRandom(seed, "scene");
  const victims = victimsOf({ seed, weights, model });
  if (!random.chance(SCENE_CHANCE)) return [];
  const victim = victims.length === 0 ? undefined : random.pick(victims);
  const isTransfer = retention.blocksKept !== undefined && random.chance(TRANSFER_CHANCE);
  const draw = (kind: FaultKind, node: number): Fault[] => {
    const about = {
      random,
      nodes: weights.length,
      victim,
      node,
      atMs: random.between(500, SAFETY_MS - 100),
      forMs: random.between(200, 4_000),
    };
    const parameters = faultRow(kind).draw(about);
    return parameters === undefined ? [] : [{ kind, ...parameters }];
  };
  const join = (): Fault[] => draw(random.pick(JOIN_KINDS), random.below(weights.length));
  if (weights.length === 1) return random.chance(SECOND_NODE_CHANCE) ? join() : [];
  const joins = random.chance(JOINING_CHANCE);
  // Of four nodes that may lie none can leave.
  const leaves = model === "crash" || (weights.length > 4 && random.chance(LEAVING_CHANCE));
  if (!isTransfer) return joins ? join() : leaves ? draw("leave", random.below(weights.length)) : draw("lost-witness", 0);
  // Whoever is away was honest and forgets nothing, so the node that lies to it has the whole budget.
  const away = random.pick(weights.flatMap((_, node) => (victims.includes(node) ? [] : [node])));
  return [...(model === "byzantine" ? draw("lie-state", away) : []), ...(joins ? join() : draw("long-absence", away))];
}
