import { expect } from "chai";
import type { EngineName } from "#base";
import { nodeHasher } from "#crypto";
import { type RunEvent, type RunResult, runSchedule, standInKeys } from "#simulations";

/** A schedule without faults, of members that weigh the same and one height in flight: what the protocol itself costs. */
function calm(engine: EngineName, nodes: number, record?: (event: RunEvent) => void): RunResult {
  const weights = Array.from({ length: nodes }, () => 1);
  const keys = standInKeys(nodeHasher);
  const result = runSchedule({
    seed: 3,
    engine,
    nodes,
    weights,
    window: 1,
    faults: [],
    hasher: nodeHasher,
    keys,
    ...(record && { record }),
  });
  expect(result.violations).to.deep.equal([]);
  expect(result.commits).to.be.at.least(10);
  return result;
}

describe("what a decision of PBFT costs without faults", function () {
  this.timeout(60_000);

  for (const nodes of [4, 5, 6, 7, 8, 16, 31]) {
    it(`is 2n(n − 1) messages and 2n signatures with ${nodes} nodes`, () => {
      const { commits, messages, signatures } = calm("pbft", nodes);
      expect(messages["propose"]).to.equal(commits * (nodes - 1));
      expect(messages["prepare"]).to.equal(commits * (nodes - 1) ** 2);
      expect(messages["commit"]).to.equal(commits * nodes * (nodes - 1));
      const { propose = 0, prepare = 0, commit = 0 } = messages;
      expect(propose + prepare + commit).to.equal(commits * 2 * nodes * (nodes - 1));
      expect(signatures).to.equal(commits * 2 * nodes);
      expect(messages).not.to.have.any.keys("view-change", "new-view");
    });
  }
});

describe("what a decision of Tendermint costs without faults", function () {
  this.timeout(60_000);

  for (const nodes of [4, 5, 6, 7, 8, 16, 31]) {
    it(`is (2n + 1)(n − 1) messages and 2n + 1 signatures with ${nodes} nodes`, () => {
      const { commits, messages, signatures } = calm("tendermint", nodes);
      expect(messages["round-proposal"]).to.equal(commits * (nodes - 1));
      expect(messages["prevote"]).to.equal(commits * nodes * (nodes - 1));
      expect(messages["precommit"]).to.equal(commits * nodes * (nodes - 1));
      expect(signatures).to.equal(commits * (2 * nodes + 1));
      expect(messages).not.to.have.any.keys("polka", "round-certificate", "passed-proposal");
    });
  }
});

describe("what a decision of Raft costs without faults", function () {
  this.timeout(60_000);

  for (const nodes of [3, 4, 5, 6, 7, 8, 16, 31]) {
    it(`is an entry and a notice to each follower, each answered once, and no signature with ${nodes} nodes`, () => {
      const rounds = new Map<string, number>();
      const { commits, messages, signatures } = calm("raft", nodes, (event) => {
        if (event.type !== "sent" || event.name !== "append") return;
        const round = `${event.from} ${event.atMs}`;
        rounds.set(round, (rounds.get(round) ?? 0) + 1);
      });
      const { append = 0, "append-reply": replies = 0 } = messages;
      // The rest are heartbeats: rounds of one to each follower. One that overtakes an entry is refused, and the entry sent again.
      const again = [...rounds.values()].reduce((sum, sent) => sum + (sent % (nodes - 1)), 0);
      expect(again, "one heartbeat in the whole run").to.be.below(nodes - 1);
      expect(append - again).to.be.at.least(commits * 2 * (nodes - 1));
      expect(append - replies).to.be.within(0, nodes - 1);
      expect(signatures).to.equal(0);
      expect(messages).not.to.have.any.keys("prepare", "commit", "prevote", "precommit");
    });
  }
});
