import { expect } from "chai";
import { nodeHasher } from "#crypto";
import { runSchedule, SIMULATED_ENGINES, standInKeys } from "#simulations";

/** Members of unequal weight, none of them a third of all, in clusters that are not of 3f + 1. */
const CLUSTERS = [
  [3, 2, 2, 1, 2],
  [2, 2, 1, 2, 1, 1],
  [3, 1, 2, 2, 1, 1, 2, 1],
];
const SEEDS = [11, 12, 13];

describe("clusters of five, six and eight members of unequal weight", function () {
  this.timeout(60_000);

  for (const engine of SIMULATED_ENGINES) {
    for (const weights of CLUSTERS) {
      it(`tolerate drawn faults: ${engine}, ${weights.join(" + ")}`, () => {
        for (const seed of SEEDS) {
          const keys = standInKeys(nodeHasher);
          const { violations, commits } = runSchedule({ seed, engine, nodes: weights.length, weights, hasher: nodeHasher, keys });
          expect(violations, `seed ${seed}`).to.deep.equal([]);
          expect(commits, `seed ${seed}`).to.be.at.least(8);
        }
      });
    }
  }
});
