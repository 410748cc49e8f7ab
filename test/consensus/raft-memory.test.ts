import { expect } from "chai";
import { describe, it } from "mocha";
import type { NodeId } from "#base";
import { type ConsensusMessage, createRaftCore } from "#consensus";
import { CLUSTER, hasher } from "./core-kit.ts";
import { RaftCluster, type RaftNode } from "./raft-kit.ts";

function othersOf(cluster: RaftCluster, ...ids: readonly NodeId[]): RaftNode[] {
  return cluster.nodes.filter(({ id }) => !ids.includes(id));
}

function expectAgreement(cluster: RaftCluster): void {
  expect(cluster.violations.join("; ")).to.equal("");
  expect(cluster.halts.join("; ")).to.equal("");
}

describe("a node of raft without memory", () => {
  it("gives no vote before everybody told it how far they are, and then in later terms only", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [lost, other] = othersOf(cluster, leader.id);
    if (lost === undefined || other === undefined) throw new Error("three nodes");
    cluster.order(4);
    cluster.run(1_000);
    cluster.crash(lost.id);
    cluster.crash(other.id);
    cluster.restart(lost.id, { forgetsAll: true });
    cluster.run(3_000);
    // With one node away for good it stays out: nobody else can lead without it either.
    expect(lost.core.snapshot()).to.include({ phase: "following", participates: false });
    expect(lost.core.snapshot().waitingFor, "whose answer is missing").to.deep.equal([other.id]);
    cluster.restart(other.id);
    for (let round = 0; round < 10; round++) {
      cluster.order(1);
      cluster.run(600);
    }
    expect(lost.core.snapshot()).to.include({ phase: "idle", participates: true });
    expect(lost.tip.height).to.equal(leader.tip.height);
    expectAgreement(cluster);
  });
});

describe("a node of raft whose floor lies in an earlier epoch", () => {
  it("takes part in the midst of an epoch without asking anybody: what it forgot, it had said before that began", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    cluster.elect();
    cluster.order(9);
    cluster.run(2_000);
    const [{ id: self, tip } = { id: undefined, tip: undefined }] = cluster.nodes;
    if (self === undefined || tip === undefined) throw new Error("three nodes");
    const takesPart = (above: number): boolean => {
      const fixed = { cluster: CLUSTER, membership: cluster.membership, protocol: 1, window: 1, hasher, seed: 7 };
      // A state of the midst of the epoch was taken over: nothing that this core kept stands on the disk.
      const core = createRaftCore({ ...fixed, self, tip, epochFirstHeight: 5, restored: { records: [], guard: [] } });
      core.step({ type: "start" });
      core.step({ type: "participate", above });
      return core.snapshot().participates;
    };
    expect(tip.height).to.be.above(6);
    expect([0, 4, 5, 6].map(takesPart)).to.deep.equal([true, true, false, false]);
  });
});

/** Three nodes of which one lost its disk while the others went on. */
function withLostDisk(options: { readonly waitsForFloor: boolean }): {
  cluster: RaftCluster;
  leader: RaftNode;
  lost: RaftNode;
  other: RaftNode;
} {
  const cluster = new RaftCluster({ weights: [1, 1, 1] });
  const leader = cluster.elect();
  const [lost, other] = othersOf(cluster, leader.id);
  if (lost === undefined || other === undefined) throw new Error("three nodes");
  cluster.order(2);
  cluster.run(500);
  cluster.crash(lost.id);
  cluster.restart(lost.id, { forgetsAll: true, ...options });
  cluster.order(6);
  cluster.run(3_000);
  expect(lost.tip.height).to.be.at.least(lost.above);
  return { cluster, leader, lost, other };
}

describe("a decided block of a later term", () => {
  it("takes a node of raft to that term: the old leader, which knows nothing of it, contradicts nobody", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1, 1, 1] });
    const old = cluster.elect();
    cluster.run(300);
    const [told, ...rest] = othersOf(cluster, old.id);
    if (told === undefined) throw new Error("five nodes");
    cluster.cut([old.id, told.id]);
    cluster.order(1);
    cluster.run(100);
    cluster.run(3_000, () => rest.some(({ core, id }) => core.snapshot().leader === id));
    cluster.order(1);
    cluster.run(300);
    const decided = rest.find(({ tip }) => tip.height === 1)?.blocks.get(1);
    if (decided === undefined) throw new Error("the others decide");
    const { proposal, certificate } = decided;
    const message = { type: "block", headerBytes: proposal.headerBytes, batch: proposal.batch, certificate } as const;
    cluster.feed(told.id, { type: "message", from: rest[0]?.id ?? old.id, message });
    expect(told.tip.height).to.equal(1);
    const { view: term } = old.core.snapshot();
    // Any other digest than the decided one will do.
    const prevDigest = proposal.header.commandsRoot;
    const append = {
      type: "append",
      epoch: 0,
      term: Math.min(term, certificate.view - 1),
      prevHeight: 1,
      prevDigest,
      commit: 0,
      round: 0,
    } as const;
    cluster.feed(told.id, { type: "message", from: old.id, message: append });
    expect(told.core.snapshot().view).to.equal(certificate.view);
    expectAgreement(cluster);
  });
});

