import { expect } from "chai";
import { runTwins, runTwinsScenario } from "#simulations";

describe("small mutations of single messages", function () {
  this.timeout(60_000);

  it("break nothing in raft, whatever the network does to any message of four short runs", async () => {
    const report = await runTwins({ space: { engine: "raft", mutations: 1 }, workers: 1 });
    expect(report).to.deep.include({ failures: [], disagreements: 0, exhaustive: true });
    expect(report.scenarios).to.be.greaterThan(1_000);
  });

  for (const engine of ["pbft", "tendermint"] as const) {
    it(`break nothing in ${engine}, nor does what a Byzantine sender makes of its own`, async () => {
      const report = await runTwins({ space: { engine, mutations: 1 }, seeds: { from: 0, to: 299 }, workers: 1 });
      expect(report).to.deep.include({ scenarios: 300, failures: [], disagreements: 0 });
    });
  }

  it("show votes that count before they are verified, in a scenario that plays again", async () => {
    const report = await runTwins({ space: { engine: "pbft", mutations: 1 }, planted: "votes-not-verified", workers: 1 });
    const [failure] = report.failures;
    expect(failure?.invariant).to.equal("A3");
    if (failure === undefined) return;
    expect(failure.scenario.mutations?.map(({ what }) => what)).to.deep.equal(["broken-signature"]);
    expect(runTwinsScenario(failure.scenario, "votes-not-verified").violations).to.not.deep.equal([]);
    expect(runTwinsScenario(failure.scenario).violations).to.deep.equal([]);
  });

  it("come in pairs of at most one liar", async () => {
    const report = await runTwins({ space: { engine: "pbft", mutations: 2 }, seeds: { from: 20_000, to: 20_199 }, workers: 1 });
    expect(report).to.deep.include({ scenarios: 200, failures: [], disagreements: 0 });
  });
});
