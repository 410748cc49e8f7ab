import { expect } from "chai";
import { TendermintWorld } from "./tendermint-kit.ts";

/** More rounds than a core remembers. */
const ROUNDS = 48;

describe("a height of Tendermint that goes through more rounds than are remembered", () => {
  it("stops nobody who saw a polka in each of them alone, and is decided once it is heard of", () => {
    const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
    const [witness, ...others] = world.honest;
    // The others miss one prevote each, and the witness every proposal: in each round but its own it alone has a polka.
    world.lateBy = (from, to, { type }) => {
      if (type === "polka" || type === "passed-proposal" || type === "proposal-body") return undefined;
      if (type === "round-proposal") return from === witness || to === witness ? undefined : 0;
      const isMissed = type === "prevote" && to !== witness && others[(others.indexOf(to) + 1) % others.length] === from;
      return isMissed ? undefined : 0;
    };
    world.order(1);
    while ((others[0]?.core.snapshot().view ?? ROUNDS) < ROUNDS && world.now < 10_000_000) world.run(1_000);
    expect(witness?.core.snapshot().view).to.be.at.least(ROUNDS - 1);
    expect(world.decided.size).to.equal(0);
    world.lateBy = () => 0;
    world.run(120_000);
    expect(world.honest.map(({ tip }) => tip.height)).to.deep.equal([1, 1, 1, 1]);
    expect(world.violations).to.deep.equal([]);
  });
});
