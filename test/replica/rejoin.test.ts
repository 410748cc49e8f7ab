import { expect } from "chai";
import { parseFaults, replayTranscript } from "#simulations";

const CLUSTER = { nodes: 4, weights: [1, 1, 1, 1], window: 1 };

// Whole replicas, since what is claimed here is about what several of them remember.
describe("a node that lost its memory", function () {
  this.timeout(20_000);

  it("takes part again once the others stand above its floor, and contradicts nobody", async () => {
    const faults = parseFaults([{ kind: "lost-disk", atMs: 4_000, node: 1, downMs: 200 }]);
    const { lines, result } = await replayTranscript({ ...CLUSTER, faults });
    expect(result.violations).to.deep.equal([]);
    expectApart(lines, { voter: "node-02", atMs: 4_000 });
  });

  it("is not fooled when all others restart with it and forgot what they saw", async () => {
    const faults = parseFaults([
      { kind: "slow-links", atMs: 3_000, delayMs: 300, forMs: 3_000 },
      { kind: "restart-lost", atMs: 4_000, node: 0, downMs: 100 },
    ]);
    const { result } = await replayTranscript({ ...CLUSTER, faults });
    expect(result.violations).to.deep.equal([]);
  });

  it("is found out when an older copy of its folder is put back", async () => {
    const faults = parseFaults([{ kind: "old-copy", atMs: 4_000, node: 2, downMs: 100, copyAtMs: 2_000 }]);
    const { lines, result } = await replayTranscript({ ...CLUSTER, faults });
    expect(result.violations).to.deep.equal([]);
    expectApart(lines, { voter: "node-03", atMs: 4_000 });
  });
});

/** No height and no two adjacent heights see votes of both lives: what the argument for safety needs. */
function expectApart(lines: readonly string[], about: { readonly voter: string; readonly atMs: number }): void {
  const votes = lines
    .filter((line) => line.includes(` ${about.voter} > `))
    .flatMap((line) => {
      const [, height] = /(?:prepare|commit) (\d+)/.exec(line) ?? [];
      return height === undefined ? [] : [{ atMs: Number.parseFloat(line), height: Number(height) }];
    });
  const heights = (later: boolean): number[] => votes.filter(({ atMs }) => atMs > about.atMs === later).map(({ height }) => height);
  expect(heights(false)).not.to.have.length(0);
  expect(heights(true)).not.to.have.length(0);
  expect(Math.min(...heights(true))).to.be.greaterThan(Math.max(...heights(false)) + 1);
}
