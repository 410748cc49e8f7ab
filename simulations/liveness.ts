import { type FaultModel, findMember, isQuorum, type Membership, type NodeId, type SeededRandom, totalWeight, weightOf } from "#base";
import { handoversOf } from "./checkers/log.ts";
import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";

/** Half of the schedules let a quorum drain alone first. */
const CORE_CHANCE = 0.5;
/** A quorum alone drains within this time, virtual milliseconds. */
const CORE_MS = 40_000;
/** An idle cluster decides a heartbeat this often, and some more while a view changes. */
const IDLE_HEIGHT_MS = 6_000;

/**
 * Bounds of the liveness phase, in virtual milliseconds. A node that forgot takes part only 2W + 1 heights later, which an idle cluster takes
 * its time for.
 */
export function livenessBounds(window: number): { readonly core: number; readonly all: number } {
  return { core: CORE_MS, all: CORE_MS + (2 * window + 2) * IDLE_HEIGHT_MS };
}

/** How the liveness phase went. */
export interface LivenessReport {
  /** The quorum that had to drain alone; everybody honest when no such part was drawn. */
  readonly core: readonly NodeId[];
  /** Virtual time until the core had drained; undefined when it did not. */
  readonly coreMs: number | undefined;
  readonly allMs: number | undefined;
  /** Members that somebody in the core said it waited for. */
  readonly waitedFor: readonly NodeId[];
}

/** Whose majorities are needed until the newest epoch stands on its own: an end is decided and certified by those before, and reached by those after. */
export function membershipsNow(cluster: SimulatedCluster, genesis: Membership): readonly [Membership, ...(readonly Membership[])] {
  const newest = cluster.newestMembership() ?? genesis;
  const before = cluster.membershipOf(newest.epoch - 1) ?? newest;
  const after = cluster.nodes.flatMap(({ replica }) => replica?.state.pendingChange()?.next ?? []);
  return [newest, before, ...after.filter(({ epoch }) => epoch === newest.epoch + 1).slice(0, 1)];
}

/** In half of the schedules a random honest quorum, else everybody honest: nodes that may have forgotten are in it only where the others are too few. */
export function drawCore(about: {
  readonly random: SeededRandom;
  /** It has to be a quorum of each; those of one cluster, with the same members. */
  readonly memberships: readonly [Membership, ...(readonly Membership[])];
  readonly model: FaultModel;
  readonly byzantine: ReadonlySet<NodeId>;
  readonly spent: ReadonlySet<NodeId>;
  /** Members may leave meanwhile: they would be missing in a part that was drawn before. */
  readonly mayLeave: boolean;
  /** Nodes that genesis does not name. Those that are no members yet may become some meanwhile, and are in it for that. */
  readonly newcomers: readonly NodeId[];
}): readonly NodeId[] {
  const { random, memberships, model, byzantine, spent, mayLeave } = about;
  const joining = about.newcomers.filter((id) => findMember(memberships[0], id) === undefined);
  const isWhole = (nodes: readonly NodeId[]): boolean =>
    memberships.every((membership) => isQuorum(weightOf(membership, nodes), totalWeight(membership), model));
  const everybody = memberships[0].members.map(({ id }) => id).filter((id) => !byzantine.has(id));
  if (!random.chance(CORE_CHANCE) || mayLeave) return [...everybody, ...joining];
  const honest = random.shuffle(everybody);
  const core: NodeId[] = [];
  for (const id of [...honest.filter((node) => !spent.has(node)), ...honest.filter((node) => spent.has(node))]) {
    if (isWhole(core)) break;
    core.push(id);
  }
  return [...core, ...joining].sort();
}

/**
 * A7 and A8 of some nodes: nothing waits, no evidence is unrecorded, all stand at one certified height, each takes part, and can prove to an auditor
 * how its epoch came about.
 */
export function isDrained(nodes: readonly SimulatedNode[]): boolean {
  const heights = new Set<number>();
  for (const { replica, halted, platter } of stayers(nodes)) {
    if (replica === undefined || halted !== undefined) return false;
    const { mode, mempool, evidenceHeld, certified, tip } = replica.status();
    if (mode !== "participating" || mempool > 0 || evidenceHeld > 0 || certified.height !== tip.height) return false;
    // A damaged value that nobody has read yet is not for the laboratory to find.
    if (platter.damaged.size === 0 && handoversOf(replica).includes(undefined)) return false;
    heights.add(tip.height);
  }
  return heights.size <= 1;
}

/** Those of the nodes that are members no more, by the newest epoch that any of them knows: they are cut off, and nobody waits for them. */
export function leftBehind(nodes: readonly SimulatedNode[]): ReadonlySet<NodeId> {
  let newest: Membership | undefined;
  for (const { replica } of nodes) {
    const known = replica?.state.membership();
    if (known !== undefined && known.epoch >= (newest?.epoch ?? 0)) newest = known;
  }
  return new Set(nodes.flatMap(({ id }) => (newest === undefined || findMember(newest, id) !== undefined ? [] : [id])));
}

/** The nodes without those that left. */
export function stayers(nodes: readonly SimulatedNode[]): readonly SimulatedNode[] {
  const left = leftBehind(nodes);
  return nodes.filter(({ id }) => !left.has(id));
}

/** Whom the nodes say that they wait for. */
export function waitedFor(nodes: readonly SimulatedNode[]): NodeId[] {
  return nodes.flatMap(({ replica }) => replica?.status().consensus.waitingFor ?? []);
}

/** Where every node stands, for a report. */
export function describeNodes(cluster: SimulatedCluster): string {
  const lines = cluster.nodes.map(({ id, replica, halted }) => {
    if (replica === undefined) return `${id} ${halted ?? "down"}`;
    const { mode, mempool, evidenceHeld, tip, certified, consensus, participatesAbove = 0 } = replica.status();
    return `${id} ${halted ?? mode} h=${tip.height} c=${certified.height} v=${consensus.view} ${consensus.phase} above=${participatesAbove} waits=${consensus.waitingFor.join(",")} pool=${mempool} evidence=${evidenceHeld}`;
  });
  return lines.join("; ");
}
