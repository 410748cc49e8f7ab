import { expect } from "chai";
import { nodeHasher } from "#crypto";
import { type Fault, type RunResult, runSchedule, SIMULATED_ENGINES, standInKeys } from "#simulations";

const keys = standInKeys(nodeHasher);
/** Blocks go at once, and the state is stable at every second height. */
const EARLY = { checkpointInterval: 2, blocksKept: 0 };

type Engine = (typeof SIMULATED_ENGINES)[number];

function run(engine: Engine, seed: number, faults: readonly Fault[]): RunResult {
  return runSchedule({ engine, seed, nodes: 4, weights: [1, 1, 1, 1], window: 1, retention: EARLY, faults, hasher: nodeHasher, keys });
}

function installed(results: readonly RunResult[]): number {
  return results.reduce((sum, { marks }) => sum + (marks["state-installed"] ?? 0), 0);
}

describe("a node that needs blocks which all others have pruned", function () {
  this.timeout(120_000);

  for (const engine of SIMULATED_ENGINES) {
    it(`takes over their state in ${engine}, and takes part again: after its disk is lost, a long absence, and in the midst of changes of members`, () => {
      const lost = [1, 2, 3].map((seed) => run(engine, seed, [{ kind: "lost-disk", atMs: 5_000, node: 1, downMs: 400 }]));
      const away = [4, 5].map((seed) => run(engine, seed, [{ kind: "crash", atMs: 1_500, node: 2, downMs: 4_500 }]));
      const changes = [6, 7].map((seed) =>
        run(engine, seed, [
          { kind: "reweight", atMs: 1_000, node: 1, count: 2 },
          { kind: "crash", atMs: 700, node: 3, downMs: 5_500 },
        ]),
      );
      for (const results of [lost, away, changes]) {
        expect(results.flatMap(({ violations }) => violations)).to.deep.equal([]);
        expect(installed(results)).to.be.greaterThan(0);
      }
    });
  }

  it("goes on under losses, copies and crashes in the midst of the transfer", () => {
    const results = [11, 12, 13, 14, 15, 16].map((seed) =>
      run("pbft", seed, [
        { kind: "lost-disk", atMs: 4_000, node: 1, downMs: 300 },
        { kind: "loss", atMs: 3_900, chance: 0.25, forMs: 3_000 },
        { kind: "duplication", atMs: 3_900, chance: 0.3, forMs: 3_000 },
        { kind: "crash-loop", atMs: 4_305, node: 1, periodMs: 7, count: 6 },
      ]),
    );
    expect(results.flatMap(({ violations }) => violations)).to.deep.equal([]);
    expect(installed(results)).to.be.greaterThan(0);
  });

  it("believes nothing of one that lies about its state", () => {
    const results = [21, 22, 23, 24, 25, 26].map((seed) =>
      run("pbft", seed, [
        { kind: "lie-state", node: 0 },
        { kind: "lost-disk", atMs: 5_000, node: 1, downMs: 300 },
      ]),
    );
    expect(results.flatMap(({ violations }) => violations)).to.deep.equal([]);
    expect(installed(results)).to.be.greaterThan(0);
    expect(results.some(({ hits }) => (hits["lie-state"] ?? 0) > 0)).to.equal(true);
  });
});
