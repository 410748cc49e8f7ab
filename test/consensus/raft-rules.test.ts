import { expect } from "chai";
import { describe, it } from "mocha";
import { LIMITS, type NodeId, parseHeader } from "#base";
import { raftRules } from "#consensus";
import { membershipOf, nodeId } from "./core-kit.ts";
import { RaftCluster, type RaftNode } from "./raft-kit.ts";

function othersOf(cluster: RaftCluster, ...ids: readonly NodeId[]): RaftNode[] {
  return cluster.nodes.filter(({ id }) => !ids.includes(id));
}

function expectAgreement(cluster: RaftCluster): void {
  expect(cluster.violations.join("; ")).to.equal("");
  expect(cluster.halts.join("; ")).to.equal("");
}

/** Loses each answer to an entry of the leader's own term, and none to those below: nothing is decided, and every log grows term by term. */
function losesAnswersToOwnTerms(cluster: RaftCluster): ReadonlyMap<number, number> {
  const ownFrom = new Map<number, number>();
  cluster.passes = (_from, _to, message) => {
    if (message.type === "append" && message.entry !== undefined) {
      const { height, originView } = parseHeader(message.entry.headerBytes);
      if (originView === message.term && !ownFrom.has(message.term)) ownFrom.set(message.term, height);
    }
    return message.type !== "append-reply" || !message.accepted || message.height < (ownFrom.get(message.term) ?? Number.POSITIVE_INFINITY);
  };
  return ownFrom;
}

describe("raft replication", () => {
  it("answers a refusal that tells nothing new once between two heartbeats", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [behind] = othersOf(cluster, leader.id);
    if (behind === undefined) throw new Error("three nodes");
    cluster.cut([behind.id]);
    cluster.order(5);
    cluster.run(1_000);
    const before = cluster.sent.length;
    const { view: term } = leader.core.snapshot();
    const refusal = {
      type: "append-reply",
      epoch: 0,
      term,
      accepted: false,
      height: 0,
      heightTerm: 0,
      round: 0,
      counts: true,
      incarnation: 1,
    } as const;
    for (let copy = 0; copy < 20; copy++) cluster.feed(leader.id, { type: "message", from: behind.id, message: refusal });
    const answers = cluster.sent.slice(before).filter(({ to, message }) => to === behind.id && message.type === "append");
    expect(answers.length).to.be.within(1, 2);
    cluster.passes = () => true;
    cluster.run(5_000);
    expect(behind.tip.height).to.equal(leader.tip.height);
    expectAgreement(cluster);
  });
});

