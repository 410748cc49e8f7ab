import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { weightOf } from "#base";
import { type RaftRules, raftRules } from "#consensus";
import { RaftCluster } from "./raft-kit.ts";

const ACTIONS = ["run", "order", "cut", "heal", "crash", "restart", "slow", "release", "transfer", "read"] as const;

interface Step {
  readonly action: (typeof ACTIONS)[number];
  readonly node: number;
  readonly ms: number;
}

const steps = fc.array(fc.record({ action: fc.constantFrom(...ACTIONS), node: fc.nat({ max: 6 }), ms: fc.integer({ min: 1, max: 900 }) }), {
  maxLength: 60,
});

function play(cluster: RaftCluster, story: readonly Step[]): void {
  for (const { action, node: index, ms } of story) {
    const node = cluster.nodes[index % cluster.nodes.length];
    if (node === undefined) continue;
    const down = cluster.nodes.filter(({ up }) => !up).map(({ id }) => id);
    if (action === "order") cluster.order(1 + (ms % 3));
    if (action === "cut") cluster.cut([node.id, ...cluster.nodes.slice(0, ms % 3).map(({ id }) => id)]);
    if (action === "heal") cluster.passes = () => true;
    if (action === "crash" && node.up && 2 * weightOf(cluster.membership, [...down, node.id]) < cluster.nodes.length)
      cluster.crash(node.id);
    if (action === "restart" && !node.up && cluster.halts.length === 0) cluster.restart(node.id);
    if (action === "slow" && node.up) node.slowDisk = true;
    if (action === "release") cluster.release(node.id);
    if (action === "transfer") cluster.feed(cluster.leader()?.id ?? node.id, { type: "transfer", to: node.id });
    if (action === "read") cluster.feed(node.id, { type: "read", id: ms });
    cluster.run(ms);
  }
}

function calm(cluster: RaftCluster): void {
  cluster.passes = () => true;
  cluster.loss = 0;
  for (const node of cluster.nodes) {
    cluster.release(node.id);
    if (!node.up) cluster.restart(node.id);
  }
  for (let round = 0; round < 10; round++) {
    cluster.order(1);
    cluster.run(800);
  }
}

describe("raft under random schedules", () => {
  it("never decides a height twice, never has two leaders in a term, and decides again once the network is calm", () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.constantFrom(3, 5),
      fc.integer({ min: 1, max: 4 }),
      steps,
      (...drawn) => {
        const [seed, size, window, story] = drawn;
        const cluster = new RaftCluster({ weights: Array.from({ length: size }, () => 1), seed, window });
        cluster.loss = (seed % 4) / 10;
        play(cluster, story);
        const before = Math.max(...cluster.nodes.map(({ tip }) => tip.height));
        calm(cluster);
        expect(cluster.violations.join("; ")).to.equal("");
        expect(cluster.halts.join("; ")).to.equal("");
        expect(Math.min(...cluster.nodes.map(({ tip }) => tip.height))).to.be.greaterThan(before);
      },
    );
    fc.assert(property, { numRuns: Number(process.env["RAFT_RUNS"] ?? 60), endOnFailure: false });
  }).timeout(200_000);

  it("is caught by the checker where a rule is left out", () => {
    const broken: readonly Partial<RaftRules>[] = [
      { isQuorum: () => true },
      { votesOnce: false, isSticky: false, asksBeforeCampaign: false },
    ];
    for (const rules of broken) {
      let caught = false;
      for (let seed = 0; seed < 400 && !caught; seed++) {
        const cluster = new RaftCluster({ weights: [1, 1, 1, 1, 1], seed, rules: { ...raftRules, ...rules } });
        cluster.loss = 0.3;
        for (let round = 0; round < 6; round++) {
          const [first, second] = cluster.random.shuffle(cluster.nodes.map(({ id }) => id));
          if (first !== undefined && second !== undefined) cluster.cut([first, second]);
          cluster.order(2);
          cluster.run(1_500);
          cluster.passes = () => true;
          cluster.run(300);
        }
        caught = cluster.violations.length + cluster.halts.length > 0;
      }
      expect(caught, JSON.stringify(Object.keys(rules))).to.equal(true);
    }
  }).timeout(60_000);
});
