import type { NodeId } from "#base";
import { proposerOf } from "#consensus";
import { CALM, type NetworkConditions } from "../network.ts";
import { OldTermLoss } from "../targeted-election.ts";
import { TargetedLock, TwoLocks } from "../targeted-lock.ts";
import { TargetedLoss } from "../targeted-loss.ts";
import { type FaultDefinition, type FaultParameters, type FaultRow, type Laboratory, rowOf } from "./fault.ts";

/** More than there are kinds of messages. */
const MESSAGE_NUMBERS = 1_000;

function network<Key extends keyof FaultParameters>(row: FaultRow<Key>): FaultDefinition {
  return rowOf("network", row);
}

/** Sets a condition for some time. */
function setFor(lab: Laboratory, forMs: number, conditions: Partial<NetworkConditions>): void {
  Object.assign(lab.network.conditions, conditions);
  const calm = Object.fromEntries(Object.keys(conditions).map((name) => [name, CALM[name as keyof NetworkConditions]]));
  lab.later(forMs, () => void Object.assign(lab.network.conditions, calm));
}

/** The node that most nodes take for the leader. */
export function leaderNow({ cluster }: Laboratory): NodeId | undefined {
  const votes = new Map<NodeId, number>();
  for (const { replica } of cluster.nodes) {
    if (replica === undefined) continue;
    const { leader } = replica.status().consensus;
    if (leader !== undefined) votes.set(leader, (votes.get(leader) ?? 0) + 1);
  }
  return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** Faults of links: what asynchrony and hostile networks do. */
export const NETWORK_FAULTS: readonly FaultDefinition[] = [
  network({
    kind: "slow-links",
    about: "every frame takes up to a long delay",
    where: "delay of every link",
    must: "decisions go on once timers have grown past the delay",
    parameters: ["atMs", "delayMs", "forMs"],
    draw: ({ random, atMs, forMs }) => ({ atMs, delayMs: random.between(10, 400), forMs }),
    inject: (lab, { delayMs, forMs }) => setFor(lab, forMs, { delayMaxUs: delayMs * 1_000 }),
  }),
  network({
    kind: "slow-link",
    about: "one link is slow in both directions",
    where: "delay of one link",
    must: "the others do not wait for it",
    parameters: ["atMs", "from", "to", "delayMs", "forMs"],
    draw: ({ random, atMs, forMs, node, nodes }) => ({
      atMs,
      from: node,
      to: random.below(nodes),
      delayMs: random.between(50, 1_500),
      forMs,
    }),
    inject: (lab, { from, to, delayMs, forMs }) => lab.mendAfter(forMs, lab.network.slowDown(lab.id(from), lab.id(to), delayMs * 1_000)),
  }),
  network({
    kind: "loss",
    about: "up to 30 % of all frames are lost",
    where: "every link",
    must: "progress (C11)",
    parameters: ["atMs", "chance", "forMs"],
    draw: ({ random, atMs, forMs }) => ({ atMs, chance: random.between(1, 30) / 100, forMs }),
    inject: (lab, { chance, forMs }) => setFor(lab, forMs, { loss: chance }),
  }),
  network({
    kind: "duplication",
    about: "up to 30 % of all frames arrive twice",
    where: "every link",
    must: "every command takes effect once (C11, A2)",
    parameters: ["atMs", "chance", "forMs"],
    draw: ({ random, atMs, forMs }) => ({ atMs, chance: random.between(1, 30) / 100, forMs }),
    inject: (lab, { chance, forMs }) => setFor(lab, forMs, { duplication: chance }),
  }),
  network({
    kind: "reordering",
    about: "frames are held back so that later ones overtake them",
    where: "every link",
    must: "votes count in any order (C11)",
    parameters: ["atMs", "chance", "delayMs", "forMs"],
    draw: ({ random, atMs, forMs }) => ({ atMs, chance: random.between(5, 50) / 100, delayMs: random.between(5, 400), forMs }),
    inject: (lab, { chance, delayMs, forMs }) => setFor(lab, forMs, { reordering: chance, reorderMaxUs: delayMs * 1_000 }),
  }),
  network({
    kind: "corruption",
    about: "a byte of a frame changes on its way",
    where: "frames on every link",
    must: "it is refused or harmless, never believed and never fatal (S1, A8)",
    parameters: ["atMs", "chance", "forMs"],
    draw: ({ random, atMs, forMs }) => ({ atMs, chance: random.between(1, 15) / 100, forMs }),
    inject: (lab, { chance, forMs }) => setFor(lab, forMs, { corruption: chance }),
  }),
  network({
    kind: "late-copies",
    about: "copies of old frames arrive again, seconds later",
    where: "every link",
    must: "old messages are dropped or harmless (C4)",
    parameters: ["atMs", "chance", "forMs"],
    draw: ({ random, atMs, forMs }) => ({ atMs, chance: random.between(2, 25) / 100, forMs }),
    inject: (lab, { chance, forMs }) => setFor(lab, forMs, { lateCopies: chance }),
  }),
  network({
    kind: "partition",
    about: "two sides hear nothing of each other",
    where: "links between two sides",
    must: "at most one side decides; after the heal all drain (C10)",
    parameters: ["atMs", "side", "forMs"],
    draw: ({ random, atMs, forMs, nodes }) => ({
      atMs,
      side: someNodes(random.shuffle(indexes(nodes)), random.between(1, nodes - 1)),
      forMs,
    }),
    inject: (lab, { side, forMs }) => lab.mendAfter(forMs, cutOff(lab, side)),
  }),
  network({
    kind: "one-way",
    about: "one direction of one link is dead",
    where: "one link",
    must: "decisions go on, or after the heal (C10)",
    parameters: ["atMs", "from", "to", "forMs"],
    draw: ({ random, atMs, forMs, node, nodes }) => ({ atMs, from: node, to: random.below(nodes), forMs }),
    inject: (lab, { from, to, forMs }) => {
      if (from !== to) lab.mendAfter(forMs, lab.network.cut(lab.id(from), lab.id(to)));
    },
  }),
  network({
    kind: "flapping-partition",
    about: "two sides are cut, mended and cut again",
    where: "links between two sides",
    must: "after the last heal all drain (C10)",
    parameters: ["atMs", "side", "periodMs", "count"],
    draw: ({ random, atMs, nodes }) => ({
      atMs,
      side: someNodes(random.shuffle(indexes(nodes)), random.between(1, nodes - 1)),
      periodMs: random.between(50, 900),
      count: random.between(2, 5),
    }),
    inject: (lab, { side, periodMs, count }) => {
      for (let turn = 0; turn < count; turn++) lab.later(2 * turn * periodMs, () => lab.mendAfter(periodMs, cutOff(lab, side)));
    },
  }),
  network({
    kind: "isolate-leader",
    about: "whoever leads now is cut off from all others",
    where: "links of the leader",
    must: "the others replace it and decide; it follows them after the heal",
    parameters: ["atMs", "forMs"],
    draw: ({ atMs, forMs }) => ({ atMs, forMs }),
    inject: (lab, { forMs }) => {
      const leader = leaderNow(lab);
      if (leader !== undefined) lab.mendAfter(forMs, lab.network.partition(new Set([leader]), idsOf(lab)));
    },
  }),
  network({
    kind: "kind-loss",
    about: "nearly all messages of one kind are lost",
    where: "every link",
    must: "no kind of message is a single point of failure for safety; after the heal all drain",
    parameters: ["atMs", "message", "chance", "forMs"],
    draw: ({ random, atMs, forMs }) => ({
      atMs,
      message: random.below(MESSAGE_NUMBERS),
      chance: random.between(50, 100) / 100,
      forMs,
    }),
    inject: (lab, fault) => {
      const random = lab.randomOf(fault);
      const { names } = lab.frames;
      const picked = names[fault.message % names.length];
      const isLost = (frame: Uint8Array): boolean => lab.frames.nameOf(frame) === picked && random.chance(fault.chance);
      lab.mendAfter(
        fault.forMs,
        lab.network.addLoss((_from, _to, frame) => isLost(frame)),
      );
    },
  }),
  network({
    kind: "targeted-loss",
    about:
      "one node alone decides, after another alone prepared something else if it is named, or one alone prepares; the others change views",
    where: "votes on chosen links",
    must: "what is decided survives every view change (A1)",
    parameters: ["atMs", "decides", "prepares", "forMs"],
    draw: ({ random, atMs, forMs, nodes, victim }) => {
      const [decides, prepares] = [random.below(nodes), random.below(nodes)];
      // Who alone has prepared may lie about it.
      const isAlone = prepares === decides && victim !== undefined && atMs % 2 === 0;
      const named = isAlone ? { decides: victim, prepares: victim } : { decides, ...(prepares === decides ? {} : { prepares }) };
      return { atMs, ...named, forMs: 2_000 + forMs };
    },
    inject: (lab, { decides, prepares, forMs }) => {
      const { cluster, frames, network: links } = lab;
      const membership = { epoch: 0, members: cluster.members };
      const named = prepares === undefined ? {} : { prepares: lab.id(prepares) };
      const loss = new TargetedLoss({ membership, decides: lab.id(decides), ...named });
      const mend = links.addLoss((from, to, frame) => {
        const message = frames.messageOf(frame);
        return message === undefined ? loss.dropsOther(from) : loss.drops(from, to, message);
      });
      lab.mendAfter(forMs, mend);
    },
  }),
  network({
    kind: "targeted-lock",
    countsItself: true,
    about: "one node alone decides and is not heard of again, others are locked on its value, and who proposes next knows nothing of it",
    where: "chosen links, for one height of Tendermint",
    must: "locks hold what was decided (A1)",
    parameters: ["atMs", "node", "decides", "forMs"],
    draw: ({ random, atMs, forMs, nodes, node, victim }) => {
      const misses = victim ?? node;
      const decides = (misses + random.between(1, Math.max(1, nodes - 1))) % nodes;
      return decides === misses ? undefined : { atMs, node: misses, decides, forMs: 4_000 + forMs };
    },
    inject: (lab, fault) => {
      const { cluster, frames, network: links } = lab;
      const membership = { epoch: 0, members: cluster.members };
      const lock = new TargetedLock({
        misses: lab.id(fault.node),
        decides: lab.id(fault.decides),
        proposerOf: (height, round) => proposerOf(membership, height, round),
      });
      const mend = links.addLoss((from, to, frame) => {
        const message = frames.messageOf(frame);
        return message === undefined ? lock.dropsOther(from) : lock.drops(from, to, message);
      });
      lab.mendAfter(fault.forMs, () => {
        if (lock.hasBegun) lab.hit(fault.kind);
        mend();
      });
    },
  }),
  network({
    kind: "hidden-lock",
    countsItself: true,
    about: "of one height's first round nobody hears what one node prevotes, nor of a polka that it has; or so in two rounds, of two nodes",
    where: "some kinds of messages of one node of Tendermint, or two",
    must: "whoever locked alone shows the others why, and they decide (A7)",
    parameters: ["atMs", "node", "forMs", "count"],
    draw: ({ random, atMs, nodes, victim }) => {
      const node = random.below(nodes);
      return node === victim ? undefined : { atMs, node, forMs: random.between(1_500, 4_000), count: atMs % 2 === 0 ? 2 : 1 };
    },
    inject: (lab, { kind, node, forMs, count }) => {
      if (count === 2) return injectTwoLocks(lab, kind);
      const { frames, network: links } = lab;
      let height: number | undefined;
      const mend = links.addLoss((from, _to, frame) => {
        const message = frames.messageOf(frame);
        const isTold = message?.type === "prevote" || message?.type === "polka";
        if (from !== lab.id(node) || !isTold || message.view !== 0) return false;
        if (height === undefined) lab.hit(kind);
        height ??= message.height;
        return message.height === height;
      });
      lab.mendAfter(forMs, mend);
    },
  }),
  network({
    kind: "old-term",
    countsItself: true,
    about: "two leaders take turns, each with an entry in the same place that the other never hears of",
    where: "appends on chosen links of Raft",
    must: "an old term's entry is committed by none of its own, and what is committed is never lost (A1)",
    parameters: ["atMs", "forMs", "count"],
    draw: ({ random }) => ({ atMs: random.between(500, 2_000), forMs: random.between(4_000, 6_000), count: random.between(1, 2) }),
    // With a count of 2 the place is the last of an epoch, which the operator ends for it.
    inject: (lab, { forMs, count }) => {
      const { clients, cluster, frames, network: links } = lab;
      const lastHeight = (): number | undefined =>
        cluster.nodes.flatMap(({ replica }) => replica?.state.pendingChange()?.lastHeight ?? []).at(0);
      const change = count === 2 ? clients.reweight(2) : undefined;
      const leader = leaderNow(lab);
      if (change !== undefined && leader !== undefined) clients.submit(leader, change);
      const loss = new OldTermLoss(cluster.nodes.length, change === undefined ? {} : { lastHeight });
      const mend = links.addLoss((from, to, frame) => loss.drops(from, to, frames.messageOf(frame)));
      lab.mendAfter(forMs, () => {
        if (loss.isOver) lab.hit("old-term");
        mend();
      });
    },
  }),
  network({
    kind: "swizzle-clog",
    about: "nodes are clogged one after another, and unclogged in another order",
    where: "all links of each node in turn",
    must: "what arrives late and at once is tolerated",
    parameters: ["atMs", "periodMs", "count"],
    draw: ({ random, atMs, nodes }) => ({ atMs, periodMs: random.between(50, 700), count: random.between(1, nodes) }),
    inject: (lab, fault) => {
      const { periodMs, count } = fault;
      const random = lab.randomOf(fault);
      const victims = random.shuffle(indexes(lab.cluster.nodes.length)).slice(0, count);
      const order = random.shuffle(indexes(victims.length));
      for (const [turn, victim] of victims.entries()) {
        const clogMs = (victims.length + (order[turn] ?? 0) - turn) * periodMs;
        lab.later(turn * periodMs, () => lab.mendAfter(clogMs, lab.network.clog(lab.id(victim))));
      }
    },
  }),
  network({
    kind: "link-reset",
    about: "links break and are there again; what was under way is gone",
    where: "links of one node",
    must: "nothing waits for a lost frame for ever",
    parameters: ["atMs", "node", "periodMs", "count"],
    draw: ({ random, atMs, node }) => ({ atMs, node, periodMs: random.between(20, 800), count: random.between(1, 6) }),
    inject: (lab, { node, periodMs, count }) => {
      const reset = (): void => {
        for (const peer of idsOf(lab)) if (peer !== lab.id(node)) lab.network.reset(lab.id(node), peer);
      };
      for (let turn = 0; turn < count; turn++) lab.later(turn * periodMs, reset);
    },
  }),
];

/** Until the faults end: who stays away then may be one that the others need. */
function injectTwoLocks(lab: Laboratory, kind: string): void {
  const { cluster, frames, network } = lab;
  const membership = { epoch: 0, members: cluster.members };
  const locks = new TwoLocks({ nodes: idsOf(lab), proposerOf: (height, round) => proposerOf(membership, height, round) });
  network.addLoss((from, to, frame) => {
    const wasOver = locks.isOver;
    const isLost = locks.drops(from, to, frames.messageOf(frame));
    if (!wasOver && locks.isOver) lab.hit(kind);
    return isLost;
  });
}

function idsOf({ cluster }: Laboratory): NodeId[] {
  return cluster.nodes.map((node) => node.id);
}

function cutOff(lab: Laboratory, side: readonly number[]): () => void {
  return lab.network.partition(new Set(side.map((index) => lab.id(index))), idsOf(lab));
}

function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function someNodes(shuffled: readonly number[], count: number): readonly number[] {
  return shuffled.slice(0, Math.max(1, count));
}