describe("a decided block of an earlier term", () => {
  it("is contradicted by the leader of a later one that never held it, and the node that was told of it goes on", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1, 1, 1] });
    const first = cluster.elect();
    cluster.run(300);
    const [holder, ...rest] = othersOf(cluster, first.id);
    if (holder === undefined) throw new Error("five nodes");
    // The first leader's block is held by two, and the three others follow a second leader, which has another block there.
    cluster.cut([first.id, holder.id]);
    cluster.order(1);
    cluster.run(3_000, () => rest.some(({ core, id }) => core.snapshot().leader === id));
    const second = rest.find(({ core, id }) => core.snapshot().leader === id);
    const [told, voter] = rest.filter(({ id }) => id !== second?.id);
    if (second === undefined || told === undefined || voter === undefined) throw new Error("three elect a leader");
    cluster.run(100, () => told.core.snapshot().leader === second.id);
    cluster.cut([second.id, told.id]);
    cluster.order(1);
    // A third leader decides the first one's block under its own.
    cluster.run(4_000, () => voter.tip.height > 0);
    const decided = voter.blocks.get(1);
    if (decided === undefined) throw new Error("three nodes decide");
    const { proposal, certificate } = decided;
    const { view } = told.core.snapshot();
    expect(certificate.view, "the block shows nothing of the term that decided it").to.be.below(view);
    const message = { type: "block", headerBytes: proposal.headerBytes, batch: proposal.batch, certificate } as const;
    cluster.feed(told.id, { type: "message", from: voter.id, message });
    expect(told.tip.height).to.equal(1);
    const heartbeat = cluster.sent.findLast(
      ({ from, to, message: { type } }) => from === second.id && to === told.id && type === "append",
    )?.message;
    if (heartbeat?.type !== "append" || heartbeat.prevHeight !== 1) throw new Error("the second leader's block is held by two");
    cluster.feed(told.id, { type: "message", from: second.id, message: heartbeat });
    // A node that starts again knows no better how it came to its tip.
    cluster.crash(told.id);
    cluster.restart(told.id);
    cluster.feed(told.id, { type: "message", from: second.id, message: heartbeat });
    cluster.cut();
    cluster.order(3);
    cluster.run(5_000);
    expect(told.tip.height).to.equal(voter.tip.height).and.to.be.above(3);
    expectAgreement(cluster);
  });
});

describe("the name of a raft node's memory", () => {
  it("is asked under before the floor is known: whoever answered may fail afterwards", () => {
    const { cluster, lost, other } = withLostDisk({ waitsForFloor: true });
    expect(lost.core.snapshot().participates).to.equal(false);
    cluster.crash(other.id);
    cluster.participate(lost.id);
    expect(lost.core.snapshot().participates).to.equal(true);
    const { height } = lost.tip;
    cluster.order(1);
    cluster.run(4_000);
    expect(lost.tip.height).to.be.greaterThan(height);
    expectAgreement(cluster);
  });

  it("stays over restarts that forget nothing: the leader goes on counting the node", () => {
    const { cluster, leader, lost, other } = withLostDisk({ waitsForFloor: false });
    const { view } = leader.core.snapshot();
    cluster.crash(lost.id);
    cluster.restart(lost.id);
    cluster.run(300);
    cluster.crash(other.id);
    const { height } = leader.tip;
    cluster.order(1);
    cluster.run(2_000);
    expect(leader.tip.height).to.equal(height + 1);
    expect(leader.core.snapshot()).to.include({ view, leader: leader.id });
    expectAgreement(cluster);
  });

  it("is void once the node asked under another one: late copies of what was said under it count for nothing", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [lost] = othersOf(cluster, leader.id);
    if (lost === undefined) throw new Error("three nodes");
    cluster.run(300);
    cluster.cut([leader.id]);
    cluster.order(1);
    const { view: term, height } = leader.core.snapshot();
    const say = (message: ConsensusMessage): void => cluster.feed(leader.id, { type: "message", from: lost.id, message });
    for (const incarnation of [101, 102, 101]) say({ type: "recall-request", epoch: 0, term, incarnation });
    const reply = { type: "append-reply", epoch: 0, term, accepted: true, height, heightTerm: term, round: 0, counts: true } as const;
    say({ ...reply, incarnation: 101 });
    expect(leader.tip.height).to.equal(height - 1);
    say({ ...reply, incarnation: 102 });
    expect(leader.tip.height).to.equal(height);
  });

  it("is written again with all that the core holds when the floor was taken on: an old copy's records are deleted then", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [lost] = othersOf(cluster, leader.id);
    if (lost === undefined) throw new Error("three nodes");
    cluster.crash(lost.id);
    cluster.restart(lost.id, { forgetsAll: true, waitsForFloor: true });
    cluster.passes = (_from, _to, message) => message.type !== "append-reply" || message.height === 0;
    cluster.order(1);
    cluster.run(200);
    const before = [...lost.disk.keys()].sort();
    expect(before).to.include("entry/1");
    lost.disk.clear();
    cluster.participate(lost.id);
    expect([...lost.disk.keys()].sort()).to.deep.equal(["entry/1", "hard-state", "memory"]);
  });
});
