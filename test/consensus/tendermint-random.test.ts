import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { tendermintRules } from "#consensus";
import { TendermintWorld } from "./tendermint-kit.ts";

const ACTIONS = ["run", "order", "cut", "heal", "crash", "restart", "lossy", "slow", "untimely"] as const;
/** Weights, and how many members of them, the first ones, may lie and still be less than a third. */
const CLUSTERS: readonly (readonly [readonly number[], number])[] = [
  [[1, 1, 1, 1], 0],
  [[1, 1, 1, 1], 1],
  [[1, 1, 1, 1, 1], 1],
  [[1, 1, 1, 1, 1, 1], 1],
  [[1, 1, 1, 1, 1, 1, 1, 1], 2],
  [[2, 3, 2, 2, 1], 1],
];

interface Step {
  readonly action: (typeof ACTIONS)[number];
  readonly node: number;
  readonly ms: number;
}

const steps = fc.array(
  fc.record({ action: fc.constantFrom(...ACTIONS), node: fc.nat({ max: 15 }), ms: fc.integer({ min: 1, max: 900 }) }),
  {
    maxLength: 30,
  },
);

function play(world: TendermintWorld, story: readonly Step[]): void {
  for (const { action, node: index, ms } of story) {
    const process = world.processes[index % world.processes.length];
    if (process === undefined) continue;
    if (action === "order") world.order(Math.max(...world.honest.map(({ tip }) => tip.height)) + 1 + (ms % 3));
    if (action === "cut") {
      const side = new Set(world.random.shuffle(world.processes).slice(0, 1 + (ms % 4)));
      world.passes = (from, to) => side.has(from) === side.has(to);
    }
    if (action === "heal") world.passes = () => true;
    if (action === "crash" && process.up) world.crash(process);
    if (action === "restart") world.restart(process);
    if (action === "lossy") world.loss = (ms % 6) / 10;
    if (action === "slow") world.delayMaxMs = ms;
    if (action === "untimely") world.untimely = (ms % 5) / 10;
    world.run(ms);
  }
}

/** The network heals, everybody is up; the twins go on lying. */
function calm(world: TendermintWorld): void {
  world.passes = () => true;
  world.loss = 0;
  world.untimely = 0;
  world.delayMaxMs = 20;
  for (const process of world.processes) if (!process.up) world.restart(process);
  world.order(Math.max(...world.honest.map(({ tip }) => tip.height)) + 2);
  for (let wait = 0; wait < 240 && world.honest.some(({ tip }) => tip.height < world.goal); wait++) world.run(500);
}

describe("Tendermint under random schedules", () => {
  it("never decides a height twice, blames nobody honest, and decides again once the network is calm", () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.constantFrom(...CLUSTERS),
      steps,
      (seed, [weights, twins], story) => {
        const world = new TendermintWorld({ weights, seed, twins });
        world.order(1);
        play(world, story);
        calm(world);
        expect(world.violations).to.deep.equal([]);
        expect(world.honest.map(({ tip }) => tip.height >= world.goal)).to.not.include(false);
      },
    );
    fc.assert(property, { numRuns: Number(process.env["TENDERMINT_RUNS"] ?? 40), endOnFailure: false });
  }).timeout(300_000);

  it("is caught where members forget their locks: who forgot is named", () => {
    const rules = { ...tendermintRules, mayPrevote: () => true, needsPolka: false, sharesPolkas: false };
    let broken = 0;
    for (let seed = 0; seed < 30; seed++) {
      const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed, rules });
      world.loss = 0.4;
      world.order(4);
      for (let round = 0; round < 10; round++) world.run(600);
      if (world.blamed.size > 0) broken += 1;
    }
    expect(broken).to.be.greaterThan(0);
  }).timeout(60_000);
});
