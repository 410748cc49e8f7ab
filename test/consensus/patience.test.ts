import { expect } from "chai";
import type { NodeId } from "#base";
import { type Core, type Effect, type Input, proposerOf, type TimerName } from "#consensus";
import { nodeId, Room } from "./core-kit.ts";
import { RaftCluster } from "./raft-kit.ts";
import { TendermintWorld } from "./tendermint-kit.ts";
import { roundEnd } from "./tendermint-votes.ts";

/** How long a core set a timer for, one figure each time, from now on. */
function delaysOf(holder: { core: Core }, name: TimerName): number[] {
  const delays: number[] = [];
  const { core } = holder;
  holder.core = {
    snapshot: () => core.snapshot(),
    step: (input): readonly Effect[] => {
      const effects = core.step(input);
      for (const effect of effects) if (effect.type === "set-timer" && effect.name === name) delays.push(effect.delayMs);
      return effects;
    },
  };
  return delays;
}

/** Calls back for each timer of a core that fires from now on. */
function onTimers(holder: { core: Core }, onTimer: (name: TimerName) => void): void {
  const { core } = holder;
  holder.core = {
    snapshot: () => core.snapshot(),
    step: (input): readonly Effect[] => {
      if (input.type === "timer") onTimer(input.name);
      return core.step(input);
    },
  };
}

describe("Tendermint's waits", function () {
  this.timeout(20_000);

  it("grow until a proposal comes in time on a slow network, and shrink again when it is fast", () => {
    const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
    world.delayMinMs = () => 700;
    const [observed] = world.processes;
    if (observed === undefined) throw new Error("four processes");
    const delays = delaysOf(observed, "propose");
    const roundOf = (height: number): number => observed.blocks.get(height)?.certificate.view ?? -1;
    world.order(12);
    world.run(120_000);
    expect(roundOf(1)).to.be.greaterThan(0);
    expect([10, 11, 12].map(roundOf)).to.deep.equal([0, 0, 0]);
    world.delayMinMs = () => 0;
    world.order(120);
    world.run(120_000);
    expect(observed.tip.height).to.equal(120);
    // Neither doubled any more nor as long as where nobody is known to be in time.
    expect(delays.at(-1)).to.equal(150);
    expect(world.violations).to.deep.equal([]);
  });

  it("are not drawn out by proposals that came after a suspicion of their proposers, however many members they are of", () => {
    const longestOf = (giveUp: Input): number => {
      const at = new Room([1, 1, 1, 1], {}, "tendermint");
      const proposers = [0, 1, 2, 3].map((round) => proposerOf(at.membership, 1, round));
      const [observed] = proposers.slice(3) as [NodeId];
      const others = at.nodes.map(({ id }) => id).filter((id) => id !== observed);
      at.onTheWay = () => undefined;
      at.feed(observed, { type: "pending", pending: true });
      for (const view of [0, 1]) {
        at.feed(observed, giveUp.type === "suspect" ? { ...giveUp, view } : giveUp);
        at.onTheWay = (_from, to, message) => (to === observed && message.type === "round-proposal" ? message : undefined);
        at.propose(proposers[view] ?? observed, { height: 1, view, text: `${view}` });
        at.settle();
        for (const { id } of at.nodes) at.feed(id, { type: "message", from: observed, message: roundEnd(others, view) });
        at.settle();
      }
      expect(at.effects("validate", observed)).to.have.length(2);
      return Math.max(...at.effects("set-timer", observed).flatMap(({ name, delayMs }) => (name === "propose" ? [delayMs] : [])));
    };
    expect(longestOf({ type: "timer", name: "propose" })).to.equal(2 * (600 + 2 * 250));
    expect(longestOf({ type: "suspect", view: 0 })).to.equal(600 + 2 * 250);
  });

  it("are not drawn out by one proposer that is late on purpose", () => {
    const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
    const [liar, observed] = world.processes;
    if (observed === undefined) throw new Error("four processes");
    world.delayMinMs = (from) => (from === liar ? 700 : 0);
    const delays = delaysOf(observed, "propose");
    world.order(40);
    world.run(120_000);
    expect(observed.tip.height).to.equal(40);
    // The first turn, and never again.
    expect(delays.filter((delay) => delay >= 600).length).to.be.at.most(4);
    expect(Math.max(...delays)).to.equal(600);
  });
});

