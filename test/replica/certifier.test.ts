import { expect } from "chai";
import type { LogPoint } from "#audit";
import { type FaultModel, LIMITS, parseHash } from "#base";
import { Certifier } from "#replica";

const POINT: LogPoint = {
  origin: "bank.example/audit/cccccccc/2026h2",
  shard: "2026h2",
  size: 40,
  root: parseHash("1".repeat(64)),
  timeUs: 0,
};

describe("points of the log in memory", () => {
  it("are released when heights are passed over, as by a state that is taken over", () => {
    // A point alone asks nothing of the rest.
    const certifier = new Certifier({} as ConstructorParameters<typeof Certifier>[0]);
    for (let height = 1; height <= 100; height++) certifier.addPoint(height, POINT);
    const kept = (): number => Array.from({ length: 10_000 }, (_, height) => certifier.point(height)).filter(Boolean).length;
    expect(kept()).to.equal(100);
    certifier.addPoint(LIMITS.cosignaturesKept + 50, POINT);
    expect(kept()).to.equal(51);
    certifier.addPoint(9_000, POINT);
    expect(kept()).to.equal(1);
    expect(certifier.newestHeight).to.equal(9_000);
  });

  it("may still be named as certified where peers only crash: else a restart after many undecided terms of raft could block it for good", () => {
    const verdicts = (faultModel: FaultModel): boolean[] => {
      const certifier = new Certifier({ faultModel } as ConstructorParameters<typeof Certifier>[0]);
      certifier.addPoint(50, POINT);
      const answers: boolean[] = [];
      for (const height of [17, 51]) {
        certifier.checkClaim({ height, size: 9, root: POINT.root }, new Uint8Array(1), (valid) => void answers.push(valid));
      }
      return answers;
    };
    expect(verdicts("crash")).to.deep.equal([true, false]);
    expect(verdicts("byzantine")).to.deep.equal([false, false]);
  });
});
