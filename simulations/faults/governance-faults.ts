import {
  encodeSignedCommand,
  faultModelOf,
  type Membership,
  type NodeId,
  parseGenesis,
  parseNodeId,
  type SignedCommand,
  tolerableWeight,
  totalWeight,
  weightOf,
} from "#base";
import { overturned, PartedEnd, type PartedEndOptions } from "../targeted-end.ts";
import { type Fault, type FaultDefinition, type FaultParameters, type FaultRow, type Laboratory, rowOf } from "./fault.ts";
import { leaderNow } from "./network-faults.ts";

function governance<Key extends keyof FaultParameters>(row: FaultRow<Key>): FaultDefinition {
  return rowOf("client", row);
}

/** Between two steps of an operator who waits for the answer of the one before. */
const STEP_MS = 600;
/** Up to so many nodes every membership declares that it tolerates no fault, and weighs its members as it likes. */
const FAULTLESS_MAX = 3;
/** As many as one change renews. */
const RENEWED_MAX = 8;
/** Of so few nodes of one weight no two are a minority. */
const PARTED_NODES_MIN = 4;
/** Of fewer nodes none can leave: of those that stay one would be fatal. */
const LEAVING_NODES_MIN = 4;
/** A change waits for the network to heal at most, and members leave before the quorum is drawn that has to drain alone. */
const LEAVING_UNTIL_MS = 4_000;
const LEAVING_STEP_MS = 1_500;
/** How long the watcher of a barrier looks out for it. */
const BARRIER_WAIT_MS = 2_000;