describe("Votes that cannot agree any more", function () {
  this.timeout(20_000);

  it("are waited for no longer, though a quorum was verified without the vote that shows it", () => {
    const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
    const [liar, confidant] = world.processes;
    world.passes = (from, to) => from !== liar || to === confidant;
    let waits = 0;
    for (const process of world.honest)
      onTimers(process, (name) => {
        if (name === "prevote" || name === "precommit") waits += 1;
      });
    world.order(60);
    // Slices, since who is left behind gets the block at the end of each.
    for (let slice = 0; slice < 300; slice++) world.run(100);
    expect(confidant?.tip.height).to.equal(60);
    expect(
      [...world.decided.keys()].filter((height) => (confidant?.blocks.get(height)?.certificate.view ?? 0) > 0),
    ).to.have.length.at.least(10);
    expect(waits).to.equal(0);
    expect(world.violations).to.deep.equal([]);
  });
});

describe("A proposer that is late turn after turn", function () {
  this.timeout(20_000);

  it("is waited for only shortly, and longer again once it was in time for many turns", () => {
    const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
    const [liar, observed] = world.processes;
    if (observed === undefined) throw new Error("four processes");
    world.delayMinMs = (from) => (from === liar ? 400 : 0);
    const delays = delaysOf(observed, "propose");
    world.order(60);
    world.run(60_000);
    expect(observed.tip.height).to.equal(60);
    expect(delays.filter((delay) => delay === 60).length).to.be.at.least(10);
    expect(delays.filter((delay) => delay === 150).length).to.be.at.least(30);
    world.delayMinMs = () => 0;
    const before = delays.length;
    world.order(200);
    world.run(60_000);
    expect(observed.tip.height).to.equal(200);
    expect(delays.slice(before, before + 40)).to.include(60);
    expect(Math.min(...delays.slice(-40))).to.equal(150);
    expect(world.violations).to.deep.equal([]);
  });

  it("gains nothing by being in time now and then", () => {
    const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
    const [liar, observed] = world.processes;
    if (liar === undefined || observed === undefined) throw new Error("four processes");
    world.lateBy = (from, _to, message) => (from === liar && message.type === "round-proposal" && message.height % 12 < 8 ? undefined : 0);
    const delays = delaysOf(observed, "propose");
    world.order(160);
    world.run(60_000);
    expect(observed.tip.height).to.equal(160);
    expect(delays.slice(-120).filter((delay) => delay === 60).length).to.be.at.least(20);
  });

  it("is waited for as usual where a slow network makes most of them late", () => {
    const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
    const [observed] = world.processes;
    if (observed === undefined) throw new Error("four processes");
    world.delayMinMs = () => 200;
    const delays = delaysOf(observed, "propose");
    world.order(40);
    world.run(120_000);
    expect(observed.tip.height).to.equal(40);
    expect(Math.min(...delays)).to.equal(600);
    expect(world.violations).to.deep.equal([]);
  });
});

describe("Raft's waits", () => {
  it("grow until somebody is elected on a network that is slower than the timers, and shrink again", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1, 1, 1] });
    cluster.delayMs = 700;
    cluster.run(60_000, () => cluster.leader() !== undefined);
    cluster.order(2);
    cluster.run(20_000);
    expect(Math.min(...cluster.nodes.map(({ tip }) => tip.height))).to.equal(2);
    cluster.delayMs = 0;
    const follower = cluster.nodes.find(({ id }) => id !== cluster.leader()?.id) ?? cluster.node(nodeId(1));
    const delays = delaysOf(follower, "election");
    for (let i = 0; i < 120; i++) {
      cluster.order(1);
      cluster.run(100);
    }
    expect(delays[0]).to.be.greaterThan(400);
    expect(delays.at(-1)).to.equal(400);
    expect(cluster.violations).to.deep.equal([]);
  });
});
