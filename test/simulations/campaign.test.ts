import { expect } from "chai";
import { nodeHasher } from "#crypto";
import {
  PLANTED_BUGS,
  parseFaults,
  replayTranscript,
  runCampaign,
  runCampaigns,
  runSchedule,
  seekPlanted,
  shrinkFaults,
  standInKeys,
} from "#simulations";
import { expectAsyncRangeError } from "./range-error.ts";

describe("simulated schedules", function () {
  this.timeout(120_000);

  it("break no invariant with seven nodes, of which two may lie", async () => {
    const report = await runCampaign({ engine: "pbft", nodes: 7, seeds: { from: 1, to: 20 }, workers: 1 });
    expect(report.failures).to.deep.equal([]);
  });

  it("break no invariant with one node", async () => {
    const report = await runCampaign({ engine: "pbft", nodes: 1, seeds: { from: 1, to: 30 }, workers: 1 });
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

describe("a schedule in which messages breed messages", function () {
  this.timeout(60_000);
  const [storm] = PLANTED_BUGS.filter(({ name }) => name === "commands-go-round");
  // While two disks stall nothing is decided: a command waits so long that it is relayed again.
  const faults = parseFaults([
    { kind: "stalled-disk", atMs: 2_000, node: 0, forMs: 4_000 },
    { kind: "stalled-disk", atMs: 2_000, node: 1, forMs: 4_000 },
  ]);
  const cluster = { seed: 6, nodes: 4, weights: [1, 1, 1, 1], window: 1, faults, hasher: nodeHasher, keys: standInKeys(nodeHasher) };

  it("ends at its bound of events, and breaks S1", () => {
    if (storm === undefined) throw new Error("there is no such bug");
    const { events, violations, virtualMs } = runSchedule({ ...cluster, planted: storm });
    expect(violations).to.deep.equal([{ invariant: "S1", detail: "80000 events were not enough" }]);
    expect(events).to.equal(80_000);
    expect(virtualMs).to.be.below(8_000);
  });

  it("stays far below the bound when none do", () => {
    const { events, violations } = runSchedule(cluster);
    expect(violations).to.deep.equal([]);
    expect(events).to.be.below(80_000 / 10);
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

  it("are found, each by an invariant that it may break, and what they broke holds without them", async () => {
    const done: number[] = [];
    const bugs = PLANTED_BUGS.filter(({ name }) => FAST.includes(name));
    const findings = await seekPlanted({ bugs, workers: 2, onProgress: (progress) => done.push(progress.findings.length) });
    expect(findings.map(({ bug, wrong }) => `${bug.name}: ${wrong ?? "found"}`)).to.deep.equal(bugs.map(({ name }) => `${name}: found`));
    expect(findings.map(({ failure }) => failure?.seed)).to.deep.equal(findings.map(({ schedules }) => schedules));
    expect(done.at(-1)).to.equal(FAST.length);
  });

  it("count as missed where none is planted, where another invariant breaks, and where the time is over", async () => {
    const [sample] = PLANTED_BUGS.filter(({ name }) => name === "votes-not-verified");
    if (sample === undefined) throw new Error("there is no such bug");
    const [late, short, other] = [
      await seekPlanted({ bugs: [sample], secondsMax: 0.001 }),
      await seekPlanted({ bugs: [sample], schedulesMax: 1 }),
      await seekPlanted({ bugs: [{ ...sample, breaks: ["Z1"] }] }),
    ];
    expect(late.map(({ wrong }) => wrong)).to.deep.equal(["no end within 0.001 s"]);
    expect(short.map(({ wrong }) => wrong)).to.deep.equal(["not found"]);
    expect(other.map(({ wrong }) => wrong)).to.deep.equal(["found by A3, not by Z1"]);
  });

  it("end a campaign with the first schedule that they break, in one process as in two", async () => {
    const settings = { engine: "pbft", nodes: 4, seeds: { from: 1, to: 400 }, planted: "votes-not-verified" } as const;
    const one = await runCampaign({ ...settings, workers: 1 });
    const two = await runCampaign({ ...settings, workers: 2 });
    expect(one.failures.map(({ invariant }) => invariant)).to.deep.equal(["A3"]);
    expect(one.schedules).to.equal(one.failures[0]?.seed).and.to.be.below(400);
    expect({ ...two, schedulesPerSecond: 0 }).to.deep.equal({ ...one, schedulesPerSecond: 0 });
  });

  it("leave a schedule that can be shrunk to the one fault that matters, no longer than it has to last", async () => {
    const planted = "raft-commits-old-terms";
    const { failures } = await runCampaign({ engine: "raft", nodes: 4, seeds: { from: 1, to: 400 }, planted });
    const [found] = failures;
    if (found === undefined) throw new Error("the planted bug was not found");
    const failing = { seed: found.seed, nodes: 4, planted };
    const beside = [
      { kind: "duplication", atMs: 900, chance: 0.1, forMs: 500 },
      { kind: "slow-disk", atMs: 700, node: 1, syncMs: 3 },
    ];
    const faults = await shrinkFaults({ ...failing, faults: parseFaults([...beside, ...found.faults]) });
    const [smallest, ...rest] = faults;
    expect([smallest?.kind, rest]).to.deep.equal(["old-term", []]);
    const brokenFor = async (forMs: number): Promise<string | undefined> => {
      const { result } = await replayTranscript({ ...failing, faults: parseFaults([{ ...smallest, forMs }]) });
      return result.violations[0]?.invariant;
    };
    const { forMs = 0 } = smallest ?? {};
    expect(await brokenFor(forMs)).to.equal(found.invariant);
    expect(await brokenFor(forMs - 1)).not.to.equal(found.invariant);
  });

  it("leave a schedule that can be shrunk, and read", async () => {
    const { failures } = await runCampaign({ engine: "pbft", nodes: 4, seeds: { from: 1, to: 400 }, planted: "votes-not-verified" });
    const [found] = failures;
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
