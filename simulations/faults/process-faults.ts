import type { NodeId } from "#base";
import type { Survival } from "../disk.ts";
import type { Mend } from "../network.ts";
import { ForgottenVote } from "../targeted-election.ts";
import { type FaultDefinition, type FaultParameters, type FaultRow, type Laboratory, rowOf } from "./fault.ts";
import { leaderNow } from "./network-faults.ts";

function process<Key extends keyof FaultParameters>(row: FaultRow<Key>): FaultDefinition {
  return rowOf("process", row);
}

function crashAll(lab: Laboratory, downMs: number, survival: Survival): void {
  const ids = lab.cluster.nodes.map((node) => node.id);
  lab.down(downMs, ids, (node) => lab.cluster.crash(node, survival));
}

/** How often it is looked whether the others have pruned. */
const LOOK_MS = 100;

/** Whether every node that runs lacks the block of a height, and one does. */
function hasPruned({ cluster }: Laboratory, height: number): boolean {
  const from = cluster.nodes.flatMap(({ replica }) => replica?.status().blocksFrom ?? []);
  return from.length > 0 && from.every((first) => first > height);
}

/** Cuts both directions. */
function cutLink({ network }: Laboratory, left: NodeId, right: NodeId): Mend {
  const mends = [network.cut(left, right), network.cut(right, left)];
  return () => {
    for (const mend of mends) mend();
  };
}

