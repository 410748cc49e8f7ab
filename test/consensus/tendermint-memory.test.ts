import { expect } from "chai";
import { encodeUtf8, type Hash, type NodeId, toHash } from "#base";
import { type ConsensusMessage, proposerOf } from "#consensus";
import { hasher, membershipOf, nodeId, Room } from "./core-kit.ts";
import { precommit, prevote, roundAhead, roundEnd } from "./tendermint-votes.ts";

const EQUAL = [1, 1, 1, 1];
const membership = membershipOf(EQUAL);
const observed = proposerOf(membership, 1, 3);
const others = [1, 2, 3, 4].map(nodeId).filter((id) => id !== observed) as [NodeId, NodeId, NodeId];
const VALUE: Hash = toHash(hasher.sha256(encodeUtf8("a value")));

function deafRoom(): { readonly at: Room; hear(from: NodeId, message: ConsensusMessage): void } {
  const at = new Room(EQUAL, {}, "tendermint");
  at.onTheWay = () => undefined;
  return { at, hear: (from, message) => at.feed(observed, { type: "message", from, message }) };
}

describe("what a member of Tendermint remembers of the rounds of a height", () => {
  it("holds few values: of a hundred that were proposed and got nowhere the newest are on disk, and the one that is locked", () => {
    const at = new Room(EQUAL, {}, "tendermint");
    const ids = membership.members.map(({ id }) => id);
    const bodies = (): string[] => [...at.node(observed).records.keys()].filter((key) => key.startsWith("body/"));
    const turn = (view: number, passes: (message: ConsensusMessage) => boolean): void => {
      at.onTheWay = (_from, _to, message) => (passes(message) ? message : undefined);
      at.propose(proposerOf(membership, 1, view), { height: 1, view, text: `value ${view}` });
      at.settle();
      at.onTheWay = () => undefined;
      for (const id of ids)
        at.feed(id, { type: "message", from: others.find((other) => other !== id) ?? id, message: roundEnd(others, view) });
      at.settle();
    };
    for (let view = 0; view < 50; view++) turn(view, ({ type }) => type === "round-proposal");
    expect(bodies().length).to.be.within(1, 20);
    turn(50, ({ type }) => type === "round-proposal" || type === "prevote");
    const [locked] = at.effects("validate", observed).slice(-1);
    expect(at.node(observed).records.has("lock")).to.equal(true);
    for (let view = 51; view < 100; view++) turn(view, ({ type }) => type === "round-proposal");
    expect(at.node(observed).core.snapshot().view).to.equal(100);
    expect(bodies()).to.include(`body/1/${locked?.proposal.digest}`);
    expect(bodies().length).to.be.within(1, 20);
    at.restart(observed);
    expect(at.node(observed).core.snapshot().view).to.equal(100);
  });

  it("holds few values also where they are still being checked when their rounds are forgotten: a liar proposes in every round ahead that it leads", () => {
    const [liar] = others;
    const said: ConsensusMessage[] = [];
    const there = new Room(EQUAL, {}, "tendermint");
    there.onTheWay = () => undefined;
    for (let view = 0; view < 160; view++) {
      there.propose(liar, { height: 1, view, text: `value ${view}` });
      const from = others.find((other) => other !== liar) ?? observed;
      there.feed(liar, {
        type: "message",
        from,
        message: roundEnd(
          membership.members.map(({ id }) => id),
          view,
        ),
      });
    }
    for (const { message } of there.effects("broadcast", liar)) if (message.type === "round-proposal") said.unshift(message);
    expect(said).to.have.length(40);
    const { at, hear } = deafRoom();
    at.holdsChecks = (node) => node === observed;
    for (const message of said) hear(liar, message);
    at.signHeld();
    const bodies = [...at.node(observed).records.keys()].filter((key) => key.startsWith("body/"));
    expect(bodies.length).to.be.within(1, 20);
  });

  it("is not pushed out by a member that votes in rounds far ahead: what decides an earlier one is still counted", () => {
    const { at, hear } = deafRoom();
    const [liar, first, second] = others;
    hear(first, precommit(first, { view: 0, digest: VALUE }));
    hear(second, precommit(second, { view: 0, digest: VALUE }));
    hear(first, roundAhead([first, second], 1));
    for (let view = 2; view < 200; view++) hear(liar, prevote(liar, { view, digest: VALUE }));
    hear(liar, precommit(liar, { view: 0, digest: VALUE }));
    expect(at.effects("request-sync", observed).map(({ fromHeight }) => fromHeight)).to.deep.equal([1]);
  });
});
