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

  it("is doubted when it is slow by no more than a fixed wait would forgive, but has an earlier leader do four times as much", () => {
    const rate = new LeaderRate();
    const afterMs = run(rate, { view: 0, fromMs: 0, everyMs: 50, commands: 64, waitMs: 50 });
    const laterMs = run(rate, { view: 1, fromMs: afterMs, everyMs: 200, commands: 64, waitMs: 200 });
    expect(rate.doubts(laterMs * 1_000)).to.equal(true);
  });

  it("is measured against its own better days: a leader that was fast and is slow keeps its place no longer", () => {
    const rate = new LeaderRate();
    const afterMs = run(rate, { view: 0, fromMs: 0, everyMs: 50, commands: 64, waitMs: 50 });
    const laterMs = run(rate, { view: 0, fromMs: afterMs, everyMs: 200, commands: 64, waitMs: 200 });
    expect(rate.doubts(laterMs * 1_000)).to.equal(true);
  });

  it("cannot lower the mark by slowing down step by step", () => {
    const rate = new LeaderRate();
    let nowMs = 0;
    for (let waitMs = 50; waitMs < 200; waitMs += 5) nowMs = run(rate, { view: 0, fromMs: nowMs, everyMs: waitMs, commands: 64, waitMs });
    expect(rate.doubts(nowMs * 1_000)).to.equal(true);
  });

  it("is doubted soon again where the last change of leaders helped", () => {
    const rate = new LeaderRate();
    let nowMs = run(rate, { view: 0, fromMs: 0, everyMs: 50, commands: 64, waitMs: 50 });
    for (let view = 1; view < 12; view += 2) {
      nowMs = run(rate, { view, fromMs: nowMs, everyMs: 250, commands: 64, waitMs: 250 });
      expect(rate.doubts(nowMs * 1_000), `view ${view}`).to.equal(true);
      nowMs = run(rate, { view: view + 1, fromMs: nowMs, everyMs: 50, commands: 64, waitMs: 50 });
      expect(rate.doubts(nowMs * 1_000), `view ${view + 1}`).to.equal(false);
    }
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
