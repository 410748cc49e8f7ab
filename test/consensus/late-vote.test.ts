import { expect } from "chai";
import { type NodeId, VOTE_TYPE } from "#base";
import { phaseOf, proposerOf } from "#consensus";
import { membershipOf, nodeId, Room } from "./core-kit.ts";

const WEIGHTS = [1, 1, 1, 1];
const COMMITS: readonly number[] = [VOTE_TYPE.pbftCommit, VOTE_TYPE.tendermintPrecommit].map(phaseOf);

for (const engine of ["pbft", "tendermint"] as const) {
  describe(`A vote of ${engine} that is signed after the votes of others decided`, () => {
    it("is sent all the same, since the others' need not have come to everybody", () => {
      const leader = engine === "pbft" ? nodeId(1) : proposerOf(membershipOf(WEIGHTS), 1, 0);
      const others = [1, 2, 3, 4].map(nodeId).filter((id) => id !== leader);
      const [second, confidant, liar] = others as [NodeId, NodeId, NodeId];
      const room = new Room(WEIGHTS, undefined, engine);
      // The liar speaks to one member alone.
      room.onTheWay = (from, to, message) => (from === liar && to !== confidant ? undefined : message);
      room.holds = (node, { phase }) => node === confidant && COMMITS.includes(phase);
      room.propose(leader, { height: 1, view: 0, text: "a" });
      room.settle();
      const decisions = (): number[] => [leader, second, confidant].map((id) => room.effects("decide", id).length);
      expect(decisions()).to.deep.equal([0, 0, 1]);
      room.signHeld();
      expect(decisions()).to.deep.equal([1, 1, 1]);
    });
  });
}
