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