describe("raft elections", () => {
  it("keep their leader and their term when a node that was cut off comes back (pre-vote)", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const { view } = leader.core.snapshot();
    const [lonely] = othersOf(cluster, leader.id);
    cluster.cut([lonely?.id ?? leader.id]);
    cluster.run(10_000);
    cluster.passes = () => true;
    cluster.run(3_000);
    expect(cluster.leader()?.id).to.equal(leader.id);
    expect(cluster.nodes.map(({ core }) => core.snapshot().view)).to.deep.equal([view, view, view]);
  });

  it("end the time of a leader that no quorum answers", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1, 1, 1] });
    const old = cluster.elect();
    cluster.cut([old.id]);
    cluster.run(4_000);
    expect(old.core.snapshot().leader).to.equal(undefined);
    expect(cluster.leader()?.id).to.not.equal(old.id);
    expectAgreement(cluster);
  });

  it("take a node of a higher term back in: pre-vote and quorum check do not lock each other out", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1], rules: { ...raftRules, asksBeforeCampaign: false } });
    const leader = cluster.elect();
    const [lonely] = othersOf(cluster, leader.id);
    if (lonely === undefined) throw new Error("three nodes");
    cluster.cut([lonely.id]);
    cluster.run(6_000);
    cluster.passes = () => true;
    expect(lonely.core.snapshot().view).to.be.greaterThan(leader.core.snapshot().view);
    cluster.order(3);
    cluster.run(5_000);
    expect(lonely.tip.height).to.be.greaterThan(0);
    expect(new Set(cluster.nodes.map(({ core }) => core.snapshot().view)).size).to.equal(1);
    expectAgreement(cluster);
  });

  it("never give two votes in a term, also over a restart", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const [voter] = cluster.nodes;
    if (voter === undefined) throw new Error("three nodes");
    cluster.cut([voter.id]);
    const ask = (from: NodeId): void => {
      const request = { type: "vote-request", epoch: 0, term: 7, pre: false, transfer: false, lastHeight: 0, lastTerm: 0 } as const;
      cluster.feed(voter.id, { type: "message", from, message: request });
    };
    const granted = (): NodeId[] =>
      cluster.sent.flatMap(({ to, message }) => (message.type === "vote-reply" && message.granted && !message.pre ? to : []));
    ask(nodeId(2));
    cluster.crash(voter.id);
    cluster.restart(voter.id);
    ask(nodeId(3));
    ask(nodeId(2));
    expect(granted()).to.deep.equal([nodeId(2), nodeId(2)]);
  });

  it("compare last terms first, and lengths only where terms are equal", () => {
    const long = { lastTerm: 2, lastHeight: 9 };
    expect(raftRules.isUpToDate({ lastTerm: 3, lastHeight: 1 }, long)).to.equal(true);
    expect(raftRules.isUpToDate({ lastTerm: 1, lastHeight: 99 }, long)).to.equal(false);
    expect(raftRules.isUpToDate({ lastTerm: 2, lastHeight: 8 }, long)).to.equal(false);
    expect(raftRules.isUpToDate(long, long)).to.equal(true);
  });

  it("hand over to the member that is asked to lead", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [next] = othersOf(cluster, leader.id);
    if (next === undefined) throw new Error("three nodes");
    cluster.order(2);
    cluster.feed(leader.id, { type: "transfer", to: next.id });
    cluster.run(100);
    expect(cluster.leader()?.id).to.equal(next.id);
    cluster.order(2);
    cluster.run(1_000);
    expectAgreement(cluster);
  });

  it("elect by weight, whatever the number of members", () => {
    const cluster = new RaftCluster({ weights: [5, 2, 2, 2] });
    const heavy = nodeId(1);
    cluster.cut([heavy]);
    cluster.run(5_000);
    expect(cluster.leader()?.id).to.be.oneOf([nodeId(2), nodeId(3), nodeId(4)]);
    expectAgreement(cluster);
  });
});

