import { expect } from "chai";
import type { NodeId } from "#base";
import { createCore } from "#consensus";
import { CLUSTER, hasher, nodeId, Room } from "./core-kit.ts";

const [first, second, third, fourth] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

/** The heights at which reads of a node were answered. */
function answers(room: Room, node: NodeId): (number | undefined)[] {
  return room.effects("read-at", node).map(({ height }) => height);
}

/** A room whose first height is decided everywhere but at the named member. */
function withoutNewsFor(engine: "pbft" | "tendermint", late: NodeId): Room {
  const room = new Room([1, 1, 1, 1], {}, engine);
  for (const { id } of room.nodes) room.feed(id, { type: "pending", pending: true });
  room.onTheWay = (_from, to, message) => (to === late ? undefined : message);
  const [wanted] = room.effects("want-proposal");
  const leader = room.happenings.find(({ effect }) => effect.type === "want-proposal")?.node;
  if (wanted === undefined || leader === undefined || leader === late) throw new Error("another leads");
  room.propose(leader, { height: 1, view: wanted.view, text: "a" });
  room.settle();
  return room;
}

for (const engine of ["pbft", "tendermint"] as const) {
  describe(`a linearizable read (${engine})`, () => {
    it("sees what was decided before it, also at a member that heard nothing of it", () => {
      const room = withoutNewsFor(engine, third);
      expect(room.node(third).tip.height).to.equal(0);
      room.onTheWay = (_from, _to, message) => (message.type.startsWith("height-") ? message : undefined);
      room.feed(third, { type: "read", id: 7 });
      room.settle();
      expect(answers(room, third)).to.deep.equal([1]);
    });

    it("is answered by no fewer than a quorum, and asked again until it is", () => {
      const room = withoutNewsFor(engine, third);
      room.onTheWay = (from, to, message) => (from === second || to === second || from === first || to === first ? undefined : message);
      room.feed(fourth, { type: "read", id: 1 });
      room.settle();
      expect(answers(room, fourth)).to.deep.equal([]);
      room.onTheWay = (_from, _to, message) => message;
      room.feed(fourth, { type: "timer", name: "read" });
      room.settle();
      expect(answers(room, fourth)).to.deep.equal([1]);
    });

    it("believes no height that no certificate proves", () => {
      const room = withoutNewsFor(engine, third);
      const [{ certificate }] = room.effects("decide", first) as [ReturnType<typeof room.effects<"decide">>[number]];
      room.onTheWay = () => undefined;
      room.feed(third, { type: "read", id: 1 });
      const reply = { type: "height-reply", incarnation: 1, epoch: 0, round: 1 } as const;
      const tell = (from: NodeId, lie: object): void =>
        room.feed(third, { type: "message", from, message: { ...reply, certificate: { ...certificate, ...lie } } });
      tell(first, { height: 9 });
      tell(second, { height: 2 ** 40, votes: [] });
      tell(fourth, { epoch: 3 });
      room.feed(third, { type: "message", from: nodeId(9), message: reply });
      expect(answers(room, third)).to.deep.equal([]);
      tell(first, {});
      room.feed(third, { type: "message", from: second, message: reply });
      expect(answers(room, third)).to.deep.equal([1]);
    });

    it("rests on no answer of a member that has gone on to the next epoch: others may have decided in that", () => {
      const room = withoutNewsFor(engine, third);
      room.onTheWay = () => undefined;
      room.feed(third, { type: "read", id: 1 });
      // The first height ended the epoch: three members are gone from the next one, which its own members carry on.
      const { members } = room.membership;
      const next = { epoch: 1, members: members.filter(({ id }) => id === fourth) };
      for (const id of [first, second]) {
        const { tip } = room.node(id);
        const fixed = { cluster: CLUSTER, protocol: 1, window: 1, seed: 1, hasher, restored: { records: [], guard: [] } };
        const core = createCore(engine, { ...fixed, self: id, membership: next, tip, epochFirstHeight: 2 });
        core.step({ type: "start" });
        core.step({ type: "participate", above: tip.height });
        const effects = core.step({ type: "message", from: third, message: { type: "height-request", incarnation: 1, round: 1 } });
        for (const effect of effects) if (effect.type === "send") room.feed(third, { type: "message", from: id, message: effect.message });
      }
      expect(answers(room, third)).to.deep.equal([]);
      expect(room.effects("request-sync", third), "it is behind").to.have.length.above(0);
    });

    it("rests on no answer to an earlier question, and on none of a member that may have forgotten", () => {
      const room = new Room([1, 1, 1, 1], {}, engine);
      room.onTheWay = () => undefined;
      room.feed(third, { type: "read", id: 1 });
      room.feed(third, { type: "read", id: 2 });
      for (const [incarnation, round] of [
        [2, 1],
        [1, 0],
        [1, 2],
      ] as const) {
        for (const from of [first, second, fourth])
          room.feed(third, { type: "message", from, message: { type: "height-reply", incarnation, epoch: 0, round } });
      }
      expect(answers(room, third)).to.deep.equal([]);
      for (const from of [first, second])
        room.feed(third, { type: "message", from, message: { type: "height-reply", incarnation: 1, epoch: 0, round: 1 } });
      // The second read came after the first round had begun.
      expect(room.effects("read-at", third).map(({ id }) => id)).to.deep.equal([1]);
      room.feed(first, { type: "participate", above: 5 });
      room.happenings.length = 0;
      room.feed(first, { type: "message", from: third, message: { type: "height-request", incarnation: 1, round: 2 } });
      expect(room.effects("send", first)).to.deep.equal([]);
    });
  });
}
