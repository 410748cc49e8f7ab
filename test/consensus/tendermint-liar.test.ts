import { expect } from "chai";
import { type ConsensusMessage, proposerOf } from "#consensus";
import { TendermintWorld } from "./tendermint-kit.ts";

/** How late a liar says each thing to each of the three others in a turn that it leads, in milliseconds; never where nothing stands. */
interface Turn {
  readonly proposal: readonly (number | undefined)[];
  readonly prevote: readonly (number | undefined)[];
  readonly precommit: readonly (number | undefined)[];
}

const NEVER = undefined;
const NOBODY = [NEVER, NEVER, NEVER];
const ALL = [0, 0, 0];
const HONEST: Turn = { proposal: ALL, prevote: ALL, precommit: ALL };
const SILENT: Turn = { proposal: NOBODY, prevote: NOBODY, precommit: NOBODY };
/** Turns that a liar which knows every rule and every timer takes again and again. */
const PLANS: readonly (readonly [string, readonly Turn[]])[] = [
  ["says nothing", [SILENT]],
  ["says nothing every other time", [SILENT, HONEST]],
  ["is late by just as much as is tolerated", [{ ...HONEST, proposal: [56, 56, 56] }]],
  ["is late by just as much as a trusted proposer is waited for", [{ ...HONEST, proposal: [146, 146, 146] }]],
  ["is in time for one member only, and every other time for none", [SILENT, { ...SILENT, proposal: [0, NEVER, NEVER] }]],
  ["leaves one member out and votes nowhere", [{ ...SILENT, proposal: [0, 0, NEVER] }]],
  ["leaves one member out every other time", [{ ...SILENT, proposal: [0, 0, NEVER] }, HONEST]],
  ["has one member lock", [{ proposal: [0, 0, NEVER], prevote: [0, NEVER, NEVER], precommit: NOBODY }]],
  ["has two members lock", [{ proposal: [0, 0, NEVER], prevote: [0, 0, NEVER], precommit: NOBODY }]],
  ["has one member decide", [{ proposal: [0, 0, NEVER], prevote: [0, 0, NEVER], precommit: [0, NEVER, NEVER] }]],
  ["has the member before it decide alone", [{ proposal: [0, NEVER, 0], prevote: [0, NEVER, 0], precommit: [NEVER, NEVER, 0] }]],
  ["leaves the next proposer out of a decision", [{ proposal: [0, 0, NEVER], prevote: [0, 0, NEVER], precommit: [0, 0, NEVER] }]],
  ["votes at the last moment", [{ proposal: [0, 0, NEVER], prevote: [190, 190, NEVER], precommit: [190, 190, NEVER] }]],
  ["takes one member along into the next round", [{ proposal: [100, 0, 30], prevote: [NEVER, NEVER, 100], precommit: [NEVER, NEVER, 52] }]],
  ["ends the round before its votes are late", [{ proposal: [30, 57, 30], prevote: [150, NEVER, 150], precommit: [150, 52, 150] }]],
];
const HEIGHTS = 48;

/** Milliseconds that a height takes in the long run, with a first member that lies in the turns that it leads, on links that take so long at least. */
function heightMs(turns: readonly Turn[], linkMs = 0): number {
  const world = new TendermintWorld({ weights: [1, 1, 1, 1], seed: 1 });
  const [liar, ...others] = world.processes;
  world.delayMaxMs = 2;
  world.delayMinMs = () => linkMs;
  const seen: number[] = [];
  world.lateBy = (from, to, message) => {
    if (from !== liar || !("height" in message) || proposerOf(world.membership, message.height, 0) !== liar.id) return 0;
    if (!seen.includes(message.height)) seen.push(message.height);
    const turn = turns[seen.indexOf(message.height) % turns.length];
    return turn === undefined ? 0 : lateness(turn, others.indexOf(to), message);
  };
  const runTo = (height: number): number => {
    world.order(height);
    while (world.now < 600_000 && others.some(({ tip }) => tip.height < height)) world.run(500);
    expect(Math.min(...others.map(({ tip }) => tip.height))).to.be.at.least(height);
    return Math.max(...others.map(({ tip }) => tip.timeUs)) / 1_000;
  };
  const fromMs = runTo(24);
  const toMs = runTo(24 + HEIGHTS);
  expect(world.violations).to.deep.equal([]);
  return (toMs - fromMs) / HEIGHTS;
}

function lateness({ proposal, prevote, precommit }: Turn, index: number, message: ConsensusMessage): number | undefined {
  switch (message.type) {
    case "round-proposal":
      return message.view === 0 ? proposal[index] : NEVER;
    case "prevote":
      return message.view === 0 ? prevote[index] : NEVER;
    case "precommit":
      return message.view === 0 ? precommit[index] : NEVER;
    default:
      return NEVER;
  }
}

describe("One liar of four members under Tendermint", function () {
  this.timeout(60_000);
  // Half of the throughput is left while a turn of the liar costs no more than the four heights of a cycle take: some 140 ms in real processes.
  const honestMs = heightMs([HONEST]);

  for (const [about, turns] of PLANS) {
    it(`costs the others less than half of their throughput when it ${about}`, () => {
      expect(4 * (heightMs(turns) - honestMs)).to.be.lessThan(100);
    });
  }

  it("costs no more than that on slower links, where the waits are those that the others need", () => {
    for (const linkMs of [40, 80]) {
      const throughput = heightMs([HONEST], linkMs) / heightMs([SILENT], linkMs);
      expect(throughput, `${linkMs} ms`).to.be.greaterThan(0.5);
    }
  });
});
