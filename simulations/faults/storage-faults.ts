import type { SeededRandom } from "#base";
import { misdirect, type Platter, rot, type WriteTrap } from "../disk.ts";
import { LostWitness } from "../targeted-witness.ts";
import { type Fault, type FaultDefinition, type FaultParameters, type FaultRow, type Laboratory, rowOf } from "./fault.ts";

function storage<Key extends keyof FaultParameters>(row: FaultRow<Key>): FaultDefinition {
  return rowOf("storage", row);
}

/** A node is killed at the boundary of its next write, or of one after that. */
function crashAtWrite(
  lab: Laboratory,
  fault: Fault & { readonly node: number; readonly downMs: number; readonly writes?: number },
  boundary: WriteTrap["boundary"],
): void {
  const { store, id } = lab.at(fault.node);
  if (store === undefined) return;
  store.trap = {
    boundary,
    writes: fault.writes ?? 0,
    spring: () => {
      lab.hit(fault.kind);
      lab.down(fault.downMs, [id], (node) => lab.cluster.crash(node, "none"));
    },
  };
}

/** A proposal is with its witness after this time, and no vote of the next height yet. */
const WITNESSED_MS = 20;

type DiskFault = Fault & { readonly node: number; readonly downMs: number };

/** A disk is damaged. Half of the time the process runs on and finds it by itself, else it is killed and finds it when it starts. */
function damage(lab: Laboratory, fault: DiskFault, how: (platter: Platter, random: SeededRandom) => string | undefined): void {
  const random = lab.randomOf(fault);
  const { id } = lab.at(fault.node);
  if (!lab.cluster.damage(id, (platter) => how(platter, random))) return;
  lab.hit(fault.kind);
  if (random.chance(0.5)) lab.down(fault.downMs, [id], (node) => lab.cluster.crash(node));
}

/** Runs when the node's disk refuses it: an operator makes space, or takes another disk, and starts the node again. */
function restartAfter(lab: Laboratory, fault: DiskFault): void {
  lab.later(fault.downMs, () => lab.down(50, [lab.id(fault.node)], (id) => lab.cluster.crash(id)));
}

const copies = new WeakMap<Fault, ReadonlyMap<string, Uint8Array>>();

