import { readFileSync } from "node:fs";
import { expect } from "chai";
import { countTwins, formatScenario, parseScenario, runTwins, runTwinsScenario, type TwinsScenario } from "#simulations";
import { expectAsyncRangeError } from "./range-error.ts";

const SPACE = { nodes: 4, twins: 1, rounds: 2, parts: 2, deaf: false } as const;
/** Some of the drawn scenarios: the whole spaces are campaigns of their own. */
const SEEDS = { from: 0, to: 79 };

function committed(name: string): TwinsScenario {
  return parseScenario(JSON.parse(readFileSync(`simulations/twins/scenarios/${name}.json`, "utf8")));
}

describe("twins", function () {
  this.timeout(60_000);

  for (const engine of ["pbft", "tendermint"] as const) {
    it(`leave ${engine} safe and alive, whoever leads and however the network falls apart, while they are fewer than a third`, async () => {
      const everyRound = await runTwins({ space: { ...SPACE, engine, rounds: 1, parts: 5 }, workers: 1 });
      expect(everyRound).to.deep.include({ scenarios: 42, failures: [], disagreements: 0, exhaustive: true });
      const space = { ...SPACE, engine, rounds: 4, parts: 3, deaf: true };
      const drawn = await runTwins({ space, seeds: SEEDS, workers: 1 });
      expect(drawn).to.deep.include({ scenarios: 80, failures: [], disagreements: 0, exhaustive: false });
    });
  }

  it("are caught where they break raft, which tolerates no liar", () => {
    const { violations, disagreements } = runTwinsScenario(committed("raft-split-brain"));
    expect(violations.map(({ invariant }) => invariant)).to.include("A1");
    expect(disagreements).to.be.greaterThan(0);
  });

  it("are what breaks raft: without them it tolerates the same leaders and partitions, and finds a short log that leads", async () => {
    const space = { ...SPACE, engine: "raft", nodes: 5, twins: 0 } as const;
    const all = await runTwins({ space, workers: 1 });
    expect(all).to.deep.include({ failures: [], disagreements: 0, exhaustive: true });
    const drawn = await runTwins({ space: { ...space, rounds: 5, parts: 3, deaf: true }, seeds: { from: 0, to: 39 }, workers: 1 });
    expect(drawn.failures).to.deep.equal([]);
    const found = await runTwins({
      space: { ...space, rounds: 4, deaf: true },
      seeds: SEEDS,
      planted: "raft-elects-a-short-log",
      workers: 1,
    });
    expect(found.failed).to.equal(1);
  });

  it("are named when they are too many for tendermint: a third of the weight, and nobody honest", async () => {
    const oneRound = runTwinsScenario(committed("tendermint-too-many-twins"));
    expect(oneRound).to.deep.include({ violations: [], named: { A: "double-vote", B: "double-vote" } });
    expect(oneRound.disagreements).to.be.greaterThan(0);
    const twoRounds = runTwinsScenario(committed("tendermint-amnesia"));
    expect(twoRounds).to.deep.include({ violations: [], named: { A: "amnesia", B: "amnesia" } });
    expect(twoRounds.disagreements).to.be.greaterThan(0);
    const space = { ...SPACE, engine: "tendermint", twins: 2, rounds: 4, deaf: true } as const;
    const report = await runTwins({ space, seeds: SEEDS, workers: 1 });
    expect(report.failures).to.deep.equal([]);
    expect(report.disagreements).to.be.greaterThan(0);
  });

  it("find a leader that forgets what was prepared", async () => {
    const space = { ...SPACE, engine: "pbft", deaf: true } as const;
    const report = await runTwins({ space, seeds: SEEDS, planted: "prepared-value-dropped", workers: 1 });
    expect(report.failures.map(({ invariant }) => invariant)).to.deep.equal(["A1"]);
    await expectAsyncRangeError(runTwins({ space, planted: "no-such-bug" }));
    await expectAsyncRangeError(runTwins({ space, planted: "torn-batch-accepted" }));
    await expectAsyncRangeError(runTwins({ space: { ...space, nodes: 7, twins: 2 } }));
  });

  it("leave pbft safe and alive with several heights in flight, all of which survive who alone decided them", async () => {
    const space = { ...SPACE, engine: "pbft", rounds: 4, parts: 3, deaf: true, window: 2 } as const;
    const report = await runTwins({ space, seeds: SEEDS, workers: 1 });
    expect(report).to.deep.include({ scenarios: 80, failures: [], disagreements: 0 });
    const all = ["A", "B", "C", "D"];
    const alone: TwinsScenario = {
      ...{ engine: "pbft", nodes: 4, twins: [], window: 3, round_leaders: ["A", "B"] },
      round_partitions: [[all], [["A"], ["B", "C", "D"]]],
      round_deaf: [["B", "C", "D"], []],
    };
    expect(runTwinsScenario(alone)).to.deep.include({ violations: [], disagreements: 0 });
    const [first] = runTwinsScenario(alone, "new-view-omits-a-slot").violations;
    expect(first, "the highest of three").to.deep.equal({ invariant: "A1", detail: "honest nodes decide 3 differently" });
  });

  it("are enumerated once for each class of scenarios that differ in names alone", async () => {
    const space = { ...SPACE, engine: "raft", nodes: 3 } as const;
    const report = await runTwins({ space, workers: 1 });
    const { all, classes } = countTwins(space);
    const again = await runTwins({ space, workers: 2 });
    expect({ ...again, seconds: 0 }, "the same report in two processes").to.deep.equal({ ...report, seconds: 0 });
    expect({ all: report.all, scenarios: report.scenarios }).to.deep.equal({ all, scenarios: classes });
    expect(all).to.equal(24 ** 2);
    expect(countTwins({ ...space, everyName: true })).to.deep.equal({ all, classes: all });
    expect(report.failed).to.be.greaterThan(0);
  });
});

