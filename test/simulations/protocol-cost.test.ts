import { expect } from "chai";
import { nodeHasher } from "#crypto";
import { type RunResult, runSchedule, standInKeys } from "#simulations";

/** A schedule without faults, of members that weigh the same and one height in flight: what the protocol itself costs. */
function calm(nodes: number): RunResult {
  const weights = Array.from({ length: nodes }, () => 1);
  return runSchedule({ seed: 3, nodes, weights, window: 1, faults: [], hasher: nodeHasher, keys: standInKeys(nodeHasher) });
}

describe("what a decision of PBFT costs without faults", function () {
  this.timeout(60_000);

  for (const nodes of [4, 7, 16, 31]) {
    it(`is 2n(n − 1) messages and 2n signatures with ${nodes} nodes`, () => {
      const { violations, commits, messages, signatures } = calm(nodes);
      expect(violations).to.deep.equal([]);
      expect(commits).to.be.at.least(10);
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