describe("the log of raft", () => {
  it("replaces entries that contradict the leader's, and only those", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1], window: 4 });
    const old = cluster.elect();
    cluster.order(1);
    cluster.run(500);
    cluster.cut([old.id]);
    cluster.order(3);
    cluster.run(100);
    expect(old.core.snapshot().phase).to.equal("proposed");
    cluster.run(3_000);
    cluster.order(5);
    cluster.run(2_000);
    cluster.passes = () => true;
    cluster.order(1);
    cluster.run(3_000);
    expect(new Set(cluster.nodes.map(({ tip }) => `${tip.height}/${tip.digest}`)).size).to.equal(1);
    expectAgreement(cluster);
  });

  it("commits an older term's entry only under one of the leader's own (figure 8)", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const old = cluster.elect();
    const [first, second] = othersOf(cluster, old.id);
    if (first === undefined || second === undefined) throw new Error("three nodes");
    cluster.run(200);
    // The entry reaches one follower, whose answer is lost with the leader.
    cluster.passes = (from, to) => from === old.id && to === first.id;
    cluster.order(1);
    cluster.run(20);
    cluster.crash(old.id);
    cluster.passes = () => true;
    cluster.run(4_000);
    expect(cluster.leader()?.id).to.equal(first.id);
    const [older, own] = [1, 2].map((height) => first.blocks.get(height)?.proposal.header.originView ?? 0);
    expect(own).to.be.greaterThan(older ?? 0);
    expect(first.tip.height).to.equal(2);
    expectAgreement(cluster);
  });

  for (const window of [1, 8]) {
    it(`decides after ever so many terms that each left an entry undecided (window ${window})`, () => {
      const cluster = new RaftCluster({ weights: [1, 1, 1], window });
      cluster.order(1);
      const ownFrom = losesAnswersToOwnTerms(cluster);
      cluster.run(120_000, () => ownFrom.size > 2 * LIMITS.uncertifiedHeightsMax);
      expect(cluster.decided.size).to.equal(0);
      cluster.passes = () => true;
      cluster.run(10_000);
      const heights = cluster.nodes.map(({ tip }) => tip.height);
      expect(Math.min(...heights)).to.be.greaterThan(2 * LIMITS.uncertifiedHeightsMax);
      // What lies further up than the end of an epoch could is empty: a change in the first height would end it with that many.
      const full = [...(cluster.nodes[0]?.blocks.values() ?? [])].filter(({ proposal }) => proposal.batch.length > 0);
      expect(Math.max(...full.map(({ proposal }) => proposal.header.height))).to.be.at.most(window + 1);
      expectAgreement(cluster);
    });
  }

  it("grows by no entry beyond the window that stands on what no quorum holds", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1], window: 2, busy: true });
    cluster.passes = (_from, _to, message) => message.type !== "append-reply" || !message.accepted || message.height === 0;
    cluster.run(60_000);
    expect(cluster.leaders.size).to.be.greaterThan(9);
    const kept = cluster.nodes.map(({ disk }) => [...disk.keys()].filter((key) => key.startsWith("entry/")).length);
    expect(Math.max(...kept)).to.be.at.most(3);
    cluster.passes = () => true;
    cluster.run(5_000);
    expect(Math.min(...cluster.nodes.map(({ tip }) => tip.height))).to.be.greaterThan(3);
    expectAgreement(cluster);
  });

  it("acknowledges nothing that a crash could still take back", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const followers = othersOf(cluster, leader.id);
    for (const follower of followers) follower.slowDisk = true;
    cluster.order(1);
    cluster.run(300);
    expect(leader.tip.height).to.equal(0);
    for (const { id } of followers) {
      cluster.crash(id);
      cluster.restart(id);
    }
    cluster.order(1);
    cluster.run(4_000);
    expect(leader.tip.height).to.be.greaterThan(0);
    expectAgreement(cluster);
  });

  it("stands after all nodes restarted at once", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1], window: 3 });
    cluster.elect();
    cluster.order(7);
    cluster.run(1_000);
    const height = Math.max(...cluster.nodes.map(({ tip }) => tip.height));
    for (const { id } of cluster.nodes) cluster.crash(id);
    for (const { id } of cluster.nodes) cluster.restart(id);
    cluster.order(2);
    cluster.run(4_000);
    expect(Math.min(...cluster.nodes.map(({ tip }) => tip.height))).to.be.greaterThan(height);
    expectAgreement(cluster);
  });

  it("lets a follower that was away catch up by decided blocks", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [away] = othersOf(cluster, leader.id);
    if (away === undefined) throw new Error("three nodes");
    cluster.crash(away.id);
    cluster.order(12);
    cluster.run(3_000);
    cluster.restart(away.id);
    cluster.run(2_000);
    expect(away.tip.height).to.equal(12);
  });

  it("does not acknowledge a block that the node refuses", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    cluster.isValid = (node) => node === leader.id;
    cluster.order(1);
    cluster.run(1_000);
    expect(leader.tip.height).to.equal(0);
    cluster.isValid = () => true;
    cluster.run(1_000);
    expect(leader.tip.height).to.equal(1);
  });
});

