import { expect } from "chai";
import { type NodeId, ZERO_HASH } from "#base";
import { type ConsensusMessage, type Core, createCore, type Effect, type Input } from "#consensus";
import { CLUSTER, hasher, nodeId, Room } from "./core-kit.ts";

const TIMERS = ["progress", "retransmit", "punctual", "propose", "prevote", "precommit"] as const;

/** What a core does upon an input, its questions answered in its favour. */
function stepAll(core: Core, input: Input): Effect[] {
  return core.step(input).flatMap((effect): Effect[] => {
    if (effect.type === "verify") return stepAll(core, { type: "verified", id: effect.id, verdicts: effect.claims.map(() => true) });
    if (effect.type === "validate") return stepAll(core, { type: "validated", id: effect.id, valid: true });
    return [effect];
  });
}

/** What the members of a room tell one of them while they decide its first height. */
function saidInFirstHeight(engine: "pbft" | "tendermint"): readonly [NodeId, ConsensusMessage][] {
  const said: [NodeId, ConsensusMessage][] = [];
  const room = new Room([1, 1, 1, 1], {}, engine);
  const wanted = room.happenings.find(({ effect }) => effect.type === "want-proposal");
  if (wanted?.effect.type !== "want-proposal") throw new Error("nobody leads");
  const { node: leader, effect } = wanted;
  const listener = room.nodes.find(({ id }) => id !== leader)?.id;
  room.onTheWay = (from, to, message) => {
    if (to === listener) said.push([from, message]);
    return message;
  };
  room.propose(leader, { height: 1, view: effect.view, text: "a" });
  room.settle();
  return said;
}

for (const engine of ["pbft", "tendermint"] as const) {
  describe(`a learner, or who left, under ${engine}`, () => {
    it("follows what the members decide, and signs nothing: no view change either", () => {
      const { membership } = new Room([1, 1, 1, 1], {}, engine);
      const tip = { height: 0, digest: ZERO_HASH, timeUs: 0, view: 0 };
      const fixed = { cluster: CLUSTER, protocol: 1, window: 1, seed: 1, hasher, restored: { records: [], guard: [] } };
      const core = createCore(engine, { ...fixed, self: nodeId(9), membership, tip });
      const begin: Input[] = [{ type: "start" }, { type: "participate", above: 0 }, { type: "pending", pending: true }];
      const heard = saidInFirstHeight(engine).map(([from, message]): Input => ({ type: "message", from, message }));
      const effects = [...begin, ...heard].flatMap((input) => stepAll(core, input));
      expect(effects.flatMap((effect) => (effect.type === "decide" ? [effect.proposal.header.height] : []))).to.deep.equal([1]);
      for (let turn = 0; turn < 5; turn++) for (const name of TIMERS) effects.push(...stepAll(core, { type: "timer", name }));
      effects.push(...stepAll(core, { type: "suspect", view: core.snapshot().view }));
      expect(effects.filter(({ type }) => type === "sign").length, "signatures").to.equal(0);
      expect(effects.filter(({ type }) => type === "broadcast")).to.deep.equal([]);
      expect(core.snapshot()).to.include({ participates: false, phase: "following" });
    });
  });
}
