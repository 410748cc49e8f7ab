import { expect } from "chai";
import { PLANTED_BUGS, parseFaults, replayTranscript, runCampaign, runCampaigns, shrinkFaults } from "#simulations";
import { breaksWithout, firstFailure } from "./first-failure.ts";
import { expectAsyncRangeError } from "./range-error.ts";

describe("simulated schedules", function () {
  this.timeout(120_000);

  it("break no invariant with seven nodes, of which two may lie", async () => {
    const report = await runCampaign({ engine: "pbft", nodes: 7, seeds: { from: 1, to: 20 }, workers: 2 });
    expect(report.failures).to.deep.equal([]);
  });

  it("break no invariant with one node", async () => {
    const report = await runCampaign({ engine: "pbft", nodes: 1, seeds: { from: 1, to: 30 }, workers: 2 });
    expect(report.failures).to.deep.equal([]);
  });

  it("break no invariant under real Ed25519", async () => {
    const report = await runCampaign({ engine: "pbft", nodes: 4, seeds: { from: 1, to: 3 }, realCrypto: true });
    expect(report.failures).to.deep.equal([]);
  });

  it("make the same report in one process as in two", async () => {
    const settings = { engine: "pbft", nodes: 4, seeds: { from: 291, to: 310 } } as const;
    const progress: number[] = [];
    const one = await runCampaign({ ...settings, workers: 1, onProgress: ({ done }) => progress.push(done) });
    const two = await runCampaign({ ...settings, workers: 2 });
    expect({ ...two, schedulesPerSecond: 0 }).to.deep.equal({ ...one, schedulesPerSecond: 0 });
    expect(progress).to.deep.equal([10, 20]);
  });

  it("make the same reports on the same processes one after another as each alone", async () => {
    const pbft = { engine: "pbft", nodes: 4, seeds: { from: 21, to: 32 } } as const;
    const raft = { engine: "raft", nodes: 1, seeds: { from: 21, to: 32 } } as const;
    const together = await runCampaigns([pbft, raft], { workers: 2 });
    const alone = [await runCampaign({ ...pbft, workers: 1 }), await runCampaign({ ...raft, workers: 1 })];
    expect(together.map(({ traceHash }) => traceHash)).to.deep.equal(alone.map(({ traceHash }) => traceHash));
    expect(together.map(({ schedules }) => schedules)).to.deep.equal([12, 12]);
  });

  it("report what INTERFACES promises, and nothing else", async () => {
    const report = await runCampaign({ engine: "pbft", nodes: 4, seeds: { from: 1, to: 8 }, kinds: ["crash"] });
    expect(report).to.have.all.keys(
      "schedules",
      "commits",
      "failures",
      "schedulesPerSecond",
      "virtualSeconds",
      "faultKinds",
      "marks",
      "traceHash",
    );
    expect(Object.keys(report.faultKinds)).to.deep.equal(["crash"]);
    expect(report.traceHash).to.match(/^[0-9a-f]{64}$/);
  });

  it("refuse an empty range and an unknown bug", async () => {
    await expectAsyncRangeError(runCampaign({ engine: "pbft", nodes: 4, seeds: { from: 2, to: 1 } }));
    await expectAsyncRangeError(runCampaign({ engine: "pbft", nodes: 4, seeds: { from: 1, to: 1 }, planted: "none-of-these" }));
  });
});

/** The others are sought by `npm run test:planted`. */
const FAST = [
  "votes-not-verified",
  "tendermint-polka-not-needed",
  "raft-commits-old-terms",
  "acknowledged-before-durable",
  "commands-not-verified",
  "changes-overlap",
  "spent-ids-forgotten",
  "leaf-without-domain-byte",
];

describe("planted bugs", function () {
  this.timeout(120_000);

  for (const bug of PLANTED_BUGS.filter(({ name }) => FAST.includes(name))) {
    it(`are found: ${bug.about}`, async () => {
      const { failure } = await firstFailure(bug);
      if (failure === undefined) throw new Error(`${bug.name} was not found`);
      expect(bug.breaks).to.include(failure.invariant);
      expect(await breaksWithout(bug, failure)).to.deep.equal([]);
    });
  }

  it("end a campaign with the first schedule that they break, in one process as in two", async () => {
    const settings = { engine: "pbft", nodes: 4, seeds: { from: 1, to: 400 }, planted: "votes-not-verified" } as const;
    const one = await runCampaign({ ...settings, workers: 1 });
    const two = await runCampaign({ ...settings, workers: 2 });
    expect(one.failures.map(({ invariant }) => invariant)).to.deep.equal(["A3"]);
    expect(one.schedules).to.equal(one.failures[0]?.seed).and.to.be.below(400);
    expect({ ...two, schedulesPerSecond: 0 }).to.deep.equal({ ...one, schedulesPerSecond: 0 });
  });

  it("leave a schedule that can be shrunk, and read", async () => {
    const [bug] = PLANTED_BUGS.filter(({ name }) => name === "votes-not-verified");
    const found = bug === undefined ? undefined : (await firstFailure(bug)).failure;
    if (found === undefined) throw new Error("the planted bug was not found");
    const failing = {
      seed: found.seed,
      nodes: 4,
      planted: "votes-not-verified",
      faults: parseFaults(JSON.parse(JSON.stringify(found.faults))),
    };
    const faults = await shrinkFaults(failing);
    expect(faults.map(({ kind }) => kind)).to.deep.equal(["forge"]);
    const { lines, result } = await replayTranscript({ ...failing, faults });
    expect(result.violations.map(({ invariant }) => invariant)).to.include("A3");
    expect(lines.some((line) => /node-0\d > prepare \d+ view \d+ [0-9a-f]{8} {3}to node-/.test(line))).to.equal(true);
    expect(lines.at(-1)).to.match(/^A3 is broken: /);
  });
});
