import { expect } from "chai";
import { LIMITS, type NodeId, parseNodeId } from "#base";
import { Pace, Paces } from "#replica";

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

describe("the paces of several peers", () => {
  const [slow, poor, good] = ["node-1", "node-2", "node-3"].map(parseNodeId) as [NodeId, NodeId, NodeId];
  const rates = new Map([
    [slow, LIMITS.transferBytesPerSecondMin],
    [poor, 300_000],
    [good, 5_000_000],
  ]);

  /** Who fetches from whom, one attempt after the other in turn, until one stays for a day. */
  function attempts(peers: readonly NodeId[]): readonly NodeId[] {
    const paces = new Paces();
    const asked: NodeId[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      const peer = peers[attempt % peers.length] as NodeId;
      asked.push(peer);
      const pace = paces.begin(peer, peers, START_US);
      const seconds = Array.from({ length: 86_400 }, (_, second) => START_US + (second + 1) * 1_000_000);
      const endUs = seconds.find((nowUs) => !pace.keeps(rates.get(peer) ?? 0, nowUs));
      if (endUs === undefined) return asked;
      expect(endUs - START_US).to.be.below(4 * LIMITS.transferPatienceMs * 1_000);
      paces.leave(peer, pace, endUs);
    }
    return asked;
  }

  it("leave a peer that gives the least, soon, for one that may be faster", () => {
    expect(attempts([slow, good])).to.deep.equal([slow, good]);
    expect(attempts([slow, poor, good])).to.deep.equal([slow, poor, good]);
  });

  it("come to stay with the best of those that are all slow", () => {
    expect(attempts([slow, poor])).to.deep.equal([slow, poor]);
    expect(attempts([poor, slow])).to.deep.equal([poor, slow, poor]);
  });

  it("bear one at the least that is asked for where there is nobody else", () => {
    expect(attempts([slow])).to.deep.equal([slow]);
  });
});