/** What careless operators send, changes of members that must be refused; and what may go wrong while epochs change. */
export const GOVERNANCE_FAULTS: readonly FaultDefinition[] = [
  governance({
    kind: "overweight",
    about: "the operator gives one member more weight than all the others have",
    where: "the gateway of a node",
    must: "refused: no member may be able to stop the others alone (C15, A2)",
    parameters: ["atMs", "node"],
    draw: ({ nodes, atMs, node }) => (nodes > FAULTLESS_MAX ? { atMs, node } : undefined),
    inject: (lab, fault) => {
      const membership = lab.cluster.newestMembership();
      if (membership === undefined) return;
      const reweight = [{ id: lab.id(fault.node), weight: totalWeight(membership) }];
      submit(lab, fault.node, (frame) => ({ ...frame, kind: "membership.change", add: [], remove: [], reweight }));
    },
  }),
  governance({
    kind: "hasty-changes",
    about: "the operator changes the members again before the first change is active",
    where: "the gateways of two nodes",
    must: "one change at a time: the second is refused (C15, A2)",
    parameters: ["atMs", "node", "delayMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, delayMs: random.pick([0, 0, 5, 20]) }),
    inject: (lab, fault) => {
      for (const turn of [0, 1])
        lab.later(turn * fault.delayMs, () => {
          const signed = lab.clients.reweight(turn + 2);
          if (signed !== undefined) lab.clients.submit(lab.id(fault.node + turn), signed);
        });
    },
  }),
  governance({
    kind: "renew-keys",
    about: "the operator gives nodes new keys for their checkpoints, again and again",
    where: "the gateway of a node",
    must: "each height is cosigned by the keys of its epoch; who pinned the first ones follows the handovers (C15, A3)",
    parameters: ["atMs", "side", "count", "node"],
    draw: ({ random, nodes, atMs, node }) => {
      const side = random
        .shuffle(Array.from({ length: nodes }, (_, index) => index))
        .slice(0, random.between(1, Math.min(nodes, RENEWED_MAX)));
      return { atMs, side, count: random.between(1, 3), node };
    },
    inject: (lab, { side, count, node }) => {
      for (let turn = 0; turn < count; turn++) {
        lab.later(turn * STEP_MS, () => {
          const signed = lab.clients.renew(side.map((index) => lab.id(index)));
          if (signed !== undefined) lab.clients.submit(lab.id(node), signed);
        });
      }
    },
  }),
  governance({
    kind: "barrier-crash",
    about: "whoever leads while an epoch ends is killed: before its last height is decided, or before the next epoch's first",
    where: "the leader's process",
    must: "the last height is decided in a later view, or the first one by another leader; no height belongs to two epochs (C15, A1, A7)",
    parameters: ["atMs", "delayMs", "downMs", "count"],
    draw: ({ random, atMs }) => ({
      atMs,
      delayMs: random.pick([0, 0, 1, 2, 4, 8]),
      downMs: random.between(300, 3_000),
      count: random.below(2),
    }),
    countsItself: true,
    inject: (lab, fault) => {
      const signed = lab.clients.reweight(2);
      const leader = leaderNow(lab);
      if (signed === undefined || leader === undefined) return;
      lab.clients.submit(leader, signed);
      watchBarrier(lab, { ...fault, epoch: lab.cluster.newestMembership()?.epoch ?? 0, leftMs: BARRIER_WAIT_MS });
    },
  }),
  governance({
    kind: "parted-end",
    about:
      "the operator gives some nodes more weight than all others have, and the two sides hear nothing of each other while the epoch ends (Raft)",
    where: "the gateway of a node, and the links between the sides, in Raft",
    must: "the end waits for a majority of both memberships; after the heal all drain (C15, A1, A7)",
    parameters: ["atMs", "node", "forMs", "count"],
    draw: ({ random, nodes, node }) =>
      nodes > PARTED_NODES_MIN
        ? { atMs: random.between(500, 3_000), node, forMs: random.between(2_000, 4_000), count: random.between(1, 2) }
        : undefined,
    countsItself: true,
    inject: injectPartedEnd,
  }),
  governance({
    kind: "leave",
    about: "the operator removes members, some of which may lie or have forgotten, one after another or at once",
    where: "the gateways of nodes",
    must: "the epoch ends with them, and the next one goes on without them; nobody hears them any more (C15, A1, A6, A7)",
    parameters: ["atMs", "side", "node", "count"],
    draw: ({ random, nodes, node }) =>
      nodes < LEAVING_NODES_MIN
        ? undefined
        : {
            atMs: random.between(500, LEAVING_UNTIL_MS),
            side: random.shuffle(Array.from({ length: nodes }, (_, index) => index)).slice(0, random.between(1, nodes - 1)),
            node,
            count: random.between(1, 2),
          },
    countsItself: true,
    isStaged: true,
    inject: (lab, { kind, side, node, count }) => {
      for (let turn = 0; turn < count; turn++) {
        lab.later(turn * LEAVING_STEP_MS, () => {
          const remove = leavers(
            lab,
            side.filter((_, at) => at % count === turn),
          );
          if (remove.length === 0) return;
          lab.hit(kind);
          submit(lab, node, (frame) => ({ ...frame, kind: "membership.change", add: [], remove, reweight: [] }));
        });
      }
    },
  }),
  governance({
    kind: "learner-again",
    about: "the operator admits a learner, removes it, and admits another node under its id",
    where: "the gateway of a node",
    must: "an id is given once and for ever (C15, A2)",
    parameters: ["atMs", "node"],
    draw: ({ atMs, node }) => ({ atMs, node }),
    inject: (lab, fault) => {
      const id = parseNodeId(`learner-${fault.node}-${Math.round(fault.atMs)}`);
      const admit = (turn: number): unknown =>
        submit(lab, fault.node, (frame) => ({ ...frame, kind: "learner.add", nodeFile: lab.clients.nodeFile(id, `${id} turn ${turn}`) }));
      admit(0);
      lab.later(STEP_MS, () => submit(lab, fault.node, (frame) => ({ ...frame, kind: "learner.remove", id })));
      lab.later(2 * STEP_MS, () => admit(1));
    },
  }),
];

/** Those of the nodes, in their order, without whom the rest still tolerates all that this schedule spends. Too many at once are for the state to refuse. */
function leavers(lab: Laboratory, side: readonly number[]): readonly NodeId[] {
  const { cluster, spent } = lab;
  const model = faultModelOf(parseGenesis(cluster.genesisBytes).engine);
  const membership = cluster.newestMembership();
  if (membership === undefined) return [];
  let { members } = membership;
  const leaving: NodeId[] = [];
  for (const id of side.map((index) => lab.id(index))) {
    const rest = { ...membership, members: members.filter((member) => member.id !== id) };
    if (rest.members.length === members.length || weightOf(rest, spent) > tolerableWeight(totalWeight(rest), model)) continue;
    members = rest.members;
    leaving.push(id);
  }
  return leaving;
}

/** With a count of 1 one side alone hears that the epoch ends, with 2 both do. */
function injectPartedEnd(lab: Laboratory, fault: Fault & Pick<FaultParameters, "node" | "forMs" | "count">): void {
  const { cluster, frames, network, spent } = lab;
  const old = cluster.newestMembership();
  if (old === undefined || faultModelOf(parseGenesis(cluster.genesisBytes).engine) !== "crash") return;
  // Whoever may forget weighs no more than before: one good copy stays in each quorum.
  const honest = old.members.map(({ id }) => id).filter((id) => !spent.has(id));
  const change = overturned(old.members, lab.randomOf(fault).shuffle(honest));
  if (change === undefined) return;
  const { heavy, weights: reweight } = change;
  const isNext = ({ next }: { readonly next: Membership }): boolean => next.epoch === old.epoch + 1;
  const end = (): ReturnType<PartedEndOptions["end"]> =>
    cluster.nodes.flatMap(({ replica }) => replica?.state.pendingChange() ?? []).find(isNext);
  const signed = submit(lab, fault.node, (frame) => ({ ...frame, kind: "membership.change", add: [], remove: [], reweight }));
  const parted = new PartedEnd({
    old,
    heavy,
    end,
    ...(signed !== undefined && fault.count === 1 ? { change: encodeSignedCommand(signed) } : {}),
  });
  const mend = network.addLoss((from, to, frame) => parted.drops(from, to, frames.messageOf(frame)));
  lab.mendAfter(fault.forMs, () => {
    const height = parted.heldByOldAlone;
    if (height !== undefined && cluster.nodes.every(({ replica }) => (replica?.status().tip.height ?? 0) < height)) {
      lab.hit("parted-end");
      lab.mark("end-waits-for-new-majority");
    }
    mend();
  });
}

/** Looks each millisecond whether the epoch ends (count 0) or the next one begins (count 1), and kills the leader then, or a little later. */
function watchBarrier(
  lab: Laboratory,
  wait: Pick<FaultParameters, "delayMs" | "downMs" | "count"> & { readonly epoch: number; readonly leftMs: number },
): void {
  const isThere = lab.cluster.nodes.some(({ replica }) => {
    if (replica === undefined) return false;
    const { membership, pending } = replica.status();
    return wait.count === 0 ? pending !== undefined : membership.epoch > wait.epoch;
  });
  if (!isThere) {
    if (wait.leftMs > 0) lab.later(1, () => watchBarrier(lab, { ...wait, leftMs: wait.leftMs - 1 }));
    return;
  }
  lab.later(wait.delayMs, () => {
    const leader = leaderNow(lab);
    if (leader === undefined) return;
    lab.hit("barrier-crash");
    lab.down(wait.downMs, [leader], (id) => lab.cluster.crash(id));
  });
}

function submit(lab: Laboratory, node: number, make: Parameters<Laboratory["clients"]["govern"]>[0]): SignedCommand | undefined {
  const signed = lab.clients.govern(make);
  if (signed !== undefined) lab.clients.submit(lab.id(node), signed);
  return signed;
}
