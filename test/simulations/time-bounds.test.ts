import { expect } from "chai";
import type { EngineName } from "#base";
import { nodeHasher } from "#crypto";
import { type Fault, runSchedule, SIMULATED_ENGINES, standInKeys } from "#simulations";

const keys = standInKeys(nodeHasher);
/** Ways of keeping votes back, and the most that a client may wait for its answer beside them: two timeouts, the second longer than the first (tendermint: and a wait for votes). */
const MUTE = ["silent", "selective"];
const TWO_TIMEOUTS_MS: Readonly<Record<string, number>> = { pbft: 800 + 1_600, tendermint: 600 + 850 + 200 };
/** docs/TESTING.md, C10. */
const HEALED_MS = 10_000;
/** A leader of use to nobody is replaced, and what was asked meanwhile is asked again. */
const REPLACED_MS = 4_000;
const PARTITIONS = ["partition", "one-way", "flapping-partition", "isolate-leader", "swizzle-clog"];
const SEEDS = Array.from({ length: 5 }, (_, index) => index + 1);

/** The longest that a client of an honest node waited for an answer, in a schedule of these faults alone. */
function longestWaitMs(engine: EngineName, nodes: number, faults: readonly Fault[]): number {
  const asked = new Map<number, number>();
  let longestMs = 0;
  const weights = Array.from({ length: nodes }, () => 1);
  const { violations, answered } = runSchedule({
    ...{ seed: 3, engine, nodes, weights, window: 1, faults, hasher: nodeHasher, keys },
    record: (event) => {
      if (event.type === "asked") asked.set(event.operation, event.atMs);
      if (event.type !== "answered") return;
      expect(event.answer, "an answer").to.equal("ordered");
      longestMs = Math.max(longestMs, event.atMs - (asked.get(event.operation) ?? 0));
      asked.delete(event.operation);
    },
  });
  expect(violations).to.deep.equal([]);
  expect(answered).to.be.at.least(10);
  expect([...asked.keys()], "questions without an answer").to.deep.equal([]);
  return longestMs;
}

describe("members that keep their votes back", function () {
  this.timeout(120_000);

  for (const engine of ["pbft", "tendermint"] as const) {
    for (const nodes of [4, 7]) {
      it(`delay no answer by more than two timeouts, as many as may lie and whichever they are: ${engine}, ${nodes} nodes`, () => {
        const mute = Array.from({ length: Math.floor((nodes - 1) / 3) }, (_, index) => index);
        for (const kind of MUTE) {
          for (let first = 0; first < nodes; first++) {
            const faults = mute.map((index) => ({ kind, node: (first + index) % nodes }));
            expect(longestWaitMs(engine, nodes, faults), JSON.stringify(faults)).to.be.at.most(TWO_TIMEOUTS_MS[engine] ?? 0);
          }
        }
      });
    }
  }
});

describe("a network that falls apart", function () {
  this.timeout(120_000);

  for (const engine of SIMULATED_ENGINES) {
    it(`has everybody honest at one certified height within ten seconds of its heal: ${engine}`, () => {
      for (const nodes of [4, 7]) {
        for (const seed of SEEDS) {
          const { violations, liveness } = runSchedule({ seed, engine, nodes, kinds: PARTITIONS, hasher: nodeHasher, keys });
          expect(violations, `seed ${seed}`).to.deep.equal([]);
          for (const tookMs of [liveness.coreMs, liveness.allMs])
            expect(tookMs, `seed ${seed}`).to.be.a("number").and.be.at.most(HEALED_MS);
        }
      }
    });
  }
});

/** How long nothing was ordered, at most, while the clock of a node was wrong. */
function longestSilenceMs(engine: EngineName, node: number, stepMs: number): number {
  const wrong = { fromMs: 1_000, forMs: 6_500 };
  const orderedMs: number[] = [];
  const { violations } = runSchedule({
    ...{ seed: 3, engine, nodes: 4, weights: [1, 1, 1, 1], window: 1, hasher: nodeHasher, keys },
    faults: [{ kind: "clock-jump", atMs: wrong.fromMs, node, stepMs, forMs: wrong.forMs }],
    record: (event) => {
      if (event.type === "applied" && event.commands > 0) orderedMs.push(event.atMs);
    },
  });
  expect(violations).to.deep.equal([]);
  const times = [
    wrong.fromMs,
    ...orderedMs.filter((atMs) => atMs > wrong.fromMs && atMs < wrong.fromMs + wrong.forMs),
    wrong.fromMs + wrong.forMs,
  ];
  return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)));
}

describe("a clock that is wrong by a minute", function () {
  this.timeout(120_000);

  for (const engine of SIMULATED_ENGINES) {
    it(`holds up nobody else for long, whoever's it is: ${engine}`, () => {
      for (const node of [0, 1, 2, 3]) {
        for (const stepMs of [-60_000, 60_000]) {
          expect(longestSilenceMs(engine, node, stepMs), `node ${node}, ${stepMs} ms`).to.be.at.most(REPLACED_MS);
        }
      }
    });
  }
});
