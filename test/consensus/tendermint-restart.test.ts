import { expect } from "chai";
import type { NodeId } from "#base";
import { type ConsensusMessage, proposerOf } from "#consensus";
import { membershipOf, nodeId, Room } from "./core-kit.ts";
import { prevote, proposedAgain, roundEnd } from "./tendermint-votes.ts";

const EQUAL = [1, 1, 1, 1];
const membership = membershipOf(EQUAL);
const [p0, p1, p2, observed] = [0, 1, 2, 3].map((round) => proposerOf(membership, 1, round)) as [NodeId, NodeId, NodeId, NodeId];
const others = [1, 2, 3, 4].map(nodeId).filter((id) => id !== observed);

describe("a restart of Tendermint after which the guard alone knows of a prevote", () => {
  it("brings that prevote back for the valid round that it named, and for no other: no second signature, and none that is false", () => {
    const at = new Room(EQUAL, {}, "tendermint");
    at.onTheWay = (_from, to, message) => (to === observed && message.type === "round-proposal" ? message : undefined);
    const hear = (from: NodeId, message: ConsensusMessage): void => at.feed(observed, { type: "message", from, message });
    const prevotes = (): { view: number; validRound: number }[] =>
      at
        .effects("broadcast", observed)
        .flatMap(({ message }) => (message.type === "prevote" ? [{ view: message.view, validRound: message.validRound }] : []));
    at.propose(p0, { height: 1, view: 0, text: "a" });
    at.settle();
    const said = at.effects("broadcast", p0).find(({ message }) => message.type === "round-proposal")?.message;
    const digest = at.effects("validate", observed)[0]?.proposal.digest;
    if (said?.type !== "round-proposal" || digest === undefined) throw new Error("a proposal");
    const polka = (view: number, validRound: number): ConsensusMessage => {
      const votes = others.map((node) => ({ node, validRound, signature: prevote(node, { view, digest, validRound }).signature }));
      return { type: "polka", epoch: 0, height: 1, view, digest, votes };
    };
    hear(p0, polka(0, -1));
    hear(p0, roundEnd(others, 0));
    hear(p1, proposedAgain(said, p1, { view: 1, digest, validRound: 0 }));
    hear(p0, roundEnd(others, 1));
    hear(p0, polka(1, 0));
    hear(p2, proposedAgain(said, p2, { view: 2, digest, validRound: 1 }));
    const before = [-1, 0, 1].map((validRound, view) => ({ view, validRound }));
    expect(prevotes()).to.deep.equal(before);
    at.node(observed).records.delete("sent/prevote");
    at.restart(observed);
    const { records, guardRecords } = at.node(observed);
    const [disk, guard] = [new Map(records), new Map(guardRecords)];
    hear(p2, proposedAgain(said, p2, { view: 2, digest, validRound: 0 }));
    expect(prevotes()).to.deep.equal(before);
    for (const [kept, then] of [
      [records, disk],
      [guardRecords, guard],
    ] as [Map<string, unknown>, Map<string, unknown>][]) {
      kept.clear();
      for (const [key, value] of then) kept.set(key, value);
    }
    at.restart(observed);
    hear(p0, polka(1, 0));
    hear(p2, proposedAgain(said, p2, { view: 2, digest, validRound: 1 }));
    expect(prevotes()).to.deep.equal([...before, { view: 2, validRound: 1 }]);
  });
});
