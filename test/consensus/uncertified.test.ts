import { expect } from "chai";
import { LIMITS, ZERO_HASH } from "#base";
import { nodeId, Room } from "./core-kit.ts";

const { uncertifiedHeightsMax } = LIMITS;
const ids = [1, 2, 3, 4].map(nodeId);

for (const engine of ["pbft", "tendermint"] as const) {
  describe(`a proposal that names nothing certified (${engine})`, () => {
    it("gets no vote further above it than ordering may run ahead of execution", () => {
      const room = new Room([1, 1, 1, 1], {}, engine);
      for (const id of ids) room.feed(id, { type: "pending", pending: true });
      for (let height = 1; height <= uncertifiedHeightsMax + 1; height++) {
        const wish = room.happenings.findLast(({ effect }) => effect.type === "want-proposal" && effect.height === height);
        if (wish === undefined) throw new Error(`nobody was asked to propose at ${height}`);
        room.propose(wish.node, { height, view: 0, text: `block ${height}` });
        room.settle();
      }
      expect(room.nodes.map(({ tip }) => tip.height)).to.deep.equal(ids.map(() => uncertifiedHeightsMax));
      // Who proposed it believes itself; nobody else does.
      const votersAt = (wanted: number): number => {
        const votes = room.happenings.filter(({ effect }) => {
          if (effect.type !== "broadcast" || (effect.message.type !== "prepare" && effect.message.type !== "prevote")) return false;
          return effect.message.height === wanted && effect.message.digest !== ZERO_HASH;
        });
        const proposer = room.happenings.findLast(({ effect }) => effect.type === "want-proposal" && effect.height === wanted)?.node;
        return votes.filter(({ node }) => node !== proposer).length;
      };
      expect(votersAt(uncertifiedHeightsMax)).to.equal(3);
      expect(votersAt(uncertifiedHeightsMax + 1)).to.equal(0);
    });
  });
}