/** Faults of processes: kill −9 at any moment, stops, slowness. */
export const PROCESS_FAULTS: readonly FaultDefinition[] = [
  process({
    kind: "crash",
    about: "a node is killed; of its writes under way some are kept",
    where: "one process",
    must: "no acknowledged loss, no second vote (D5, A4, A5)",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, downMs: random.between(50, 4_000) }),
    inject: (lab, { node, downMs }) => lab.down(downMs, [lab.id(node)], (id) => lab.cluster.crash(id)),
  }),
  process({
    kind: "leader-crash",
    about: "whoever leads now is killed",
    where: "the leader's process",
    must: "the others replace it and decide",
    parameters: ["atMs", "downMs"],
    draw: ({ random, atMs }) => ({ atMs, downMs: random.between(50, 4_000) }),
    inject: (lab, { downMs }) => {
      const leader = leaderNow(lab);
      if (leader !== undefined) lab.down(downMs, [leader], (id) => lab.cluster.crash(id));
    },
  }),
  process({
    kind: "lost-tail",
    about: "a node with a slow disk is killed, and nothing that was not synced survives",
    where: "one process and its write-ahead log",
    must: "it stands where its durable memory says, and never votes twice (C3, A5)",
    parameters: ["atMs", "node", "syncMs", "downMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, syncMs: random.between(5, 120), downMs: random.between(20, 2_000) }),
    prepare: (lab, { atMs, node, syncMs }) =>
      lab.later(Math.max(0, atMs - 1_000), () => {
        const { store } = lab.at(node);
        if (store !== undefined) store.syncUs = syncMs * 1_000;
      }),
    inject: (lab, { node, downMs }) => lab.down(downMs, [lab.id(node)], (id) => lab.cluster.crash(id, "none")),
  }),
  process({
    kind: "long-absence",
    countsItself: true,
    isStaged: true,
    about: "a node is down until the others have pruned blocks that it lacks, and for a while hears one of them alone",
    where: "one process of a cluster that prunes, and its links",
    must: "it takes over a state, from another if this one lies (C7)",
    parameters: ["atMs", "node", "to", "forMs", "delayMs"],
    draw: ({ random, node, nodes, victim }) => ({
      atMs: random.between(500, 2_000),
      node,
      to: victim ?? random.below(nodes),
      forMs: random.between(4_000, 6_000),
      delayMs: random.between(100, 1_500),
    }),
    inject: (lab, { kind, node, to, forMs, delayMs }) => {
      const { cluster } = lab;
      const id = lab.id(node);
      const height = cluster.node(id).replica?.status().tip.height;
      if (height === undefined) return;
      cluster.crash(id);
      const look = (leftMs: number): void => {
        const isNeeded = hasPruned(lab, height + 1);
        if (!isNeeded && leftMs > 0) return lab.later(LOOK_MS, () => look(leftMs - LOOK_MS));
        if (isNeeded) lab.hit(kind);
        for (const peer of cluster.nodes) if (peer.id !== id && peer.id !== lab.id(to)) lab.mendAfter(delayMs, cutLink(lab, id, peer.id));
        return cluster.start(id);
      };
      look(forMs);
    },
  }),
  process({
    kind: "crash-loop",
    about: "a node is killed again while it starts, several times",
    where: "one process",
    must: "a restart from a restart loses nothing (A5)",
    parameters: ["atMs", "node", "periodMs", "count"],
    draw: ({ random, atMs, node }) => ({ atMs, node, periodMs: random.between(3, 120), count: random.between(2, 6) }),
    inject: (lab, { node, periodMs, count }) => {
      for (let turn = 0; turn < count; turn++)
        lab.later(2 * turn * periodMs, () => lab.down(periodMs, [lab.id(node)], (id) => lab.cluster.crash(id)));
    },
  }),
  process({
    kind: "cluster-restart",
    about: "all nodes are killed at once",
    where: "every process",
    must: "what was acknowledged is there, and decisions go on (A4)",
    parameters: ["atMs", "downMs"],
    draw: ({ random, atMs }) => ({ atMs, downMs: random.between(50, 2_000) }),
    inject: (lab, { downMs }) => crashAll(lab, downMs, "some"),
  }),
  process({
    kind: "power-cut",
    about: "all nodes are killed at once, and nobody keeps what was not synced",
    where: "every process",
    must: "what was acknowledged is there, and decisions go on (A4)",
    parameters: ["atMs", "downMs"],
    draw: ({ random, atMs }) => ({ atMs, downMs: random.between(50, 2_000) }),
    inject: (lab, { downMs }) => crashAll(lab, downMs, "none"),
  }),
  process({
    kind: "rolling-restart",
    about: "nodes are restarted one after another, as an upgrade does",
    where: "each process in turn",
    must: "decisions go on",
    parameters: ["atMs", "periodMs", "downMs"],
    draw: ({ random, atMs }) => ({ atMs, periodMs: random.between(200, 1_200), downMs: random.between(30, 600) }),
    inject: (lab, { periodMs, downMs }) => {
      for (const [turn, { id }] of lab.cluster.nodes.entries())
        lab.later(turn * periodMs, () => lab.down(downMs, [id], (node) => lab.cluster.crash(node)));
    },
  }),
  process({
    kind: "leader-stop",
    about: "whoever leads is stopped in order and started again, several times: a leader of Raft hands over first",
    where: "the leader's process",
    must: "another one leads, and no read is stale (A6, A7)",
    parameters: ["atMs", "count", "periodMs", "downMs"],
    // The last one is over before the network heals.
    draw: ({ random }) => ({
      atMs: random.between(500, 4_000),
      count: random.between(1, 3),
      periodMs: random.between(300, 1_200),
      downMs: random.between(20, 1_000),
    }),
    isStaged: true,
    inject: (lab, { count, periodMs, downMs }) => {
      for (let turn = 0; turn < count; turn++) {
        lab.later(turn * periodMs, () => {
          const leader = leaderNow(lab);
          if (leader !== undefined) lab.cluster.stop(leader, () => lab.later(downMs, () => lab.cluster.start(leader)));
        });
      }
    },
  }),
  process({
    kind: "restart-lost",
    about: "all restart at once, and one of them finds its disk gone",
    where: "every process, one disk",
    must: "the one without memory votes nowhere until a quorum told it a safe height (C3, D6)",
    cost: "memory",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, victim }) => (victim === undefined ? undefined : { atMs, node: victim, downMs: random.between(20, 500) }),
    inject: (lab, { node, downMs }) => {
      const { cluster } = lab;
      const ids = cluster.nodes.map(({ id }) => id);
      lab.down(downMs, ids, (id) => (id === lab.id(node) ? cluster.loseDisk(id) : cluster.crash(id)));
    },
  }),
  process({
    kind: "forgotten-vote",
    countsItself: true,
    about: "a voter of Raft is killed right after its vote left, and whom it voted for is cut off",
    where: "the process of whoever votes next",
    must: "it votes for nobody else in that term (A5)",
    parameters: ["atMs", "forMs", "downMs"],
    draw: ({ random, atMs, forMs }) => ({ atMs, forMs: 1_000 + forMs, downMs: random.between(20, 200) }),
    inject: (lab, { kind, forMs, downMs }) => {
      const { cluster, frames, network } = lab;
      const forgotten = new ForgottenVote((voter) => {
        lab.hit(kind);
        // In the next turn: now its vote is being sent.
        lab.later(0, () => lab.down(downMs, [voter], (id) => cluster.crash(id, "all")));
      });
      lab.mendAfter(
        forMs,
        network.addLoss((from, to, frame) => forgotten.drops(from, to, frames.messageOf(frame))),
      );
    },
  }),
  process({
    kind: "pause",
    about: "a process is stopped and goes on later, with all that arrived meanwhile",
    where: "one process",
    must: "nothing stale passes for fresh (C9)",
    parameters: ["atMs", "node", "forMs"],
    draw: ({ atMs, node, forMs }) => ({ atMs, node, forMs }),
    inject: (lab, { node, forMs }) => {
      const { time } = lab.at(node);
      if (time !== undefined) time.pausedUntilUs = lab.cluster.scheduler.nowUs() + forMs * 1_000;
    },
  }),
  process({
    kind: "slow-node",
    about: "everything that a node does takes long",
    where: "one process",
    must: "the others do not wait for it; as a leader it is replaced or tolerated (C12)",
    parameters: ["atMs", "node", "delayMs", "forMs"],
    draw: ({ random, atMs, node, forMs }) => ({ atMs, node, delayMs: random.between(5, 300), forMs }),
    inject: (lab, { node, delayMs, forMs }) => {
      const { time } = lab.at(node);
      if (time === undefined) return;
      time.lagUs = delayMs * 1_000;
      lab.later(forMs, () => {
        time.lagUs = 0;
      });
    },
  }),
];
