import { expect } from "chai";
import { encodeUtf8, type Hash, type NodeId, toHash, ZERO_HASH } from "#base";
import { type ConsensusMessage, proposerOf, type RoundProposal } from "#consensus";
import { hasher, membershipOf, Room } from "./core-kit.ts";
import { precommit, prevote, roundAhead, roundEnd } from "./tendermint-votes.ts";

const EQUAL = [1, 1, 1, 1];
const membership = membershipOf(EQUAL);
/** Two lie, one of them leads the second round; one honest member decided in the first round, and the other never heard of it. */
const [decided, liar, helper, honest] = [0, 1, 2, 3].map((round) => proposerOf(membership, 1, round)) as [NodeId, NodeId, NodeId, NodeId];
const LIARS = [liar, helper];
/** What was decided in the first round. */
const FIRST: Hash = toHash(hasher.sha256(encodeUtf8("a")));

/** The proposal of a round, as its proposer says it in a world of its own. */
function proposalOf(view: number, text: string): RoundProposal {
  const at = new Room(EQUAL, {}, "tendermint");
  const proposer = proposerOf(membership, 1, view);
  at.onTheWay = () => undefined;
  if (view > 0)
    at.feed(proposer, { type: "message", from: honest, message: roundEnd([...membership.members.map(({ id }) => id)], view - 1) });
  at.propose(proposer, { height: 1, view, text });
  const said = at.effects("broadcast", proposer).find(({ message }) => message.type === "round-proposal")?.message;
  if (said?.type !== "round-proposal") throw new Error("a proposal");
  return said;
}

/** The honest member that heard nothing of the first round, in the second one with another value before it, which it prevoted for. */
function second(): {
  readonly at: Room;
  readonly value: NonNullable<ReturnType<typeof prevotedBy>>;
  hear(from: NodeId, message: ConsensusMessage): void;
} {
  const at = new Room(EQUAL, {}, "tendermint");
  at.onTheWay = () => undefined;
  const hear = (from: NodeId, message: ConsensusMessage): void => at.feed(honest, { type: "message", from, message });
  hear(liar, roundAhead([...LIARS].sort(), 1));
  hear(liar, proposalOf(1, "b"));
  const value = prevotedBy(at);
  if (value === undefined) throw new Error("a prevote");
  return { at, value, hear };
}

function prevotedBy(at: Room): Extract<ConsensusMessage, { type: "prevote" }> | undefined {
  return at.effects("broadcast", honest).flatMap(({ message }) => (message.type === "prevote" ? [message] : []))[0];
}

function hasPrecommitted(at: Room): boolean {
  return at.effects("append", honest).some(({ record }) => record.key === "lock");
}

describe("two of four members that lie and decide two blocks of Tendermint", () => {
  it("get no quorum by naming a valid round that nobody proposed: votes for one value count together only where they name one round", () => {
    const { at, value, hear } = second();
    expect(value).to.include({ view: 1, validRound: -1 });
    for (const id of LIARS) hear(id, prevote(id, { view: 1, digest: value.digest, validRound: 0 }));
    expect(hasPrecommitted(at)).to.equal(false);
    const votes = [...LIARS, honest].sort().map((node) => {
      const { validRound, signature } = prevote(node, { view: 1, digest: value.digest, validRound: node === honest ? -1 : 0 });
      return { node, validRound, signature };
    });
    const asked = at.effects("verify", honest).length;
    hear(liar, { type: "polka", epoch: 0, height: 1, view: 1, digest: value.digest, votes });
    expect(at.effects("verify", honest)).to.have.length(asked);
    expect(hasPrecommitted(at)).to.equal(false);
  });

  it("are both named when they name the round that was proposed, by whoever hears what they precommitted before", () => {
    const { at, value, hear } = second();
    for (const id of LIARS) hear(id, precommit(id, { view: 0, digest: FIRST }));
    for (const id of LIARS) hear(id, prevote(id, { view: 1, digest: value.digest }));
    expect(hasPrecommitted(at)).to.equal(true);
    const named = at.effects("evidence", honest).map(({ evidence }) => `${evidence.kind} ${evidence.offender}`);
    expect(named).to.have.members(LIARS.map((id) => `amnesia ${id}`));
  });

  it("are named also by who is shown the proof that others had of their votes, and heard nothing or something else of them", () => {
    const { at, value, hear } = second();
    for (const id of LIARS) hear(id, precommit(id, { view: 0, digest: FIRST }));
    hear(helper, prevote(helper, { view: 1, digest: ZERO_HASH }));
    const votes = [...LIARS, honest].sort().map((node) => {
      const { validRound, signature } = prevote(node, { view: 1, digest: value.digest });
      return { node, validRound, signature };
    });
    hear(decided, { type: "polka", epoch: 0, height: 1, view: 1, digest: value.digest, votes });
    const named = at.effects("evidence", honest).map(({ evidence }) => `${evidence.kind} ${evidence.offender}`);
    expect(named).to.have.members([`double-vote ${helper}`, `amnesia ${liar}`]);

    const later = second();
    for (const id of LIARS) later.hear(id, precommit(id, { view: 1, digest: FIRST }));
    later.hear(decided, roundEnd([decided, ...LIARS].sort(), 1));
    expect(later.at.effects("evidence", honest).map(({ evidence }) => evidence.offender)).to.have.members(LIARS);
  });

  it("are named when they tell one of one valid round and another of another, for one value", () => {
    const { at, value, hear } = second();
    hear(helper, prevote(helper, { view: 1, digest: value.digest }));
    hear(helper, prevote(helper, { view: 1, digest: value.digest, validRound: 0 }));
    expect(at.effects("evidence", honest).map(({ evidence }) => `${evidence.kind} ${evidence.offender}`)).to.deep.equal([
      `double-vote ${helper}`,
    ]);
  });
});
