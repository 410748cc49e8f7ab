import { expect } from "chai";
import type { EngineName } from "#base";
import { parseFaults, replayTranscript } from "#simulations";
import { readText } from "../repository.ts";

interface Regression {
  readonly seed?: number;
  readonly engine?: EngineName;
  readonly nodes: number;
  readonly weights?: readonly number[];
  readonly window?: number;
  readonly about: string;
  readonly faults: unknown;
}

describe("schedules that once found a bug", function () {
  this.timeout(60_000);
  const regressions = JSON.parse(readText("simulations/seeds/regressions.json")) as readonly Regression[];

  for (const { about, faults, ...cluster } of regressions) {
    it(`break nothing any more: ${about}`, async () => {
      const { result } = await replayTranscript({ ...cluster, faults: parseFaults(faults) });
      expect(result.violations).to.deep.equal([]);
    });
  }

  it("are refused when they are no list of faults", () => {
    for (const wrong of [{}, [1], [{ kind: "meteor" }], [{ kind: "crash", atMs: "soon" }]])
      expect(() => parseFaults(wrong)).to.throw(RangeError);
  });
});
