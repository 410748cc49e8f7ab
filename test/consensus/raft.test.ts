import { expect } from "chai";
import { describe, it } from "mocha";
import { RaftCluster } from "./raft-kit.ts";

describe("raft", () => {
  it("elects one leader and decides blocks in a chain on every node", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    cluster.elect();
    cluster.order(5);
    cluster.run(2_000);
    expect(cluster.nodes.map(({ tip }) => tip.height)).to.deep.equal([5, 5, 5]);
    expect(new Set(cluster.nodes.map(({ tip }) => tip.digest)).size).to.equal(1);
    expect(cluster.violations).to.deep.equal([]);
  });

  it("decides alone where one node is the cluster", () => {
    const cluster = new RaftCluster({ weights: [1] });
    cluster.order(3);
    cluster.run(100);
    expect(cluster.nodes[0]?.tip.height).to.equal(3);
  });
});

describe("what a decision of raft costs", () => {
  for (const n of [3, 4, 7, 16, 31]) {
    it(`is 2(n − 1) messages for the entry and its answers, and as many for the notice, with ${n} nodes`, () => {
      const cluster = new RaftCluster({ weights: Array.from({ length: n }, () => 1) });
      const leader = cluster.elect();
      cluster.run(500);
      const before = cluster.sent.length;
      const { height } = leader.tip;
      cluster.order(1);
      cluster.run(1_000, () => cluster.nodes.every(({ tip }) => tip.height > height));
      const sent = cluster.sent.slice(before);
      const appends = sent.filter(({ message }) => message.type === "append");
      const entries = appends.filter(({ message }) => message.type === "append" && message.entry !== undefined);
      const notices = appends.filter(({ message }) => message.type === "append" && message.entry === undefined && message.commit > height);
      const answers = sent.filter(({ message }) => message.type === "append-reply" && message.height > height);
      expect(entries.length, "entries").to.equal(n - 1);
      expect(notices.length, "notices").to.equal(n - 1);
      // Answers to the notice are still under way when the last node has applied the block.
      expect(answers.length, "answers").to.be.within(n - 1, 2 * (n - 1));
      expect(new Set(answers.slice(0, n - 1).map(({ to }) => to))).to.deep.equal(new Set([leader.id]));
    });
  }
});