describe("reads of raft", () => {
  it("are answered by the leader after a quorum confirmed it, and by followers through it", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    cluster.order(2);
    cluster.run(500);
    const [follower] = othersOf(cluster, leader.id);
    cluster.feed(leader.id, { type: "read", id: 1 });
    cluster.feed(follower?.id ?? leader.id, { type: "read", id: 2 });
    expect(leader.reads).to.deep.equal([]);
    cluster.run(100);
    expect(leader.reads).to.deep.equal([{ id: 1, height: 2 }]);
    expect(follower?.reads).to.deep.equal([{ id: 2, height: 2 }]);
  });

  it("are never stale: a leader that was replaced meanwhile confirms none", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const old = cluster.elect();
    cluster.cut([old.id]);
    cluster.run(350);
    cluster.feed(old.id, { type: "read", id: 1 });
    cluster.order(3);
    cluster.run(5_000);
    expect(old.reads).to.deep.equal([{ id: 1, height: undefined }]);
  });

  it("go unanswered no longer than the bound where the leader does not answer", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [follower] = othersOf(cluster, leader.id);
    cluster.passes = (_from, _to, message) => message.type !== "read-request";
    cluster.feed(follower?.id ?? leader.id, { type: "read", id: 5 });
    cluster.run(1_000);
    expect(follower?.reads).to.deep.equal([{ id: 5, height: undefined }]);
  });
});

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

describe("the end of an epoch in raft", () => {
  it("needs a majority of both memberships, and decides nothing above the last height", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1], window: 2 });
    const leader = cluster.elect();
    const followers = othersOf(cluster, leader.id);
    const [first, second] = followers;
    if (first === undefined || second === undefined) throw new Error("three nodes");
    const members = membershipOf([1, 1, 1]).members.filter(({ id }) => id === first.id);
    for (const { id } of cluster.nodes) cluster.feed(id, { type: "last-height", height: 3, next: { epoch: 1, members } });
    cluster.cut([first.id]);
    cluster.order(1);
    cluster.run(300);
    expect(leader.tip.height).to.equal(0);
    cluster.passes = () => true;
    cluster.order(9);
    cluster.run(6_000);
    expect(cluster.nodes.map(({ tip }) => tip.height)).to.deep.equal([3, 3, 3]);
    expectAgreement(cluster);
  });

  it("is reached also by a leader that took over at the last height", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1], window: 1 });
    const old = cluster.elect();
    for (const { id } of cluster.nodes)
      cluster.feed(id, { type: "last-height", height: 1, next: { ...membershipOf([1, 1, 1]), epoch: 1 } });
    cluster.run(200);
    cluster.passes = (from) => from === old.id;
    cluster.order(1);
    cluster.run(20);
    cluster.crash(old.id);
    cluster.passes = () => true;
    cluster.run(4_000);
    expect(othersOf(cluster, old.id).map(({ tip }) => tip.height)).to.deep.equal([1, 1]);
    expectAgreement(cluster);
  });

  for (const window of [1, 3]) {
    it(`is reached by leaders that do not know of it, though entries of many terms lie above it (window ${window})`, () => {
      const cluster = new RaftCluster({ weights: [1, 1, 1, 1, 1], window, changeAt: 1 });
      cluster.order(1);
      const ownFrom = losesAnswersToOwnTerms(cluster);
      cluster.run(60_000, () => ownFrom.size > window + 6);
      cluster.passes = () => true;
      // Two nodes know that height 1 is decided, and with it where the epoch ends; the third of their quorum does not, and may lead.
      cluster.run(10_000, () => cluster.nodes.filter(({ tip }) => tip.height > 0).length > 1);
      const ignorant = cluster.nodes.find(({ tip }) => tip.height === 0);
      for (const { id, tip } of cluster.nodes) if (tip.height === 0 && id !== ignorant?.id) cluster.crash(id);
      cluster.run(20_000);
      for (const { id, up } of cluster.nodes) if (!up) cluster.restart(id);
      cluster.run(20_000);
      expect(cluster.nodes.map(({ tip }) => tip.height)).to.deep.equal([1, 1, 1, 1, 1].map((height) => height + window));
      expectAgreement(cluster);
    });
  }
});
