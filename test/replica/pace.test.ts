import { expect } from "chai";
import { LIMITS } from "#base";
import { Pace } from "#replica";

const START_US = 1_800_000_000_000_000;

/** Seconds for which a peer that gives so much every second is tolerated, at most a day. */
function secondsBorne(bytesEachSecond: number): number {
  const pace = new Pace(START_US);
  for (let second = 1; second < 86_400; second++) if (!pace.keeps(bytesEachSecond, START_US + second * 1_000_000)) return second;
  return 86_400;
}

describe("the pace of a state transfer", () => {
  it("is enough at the least that is asked for, for as long as it takes", () => {
    expect(secondsBorne(LIMITS.transferBytesPerSecondMin)).to.equal(86_400);
  });

  it("ends a transfer whose peer gives an entry with each answer, and each answer in time", () => {
    expect(secondsBorne(500)).to.be.within(LIMITS.transferPatienceMs / 1_000, (2 * LIMITS.transferPatienceMs) / 1_000);
  });

  it("is no slower for a clock that was set back", () => {
    expect(new Pace(START_US).keeps(0, START_US - 3_600_000_000)).to.equal(true);
  });
});
