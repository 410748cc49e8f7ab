import { expect } from "chai";
import { type Genesis, type Member, type NodeId, parseHash, parseNodeId } from "#base";
import { describeStatus } from "#gateway";
import type { ReplicaStatus } from "#replica";
import { FOUR } from "../audit/log-kit.ts";

const ZEROS = parseHash("00".repeat(32));
const nodeOf = (id: string): Member => ({ ...(FOUR.members[0] as Member), id: parseNodeId(id) });

/** A node as its replica sees it, with a learner and a change that waits. */
const STATUS: ReplicaStatus = {
  node: parseNodeId("node-1"),
  cluster: ZEROS,
  mode: "participating",
  consensus: { engine: "pbft", epoch: 0, view: 0, height: 41, phase: "idle", waitingFor: [] } as never,
  membership: FOUR,
  epochFirstHeight: 1,
  learners: [nodeOf("node-5")],
  pending: { lastHeight: 42, next: { epoch: 1, members: [...FOUR.members, { ...nodeOf("node-5"), weight: 2 }] } },
  tip: { height: 41, timeUs: 0, digest: ZEROS, stateHash: ZEROS },
  certified: { height: 41, size: 50, root: ZEROS },
  mempool: 0,
  blocksFrom: 1,
  connected: FOUR.members.slice(1).map(({ id }) => id),
  voting: FOUR.members.slice(1).map(({ id }) => id),
  evidence: [],
  evidenceHeld: 0,
  proposedRemovals: [],
};

describe("a node's status", () => {
  const genesis = { environment: "development", engine: "pbft" } as Genesis;

  it("names members with their weights, learners, and the change that waits with the height from which it holds", () => {
    const { epoch, epochFirstHeight, members, learners, pending } = describeStatus(genesis, STATUS, () => undefined);
    expect([epoch, epochFirstHeight]).to.deep.equal([0, 1]);
    expect(members.map(({ id, weight, connected }) => [id, weight, connected])).to.deep.equal(
      [1, 2, 3, 4].map((node) => [`node-${node}`, 1, true]),
    );
    expect(learners.map(({ id, connected }) => [id, connected])).to.deep.equal([["node-5", false]]);
    expect(pending).to.include({ epoch: 1, activeFrom: 43 });
    expect(pending?.members.at(-1)).to.deep.equal({ id: "node-5", weight: 2 });
  });

  it("counts a node that is linked and does not vote among the missing", () => {
    const [, second, third, fourth] = FOUR.members.map(({ id }) => id) as [NodeId, NodeId, NodeId, NodeId];
    const waiting = { ...STATUS, consensus: { ...STATUS.consensus, waitingFor: [third, fourth] } };
    const one = describeStatus(genesis, { ...waiting, voting: [second, third] }, () => undefined);
    expect(one.members.map(({ connected, voting }) => [connected, voting])).to.deep.equal([
      [true, true],
      [true, true],
      [true, true],
      [true, false],
    ]);
    expect(one.health).to.deep.equal({
      canDecide: true,
      tolerates: 0,
      summary: "decides, but survives no further faulty node; waiting for node-4 (does not vote)",
    });
    const two = describeStatus(genesis, { ...waiting, voting: [second] }, () => undefined);
    expect(two.health).to.deep.equal({
      canDecide: false,
      tolerates: 0,
      summary: "cannot decide: 2 of 3 needed votes; waiting for node-3 (does not vote), node-4 (does not vote)",
    });
  });

  it("does not count itself while it recovers, and says from when on it votes where it waits for a height", () => {
    const recovering = { ...STATUS, mode: "recovering" as const };
    const summaryOf = (status: ReplicaStatus): string => describeStatus(genesis, status, () => undefined).health.summary;
    expect(summaryOf(recovering)).to.equal("catching up, does not vote yet; decides, but survives no further faulty node");
    expect(summaryOf({ ...recovering, participatesAbove: 41 })).to.equal(summaryOf(recovering));
    expect(summaryOf({ ...recovering, participatesAbove: 44 })).to.equal(
      "catching up, votes again above height 44 once that is certified; decides, but survives no further faulty node",
    );
    expect(describeStatus(genesis, { ...recovering, voting: STATUS.voting.slice(1) }, () => undefined).health.canDecide).to.equal(false);
  });

  it("names no change where none waits", () => {
    expect(describeStatus(genesis, { ...STATUS, pending: undefined }, () => undefined)).not.to.have.property("pending");
  });

  it("says how many nodes may fail, whichever they are, and not how much weight", () => {
    const heavy = (weights: readonly number[], away: readonly number[] = []): string => {
      const members = weights.map((weight, index) => ({ ...nodeOf(`node-${index + 1}`), weight }));
      const connected = members.slice(1).flatMap(({ id }, index) => (away.includes(index + 2) ? [] : [id]));
      return describeStatus(genesis, { ...STATUS, membership: { ...FOUR, members }, connected, voting: connected }, () => undefined).health
        .summary;
    };
    expect(heavy([1, 1, 1, 1])).to.equal("survives 1 faulty node");
    expect(heavy([5, 5, 5, 4])).to.equal("survives 1 faulty node");
    expect(heavy([3, 2, 2, 1, 2, 2, 2])).to.equal("survives 1 faulty node");
    expect(heavy([1, 1, 1, 1, 1, 1, 1])).to.equal("survives 2 faulty nodes");
    expect(heavy([3, 3, 3, 1, 1], [5])).to.equal("decides, and survives faulty nodes of weight 2 at most");
    expect(heavy([1, 1, 1, 1], [4])).to.match(/^decides, but survives no further faulty node/);
  });

  it("promises nothing of liars where the engine tolerates crashes only", () => {
    const { health } = describeStatus({ ...genesis, engine: "raft" }, STATUS, () => undefined);
    expect(health.summary).to.equal("survives 1 crashed node, none that lies");
  });
});