describe("a file of twins", () => {
  const scenario = committed("raft-split-brain");

  it("is read as it was written", () => {
    const deaf = { ...scenario, round_deaf: [["A'", "B"]] };
    expect(parseScenario(JSON.parse(formatScenario(scenario)))).to.deep.equal(scenario);
    expect(parseScenario(JSON.parse(formatScenario(deaf)))).to.deep.equal(deaf);
    const wide = { ...scenario, window: 8 };
    expect(parseScenario(JSON.parse(formatScenario(wide)))).to.deep.equal(wide);
    const mutated = { ...scenario, mutations: [{ at: 7, what: "drop" }] };
    expect(parseScenario(JSON.parse(formatScenario(mutated)))).to.deep.equal(mutated);
  });

  it("is refused when it says more, less or something else", () => {
    const wrong: readonly Readonly<Record<string, unknown>>[] = [
      { engine: "paxos" },
      { nodes: 8 },
      { nodes: 4.5 },
      { twins: ["A", "A"] },
      { twins: ["F"] },
      { round_leaders: [] },
      { round_leaders: ["A'"] },
      { round_leaders: Array.from({ length: 13 }, () => "A") },
      { round_partitions: [] },
      { round_partitions: [[["A", "B", "C"]]] },
      { round_partitions: [[["A", "A'", "B", "C", "D", "E", "E"]]] },
      { round_deaf: [["Z"]] },
      { round_deaf: [[], []] },
      { window: 0 },
      { window: 9 },
      { engine: "tendermint", window: 2 },
      { mutations: [{ at: -1, what: "drop" }] },
      { mutations: [{ at: 1, what: "bend" }] },
      { mutations: [{ at: 1, what: "drop", why: "so" }] },
      { mutations: Array.from({ length: 9 }, (_, at) => ({ at, what: "drop" })) },
      { comment: "nothing" },
    ];
    for (const change of wrong) expect(() => parseScenario({ ...scenario, ...change }), JSON.stringify(change)).to.throw(RangeError);
    for (const value of [null, [], "A", 1]) expect(() => parseScenario(value)).to.throw(RangeError);
  });
});
