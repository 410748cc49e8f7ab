import { expect } from "chai";
import { createCore, type Effect } from "#consensus";
import { CLUSTER, hasher, nodeId, Room } from "./core-kit.ts";

const WEIGHTS = [1, 1, 1, 1];
const [first, second] = [nodeId(1), nodeId(2)];

for (const engine of ["pbft", "tendermint"] as const) {
  /** A room that decided this at its first heights, in their order. */
  const decidedRoom = (...texts: readonly string[]): Room => {
    const room = new Room(WEIGHTS, {}, engine);
    for (const { id } of room.nodes) room.feed(id, { type: "pending", pending: true });
    for (const [index, text] of texts.entries()) {
      const height = index + 1;
      const leader = room.happenings.find(({ effect }) => effect.type === "want-proposal" && effect.height === height)?.node;
      room.propose(leader ?? first, { height, view: 0, text });
      room.settle();
    }
    return room;
  };

  describe(`blocks of another chain than the own one (${engine})`, () => {
    it("are checked one at a time: a liar that shows many of them has few signatures verified", () => {
      const own = decidedRoom("a");
      const decided = decidedRoom("b", "c").effects("decide", first).at(-1);
      if (decided === undefined) throw new Error("a second block");
      const { headerBytes, batch } = decided.proposal;
      const { certificate } = decided;
      expect(certificate.height).to.equal(2);
      const fixed = {
        cluster: CLUSTER,
        membership: own.membership,
        protocol: 1,
        window: 1,
        seed: 1,
        hasher,
        restored: { records: [], guard: [] },
      };
      const core = createCore(engine, { ...fixed, self: first, tip: own.node(first).tip });
      const show = (): readonly Effect[] =>
        core.step({ type: "message", from: second, message: { type: "block", headerBytes, batch, certificate } });
      const checks = Array.from({ length: 10 }, show).flat();
      expect(checks.filter(({ type }) => type === "verify")).to.have.length(1);
    });
  });
}