/** Faults of disks. */
export const STORAGE_FAULTS: readonly FaultDefinition[] = [
  storage({
    kind: "lost-disk",
    about: "a node's data folder is gone",
    where: "one disk",
    must: "safe rejoin under the same id by the vote guard's rule (D6)",
    cost: "memory",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, victim }) => (victim === undefined ? undefined : { atMs, node: victim, downMs: random.between(50, 2_000) }),
    inject: (lab, { node, downMs }) => lab.down(downMs, [lab.id(node)], (id) => lab.cluster.loseDisk(id)),
  }),
  storage({
    kind: "old-copy",
    about: "a node's data folder is replaced by an older copy of it",
    where: "one disk",
    must: "the anchor shows it; the node votes nothing twice (C3, A5)",
    cost: "memory",
    parameters: ["atMs", "node", "downMs", "copyAtMs"],
    draw: ({ random, atMs, victim }) =>
      victim === undefined ? undefined : { atMs, node: victim, downMs: random.between(50, 2_000), copyAtMs: random.below(atMs) },
    prepare: (lab, fault) => lab.later(fault.copyAtMs, () => copies.set(fault, new Map(lab.at(fault.node).platter.durable))),
    inject: (lab, fault) =>
      lab.down(fault.downMs, [lab.id(fault.node)], (id) => lab.cluster.restoreCopy(id, copies.get(fault) ?? new Map())),
  }),
  storage({
    kind: "lost-witness",
    countsItself: true,
    isStaged: true,
    about: "a leader's data folder goes back to before its last proposal, and the only node that heard it is cut off",
    where: "one disk, and the links of two nodes",
    must: "the anchor shows it: nobody else can (A5)",
    cost: "memory",
    parameters: ["atMs", "node", "to", "forMs", "downMs"],
    draw: ({ random, forMs, nodes, victim }) => {
      if (victim === undefined) return undefined;
      const to = (victim + random.between(1, Math.max(1, nodes - 1))) % nodes;
      return to === victim
        ? undefined
        : { atMs: random.between(500, 4_000), node: victim, to, forMs: 2_000 + forMs, downMs: random.between(20, 200) };
    },
    inject: (lab, { kind, node, to, forMs, downMs }) => {
      const { cluster, frames, network } = lab;
      const copy = new Map(lab.at(node).platter.durable);
      const loss = new LostWitness({
        forgets: lab.id(node),
        witness: lab.id(to),
        onProposed: () => {
          lab.hit(kind);
          // In a later turn: the witness hears it first.
          lab.later(WITNESSED_MS, () => {
            loss.onForgotten();
            lab.down(downMs, [lab.id(node)], (id) => cluster.restoreCopy(id, copy));
          });
        },
      });
      lab.mendAfter(
        forMs,
        network.addLoss((from, peer, frame) => loss.drops(from, peer, frames.messageOf(frame))),
      );
    },
  }),
  storage({
    kind: "lost-anchor",
    about: "the anchor beside the data folder is gone",
    where: "one anchor",
    must: "the node rejoins as one without memory (G3)",
    cost: "memory",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, victim }) => (victim === undefined ? undefined : { atMs, node: victim, downMs: random.between(50, 2_000) }),
    inject: (lab, { node, downMs }) => lab.down(downMs, [lab.id(node)], (id) => lab.cluster.loseAnchor(id)),
  }),
  storage({
    kind: "torn-write",
    countsItself: true,
    about: "the power fails while a write is under way",
    where: "the next write of one disk",
    must: "the tail is cut at the tear and repaired from peers (D1)",
    parameters: ["atMs", "node", "downMs", "writes"],
    draw: ({ random, atMs, node }) => ({ atMs, node, downMs: random.between(20, 2_000) }),
    inject: (lab, fault) => crashAtWrite(lab, fault, "torn"),
  }),
  storage({
    kind: "crash-after-write",
    countsItself: true,
    about: "the power fails when a write is durable and nobody was told yet",
    where: "the next write of one disk",
    must: "the node stands by what it wrote and never said (D5, A5)",
    parameters: ["atMs", "node", "downMs", "writes"],
    draw: ({ random, atMs, node }) => ({ atMs, node, downMs: random.between(20, 2_000) }),
    inject: (lab, fault) => crashAtWrite(lab, fault, "durable"),
  }),
  storage({
    kind: "fsync-error",
    about: "a sync fails, and the next one would succeed",
    where: "one disk",
    must: "the node stops and never acknowledges (D2)",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, downMs: random.between(50, 4_000) }),
    inject: (lab, fault) => {
      const { store } = lab.at(fault.node);
      if (store !== undefined) store.failsOnce = true;
      restartAfter(lab, fault);
    },
  }),
  storage({
    kind: "flaky-syncs",
    about: "for a while syncs fail now and again, and each takes along what was under way",
    where: "one disk",
    must: "the node stops at the first and never acknowledges (D2)",
    parameters: ["atMs", "node", "chance", "forMs", "downMs"],
    draw: ({ random, atMs, forMs, node }) => ({
      atMs,
      node,
      chance: random.between(5, 40) / 100,
      forMs,
      downMs: random.between(50, 4_000),
    }),
    inject: (lab, fault) => {
      const { store } = lab.at(fault.node);
      if (store === undefined) return;
      store.failChance = fault.chance;
      lab.later(fault.forMs, () => Object.assign(store, { failChance: 0 }));
      restartAfter(lab, fault);
    },
  }),
  storage({
    kind: "disk-full",
    about: "no write succeeds any more",
    where: "one disk",
    must: "the node stops, and recovers when there is space (D4)",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, downMs: random.between(50, 4_000) }),
    inject: (lab, fault) => {
      const { store } = lab.at(fault.node);
      if (store !== undefined) store.full = true;
      restartAfter(lab, fault);
    },
  }),
  storage({
    kind: "bit-rot",
    countsItself: true,
    about: "a bit of a stored value flips",
    where: "one value of one disk",
    must: "it is never read as data: the node goes on without what others tell again; else it stops, and its disk is replaced (D3)",
    cost: "memory",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, victim }) => (victim === undefined ? undefined : { atMs, node: victim, downMs: random.between(50, 1_000) }),
    inject: (lab, fault) => damage(lab, fault, rot),
  }),
  storage({
    kind: "misdirected-write",
    countsItself: true,
    about: "a value is written to the place of another",
    where: "one value of one disk",
    must: "it is never read as data: the node goes on without what others tell again; else it stops, and its disk is replaced (D3)",
    cost: "memory",
    parameters: ["atMs", "node", "downMs"],
    draw: ({ random, atMs, victim }) => (victim === undefined ? undefined : { atMs, node: victim, downMs: random.between(50, 1_000) }),
    inject: (lab, fault) => damage(lab, fault, misdirect),
  }),
  storage({
    kind: "misdirected-read",
    about: "one read gives the value of another place",
    where: "the next read of one disk",
    must: "it is not taken for the value: the node stops, and is started again (D3)",
    parameters: ["atMs", "node"],
    draw: ({ atMs, node }) => ({ atMs, node }),
    inject: (lab, { node }) => {
      const { store } = lab.at(node);
      if (store !== undefined) store.misreads = true;
    },
  }),
  storage({
    kind: "slow-disk",
    about: "every sync of a disk takes long",
    where: "one disk",
    must: "nothing leaves before it is durable; the others do not wait",
    parameters: ["atMs", "node", "syncMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, syncMs: random.between(2, 80) }),
    inject: (lab, { node, syncMs }) => {
      const { store } = lab.at(node);
      if (store !== undefined) store.syncUs = syncMs * 1_000;
    },
  }),
  storage({
    kind: "stalled-disk",
    about: "no write completes for a while",
    where: "one disk",
    must: "nothing leaves before it is durable; the node goes on when the disk does",
    parameters: ["atMs", "node", "forMs"],
    draw: ({ atMs, node, forMs }) => ({ atMs, node, forMs }),
    inject: (lab, { node, forMs }) => {
      const { store } = lab.at(node);
      if (store !== undefined) store.stalledUntilUs = lab.cluster.scheduler.nowUs() + forMs * 1_000;
    },
  }),
];
