import { expect } from "chai";
import { LeaderRate } from "#replica";

const BLOCKS = 12;

/** Blocks of a view with the given wait and pace, from a time on; gives the time after the last. */
function run(rate: LeaderRate, about: { view: number; fromMs: number; everyMs: number; commands: number; waitMs: number }): number {
  for (let block = 1; block <= BLOCKS; block++) {
    const nowUs = (about.fromMs + block * about.everyMs) * 1_000;
    rate.onBlock({ view: about.view, nowUs, commands: about.commands, waitedUs: about.waitMs * 1_000 });
  }
  return about.fromMs + BLOCKS * about.everyMs;
}

describe("the rate of a leader", () => {
  it("is doubted when commands wait long and few are ordered, compared with an earlier leader", () => {
    const rate = new LeaderRate();
    const afterMs = run(rate, { view: 0, fromMs: 0, everyMs: 20, commands: 10, waitMs: 30 });
    expect(rate.doubts(afterMs * 1_000)).to.equal(false);
    const laterMs = run(rate, { view: 1, fromMs: afterMs, everyMs: 600, commands: 10, waitMs: 700 });
    expect(rate.doubts(laterMs * 1_000)).to.equal(true);
  });

  it("is not doubted under a heavy load that it orders, nor under a light one that it answers soon", () => {
    const rate = new LeaderRate();
    const afterMs = run(rate, { view: 0, fromMs: 0, everyMs: 20, commands: 10, waitMs: 30 });
    const heavyMs = run(rate, { view: 1, fromMs: afterMs, everyMs: 400, commands: 400, waitMs: 800 });
    expect(rate.doubts(heavyMs * 1_000)).to.equal(false);
    const lightMs = run(rate, { view: 2, fromMs: heavyMs, everyMs: 1_000, commands: 1, waitMs: 20 });
    expect(rate.doubts(lightMs * 1_000)).to.equal(false);
  });

  it("is measured against what is usual while there is no earlier leader", () => {
    const rate = new LeaderRate();
    const afterMs = run(rate, { view: 0, fromMs: 0, everyMs: 600, commands: 2, waitMs: 600 });
    expect(rate.doubts(afterMs * 1_000)).to.equal(true);
  });

  it("is doubted ever more seldom while the cluster as a whole stays slow", () => {
    const rate = new LeaderRate();
    let nowMs = run(rate, { view: 0, fromMs: 0, everyMs: 20, commands: 50, waitMs: 30 });
    const doubtedMs: number[] = [];
    for (let view = 1; view < 60; view++) {
      nowMs = run(rate, { view, fromMs: nowMs, everyMs: 100, commands: 5, waitMs: 900 });
      if (rate.doubts(nowMs * 1_000)) doubtedMs.push(nowMs);
    }
    const pauses = doubtedMs.slice(1).map((at, index) => at - (doubtedMs[index] ?? 0));
    expect(pauses.length).to.be.greaterThan(1);
    for (const [index, pause] of pauses.entries()) if (index > 0) expect(pause).to.be.greaterThan(pauses[index - 1] ?? 0);
  });
});
