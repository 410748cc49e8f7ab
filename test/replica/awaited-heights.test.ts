import { expect } from "chai";
import { parseNodeId } from "#base";
import { nodeHasher } from "#crypto";
import { AwaitedHeights } from "#replica";
import { runSchedule, standInKeys } from "#simulations";

describe("a member without memory in a quiet cluster with a window of eight", function () {
  this.timeout(60_000);

  for (const engine of ["pbft", "raft", "tendermint"] as const) {
    it(`votes again within seconds: the others hurry through the heights below its floor (${engine})`, () => {
      const faults = [{ kind: "lost-disk", atMs: 7_000, node: 1, downMs: 200 }] as never;
      const fixed = { nodes: 4, weights: [1, 1, 1, 1], window: 8, hasher: nodeHasher, keys: standInKeys(nodeHasher) };
      const { violations, virtualMs, marks } = runSchedule({ seed: 5, engine, ...fixed, faults });
      expect(violations).to.deep.equal([]);
      expect(marks["participates-above-floor"]).to.be.at.least(1);
      // Seventeen heartbeats alone would take 85 s.
      expect(virtualMs).to.be.below(40_000);
    });
  }
});

describe("the claim to wait for a height", () => {
  const [claimant, other] = ["node-1", "node-2"].map(parseNodeId) as [ReturnType<typeof parseNodeId>, ReturnType<typeof parseNodeId>];
  const at = (tipHeight: number, seconds: number) => ({ tipHeight, window: 8, nowUs: seconds * 1_000_000 });

  it("counts until the height is reached", () => {
    const awaited = new AwaitedHeights();
    awaited.note(claimant, 0, at(10, 0));
    expect(awaited.isAwaited(10)).to.equal(false);
    awaited.note(claimant, 27, at(10, 1));
    expect(awaited.isAwaited(26)).to.equal(true);
    expect(awaited.isAwaited(27)).to.equal(false);
  });

  it("buys a member no more than the heights of one floor, once in a minute", () => {
    const awaited = new AwaitedHeights();
    awaited.note(claimant, 28, at(10, 0));
    expect(awaited.isAwaited(10), "further than a floor can be").to.equal(false);
    awaited.note(claimant, 27, at(10, 0));
    awaited.note(claimant, 44, at(27, 30));
    expect(awaited.isAwaited(27)).to.equal(false);
    awaited.note(other, 44, at(27, 30));
    expect(awaited.isAwaited(27)).to.equal(true);
    awaited.note(claimant, 61, at(44, 61));
    expect(awaited.isAwaited(44)).to.equal(true);
  });
});
