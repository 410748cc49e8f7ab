import { expect } from "chai";
import { LIMITS } from "#base";
import { nodeHasher } from "#crypto";
import { FAULT_CATALOGUE, type RunResult, runSchedule, standInKeys } from "#simulations";

const BYZANTINE = FAULT_CATALOGUE.filter(({ group }) => group === "byzantine");
const keys = standInKeys(nodeHasher);

/** Four nodes of equal weight, of which the first, which leads, does what the kind says from beginning to end. */
function withActor(kind: string, seed: number): RunResult {
  const faults = [{ kind, node: 0 }];
  return runSchedule({ seed, nodes: 4, weights: [1, 1, 1, 1], faults, hasher: nodeHasher, keys });
}

describe("a cluster with one Byzantine node of four", function () {
  this.timeout(60_000);

  for (const { kind, about, must } of BYZANTINE) {
    it(`tolerates one that ${about}: ${must}`, () => {
      for (const seed of [1, 2, 3]) {
        const { violations, commits, answered, liveness } = withActor(kind, seed);
        expect(violations).to.deep.equal([]);
        expect(commits).to.be.at.least(8);
        expect(answered).to.be.at.least(8);
        expect(liveness.allMs, "drained").not.to.equal(undefined);
      }
    });
  }

  it("has evidence against who votes for two values before one pair of eyes, and against nobody else", () => {
    const evidence = [1, 2, 3, 4, 5].map((seed) => withActor("mutate", seed).marks["evidence"] ?? 0);
    expect(Math.max(...evidence)).to.be.greaterThan(0);
  });

  it("has a leader on record that told half of the others one new-view and half another", () => {
    const away = { kind: "crash", atMs: 1_500, node: 0, downMs: 2_500 };
    for (const seed of [4, 6, 19]) {
      const faults = [{ kind: "two-faced-views", node: 1 }, away];
      const { violations, marks } = runSchedule({ seed, nodes: 4, weights: [1, 1, 1, 1], faults, hasher: nodeHasher, keys });
      expect(violations).to.deep.equal([]);
      expect(marks["two-new-views"], `seed ${seed}`).to.be.greaterThan(0);
      expect(marks["evidence-recorded"]).to.be.greaterThan(0);
    }
  });

  it("has who accuses the honest on record, and nobody else", () => {
    const marks = [1, 2, 3, 4].map((seed) => withActor("accuse", seed).marks);
    expect(Math.max(...marks.map((seen) => seen["evidence-refused"] ?? 0))).to.be.greaterThan(0);
    expect(marks.every((seen) => seen["evidence-recorded"] === undefined)).to.equal(true);
  });

  it("has another leader soon after one orders commands again", () => {
    for (const seed of [1, 2, 3]) {
      const { marks, commits } = withActor("stuff", seed);
      expect(marks["decided-in-later-view"] ?? 0).to.be.greaterThan(0);
      expect(marks["command-duplicate"] ?? 0, `of ${commits} heights`).to.be.within(1, 16);
    }
  });

  it("records that evidence in the ledger of every honest node, and no more of a kind than counts", () => {
    const kinds = ["mutate", "false-checkpoint", "equivocate"];
    const recorded = kinds.flatMap((kind) => [1, 2].map((seed) => withActor(kind, seed).marks["evidence-recorded"] ?? 0));
    for (const blocks of recorded) {
      expect(blocks).to.be.greaterThan(0);
      expect(blocks).to.be.at.most(2 * 4 * LIMITS.evidencePerSeriesMax);
    }
  });
});

describe("an honest node that asked for a view alone, and lost its disk", function () {
  this.timeout(60_000);

  it("votes above its floor in a lower view, where the others still are, and no two words of it convict it", () => {
    for (const kind of ["restart-lost", "lost-disk"]) {
      for (const seed of [1, 2, 3, 4]) {
        const alone = { kind: "partition", atMs: 1_500, side: [3], forMs: 2_500 };
        const faults = [alone, { kind, atMs: 4_600, node: 3, downMs: 200 }];
        const { violations, marks } = runSchedule({ seed, nodes: 4, weights: [1, 1, 1, 1], faults, hasher: nodeHasher, keys });
        expect(violations, `${kind} ${seed}`).to.deep.equal([]);
        expect(marks["participates-above-floor"]).to.equal(1);
        expect(marks["view-change"]).to.be.greaterThan(0);
      }
    }
  });
});

describe("the liveness phase", function () {
  this.timeout(60_000);

  it("lets a quorum drain alone, and names whom it waited for", () => {
    const faults = [{ kind: "partition", atMs: 7_500, side: [0], forMs: 4_000 }];
    const runs = [1, 2, 3, 4, 5, 6].map((seed) => runSchedule({ seed, nodes: 4, weights: [1, 1, 1, 1], faults, hasher: nodeHasher, keys }));
    expect(runs.flatMap(({ violations }) => violations)).to.deep.equal([]);
    const alone = runs.filter(({ liveness }) => liveness.core.length === 3);
    expect(alone.length).to.be.greaterThan(0);
    for (const { liveness } of alone) expect(liveness.coreMs).to.be.lessThan(15_000);
    expect(alone.some(({ liveness }) => liveness.waitedFor.length > 0)).to.equal(true);
  });

  it("fails, and says who waits for whom, when the honest are too few", () => {
    const faults = [
      { kind: "silent", node: 0 },
      { kind: "silent", node: 1 },
    ];
    const { violations } = runSchedule({ seed: 1, nodes: 4, weights: [1, 1, 1, 1], faults, hasher: nodeHasher, keys });
    expect(violations.map(({ invariant }) => invariant)).to.deep.equal(["A7"]);
    expect(violations[0]?.detail).to.match(/wait for .*node-01, node-02/);
  });
});

describe("what the checkers sample", () => {
  it("are receipts that the offline verifier passed, in every schedule that decided something", () => {
    const { receipts, commits } = runSchedule({ seed: 9, nodes: 4, faults: [], hasher: nodeHasher, keys });
    expect(commits).to.be.greaterThan(0);
    expect(receipts).to.be.greaterThan(0);
  });
});
