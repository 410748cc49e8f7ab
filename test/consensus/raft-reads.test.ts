import { expect } from "chai";
import { describe, it } from "mocha";
import { RaftCluster } from "./raft-kit.ts";

describe("a read of raft over a restart of the node that asks", () => {
  it("is not answered by what the leader owed the earlier life: that may be older than what was decided since", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const leader = cluster.elect();
    const [asking, other] = cluster.nodes.filter(({ id }) => id !== leader.id);
    if (asking === undefined || other === undefined) throw new Error("three nodes");
    cluster.order(1);
    cluster.run(300);
    const answered = cluster.sent.findLast(({ from, message }) => from === other.id && message.type === "append-reply")?.message;
    if (answered?.type !== "append-reply") throw new Error("a follower answers");
    // No answer to the round of the first read comes back, and one that left before it began decides the second height.
    cluster.passes = (_from, to, message) => to !== leader.id || message.type !== "append-reply";
    cluster.feed(asking.id, { type: "read", id: 1 });
    cluster.run(10);
    cluster.order(1);
    cluster.feed(leader.id, { type: "message", from: other.id, message: { ...answered, height: 2 } });
    expect(leader.tip.height).to.equal(2);
    cluster.crash(asking.id);
    cluster.restart(asking.id);
    cluster.run(100, () => asking.core.snapshot().leader === leader.id);
    cluster.feed(asking.id, { type: "read", id: 1 });
    cluster.passes = () => true;
    cluster.run(100);
    expect(asking.reads).to.deep.equal([{ id: 1, height: 2 }]);
  });
});

describe("a read of raft at a leader that does not know yet what is committed", () => {
  it("waits until it does: what an earlier leader decided and answered may stand undecided in its log", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const old = cluster.elect();
    // The others hold the entry, and hear from nobody that it is committed.
    cluster.passes = (_from, _to, message) => message.type !== "append" || message.entry !== undefined || message.commit === 0;
    cluster.order(1);
    cluster.run(50);
    expect(cluster.nodes.map(({ tip }) => tip.height).sort()).to.deep.equal([0, 0, 1]);
    cluster.crash(old.id);
    cluster.passes = (_from, _to, message) => message.type !== "append" || message.entry === undefined;
    const leader = cluster.elect();
    expect(leader.tip.height).to.equal(0);
    cluster.feed(leader.id, { type: "read", id: 1 });
    cluster.run(300);
    expect(leader.reads).to.deep.equal([]);
    cluster.passes = () => true;
    cluster.run(500);
    expect(leader.reads.map(({ height }) => height)).to.not.include.members([0, undefined]);
    expect(leader.reads.length).to.equal(1);
  });
});
