import { expect } from "chai";
import { describe, it } from "mocha";
import { LIMITS, parseHeader } from "#base";
import { RaftCluster } from "./raft-kit.ts";

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

describe("terms of raft in a row that each leave an entry undecided", function () {
  this.timeout(20_000);

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
    cluster.run(12_000);
    expect(cluster.leaders.size).to.be.greaterThan(3);
    const kept = cluster.nodes.map(({ disk }) => [...disk.keys()].filter((key) => key.startsWith("entry/")).length);
    expect(Math.max(...kept)).to.be.at.most(3);
    cluster.passes = () => true;
    cluster.run(5_000);
    expect(Math.min(...cluster.nodes.map(({ tip }) => tip.height))).to.be.greaterThan(3);
    expectAgreement(cluster);
  });
});

describe("a node of raft that slept through more terms than a message may be ahead", function () {
  this.timeout(20_000);

  it("decides with a node that went through them, though nothing was decided in them that could tell it", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const [one, other, sleeper] = cluster.nodes;
    if (one === undefined || other === undefined || sleeper === undefined) throw new Error("three nodes");
    cluster.crash(sleeper.id);
    // Each elects the other, and takes nothing of it: as where their clocks differ, and each refuses what the other proposes.
    cluster.passes = (_from, _to, message) => message.type === "vote-request" || message.type === "vote-reply";
    cluster.run(20_000_000, () => one.core.snapshot().view > 2 * LIMITS.viewAheadMax);
    expect(one.core.snapshot().view).to.be.above(2 * LIMITS.viewAheadMax);
    cluster.crash(other.id);
    cluster.restart(sleeper.id);
    cluster.passes = () => true;
    cluster.run(30_000);
    cluster.order(1);
    cluster.run(1_000);
    expect([one, sleeper].map(({ tip }) => tip.height)).to.deep.equal([1, 1]);
    expectAgreement(cluster);
  });

  it("takes on no more terms from one message than that", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const { id: to, core } = cluster.elect();
    const { view } = core.snapshot();
    const from = cluster.nodes.find(({ id }) => id !== to)?.id ?? to;
    cluster.feed(to, { type: "message", from, message: { type: "vote-reply", pre: false, granted: false, epoch: 0, term: 2 ** 52 } });
    expect(core.snapshot().view).to.equal(view + LIMITS.viewAheadMax);
  });
});

describe("the end of an epoch under entries of many terms", function () {
  this.timeout(20_000);

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
