import { expect } from "chai";
import fc from "fast-check";
import {
  type BlockHeader,
  encodeHeader,
  encodeVoteBody,
  fromHex,
  type Hash,
  headerDigest,
  LIMITS,
  type NodeId,
  QuorumgateError,
  signedBytes,
  toHash,
  VOTE_TYPE,
  type VoteType,
  ZERO_HASH,
} from "#base";
import { type ConsensusMessage, decodeMessage, type Effect, encodeMessage } from "#consensus";
import { CLUSTER, hasher, nodeId, Room, sign } from "./core-kit.ts";

const ENGINES = ["pbft", "tendermint", "raft"] as const;
const LIAR = nodeId(4);

const number = fc.oneof(fc.nat({ max: 4 }), fc.constantFrom(16, 1_000, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER));
const round = fc.oneof(fc.constant(-1), number);
const hash: fc.Arbitrary<Hash> = fc.constantFrom(ZERO_HASH, toHash(new Uint8Array(32).fill(1)), toHash(new Uint8Array(32).fill(2)));
const node: fc.Arbitrary<NodeId> = fc.integer({ min: 1, max: 6 }).map(nodeId);
const signature = fc.constant(new Uint8Array(64));
const flag = fc.boolean();
const few = { maxLength: 6 };
const slot = { epoch: fc.constantFrom(0, 0, 0, 1), height: number, view: number };
const header: fc.Arbitrary<BlockHeader> = fc.record({
  protocol: fc.constantFrom(1, 2),
  cluster: fc.constant(CLUSTER),
  epoch: fc.constantFrom(0, 1),
  height: number,
  originView: number,
  proposer: node,
  timeUs: number,
  parent: hash,
  commandsRoot: hash,
  certified: fc.record({ height: number, size: number, root: hash }),
});
/** Fits height 1, but for what stands in it. */
const plausible: fc.Arbitrary<BlockHeader> = fc.record({
  protocol: fc.constant(1),
  cluster: fc.constant(CLUSTER),
  epoch: fc.constant(0),
  height: fc.constant(1),
  originView: fc.nat({ max: 3 }),
  proposer: node,
  timeUs: fc.constant(5),
  parent: fc.constant(ZERO_HASH),
  commandsRoot: hash,
  certified: fc.record({ height: fc.constant(0), size: number, root: hash }),
});
const body = {
  headerBytes: fc.oneof(header.map(encodeHeader), plausible.map(encodeHeader), fc.uint8Array({ maxLength: 40 })),
  certifiedProof: fc.uint8Array({ maxLength: 10 }),
  batch: fc.array(fc.uint8Array({ maxLength: 10 }), { maxLength: 3 }),
};
const votes = fc.array(fc.record({ node, signature }), few);
const prepared = fc.record({ ...slot, digest: hash, headerBytes: body.headerBytes, proposalSignature: signature, votes });
const certificate = fc.record({ ...slot, digest: hash, votes });
const viewChange = fc.record({
  type: fc.constant("view-change" as const),
  ...slot,
  sender: node,
  parent: hash,
  prepared: fc.array(prepared, { maxLength: 3 }),
  signature,
});
const roundVote = fc.record({
  node,
  round: number,
  step: fc.constantFrom("prevote" as const, "precommit" as const),
  digest: hash,
  validRound: round,
  signature,
});
const named = <T extends string>(type: T): { type: fc.Arbitrary<T> } => ({ type: fc.constant(type) });
const termed = { epoch: fc.constantFrom(0, 0, 0, 1), term: number };

/** Every message of every engine, well formed and absurd. */
const message: fc.Arbitrary<ConsensusMessage> = fc.oneof(
  fc.record({ ...named("fetch-proposal"), height: number, digest: hash }),
  fc.record({ ...named("proposal-body"), height: number, ...body }),
  fc.record({ ...named("block"), headerBytes: body.headerBytes, batch: body.batch, certificate }),
  fc.record({ ...named("height-request"), incarnation: number, round: number }),
  fc.record({ ...named("height-reply"), incarnation: number, epoch: number, round: number }),
  fc.record({ ...named("height-reply"), incarnation: fc.constant(1), epoch: number, round: number, certificate }),
  fc.record({ ...named("propose"), ...slot, ...body, signature }),
  fc.record({ ...named("prepare"), ...slot, digest: hash, signature }),
  fc.record({ ...named("commit"), ...slot, digest: hash, signature }),
  fc.oneof(
    viewChange,
    fc.tuple(viewChange, certificate).map(([change, tip]) => ({ ...change, tip })),
  ),
  fc.record({ ...named("new-view"), ...slot, signature, viewChanges: fc.array(viewChange, { maxLength: 4 }) }),
  fc.record({ ...named("heard-new-view"), ...slot, signature, viewChanges: votes }),
  fc.record({ ...named("round-proposal"), ...slot, validRound: round, ...body, signature }),
  fc.record({ ...named("passed-proposal"), ...slot, validRound: round, ...body, signature }),
  fc.record({ ...named("prevote"), ...slot, digest: hash, validRound: round, signature }),
  fc.record({ ...named("precommit"), ...slot, digest: hash, signature }),
  fc.record({ ...named("polka"), ...slot, digest: hash, votes: fc.array(fc.record({ node, validRound: round, signature }), few) }),
  fc.record({ ...named("round-certificate"), ...slot, votes: fc.array(roundVote, few) }),
  fc.record({ ...named("vote-request"), ...termed, pre: flag, transfer: flag, lastHeight: number, lastTerm: number }),
  fc.record({ ...named("vote-reply"), ...termed, pre: flag, granted: flag }),
  fc.record({ ...named("append"), ...termed, prevHeight: number, prevDigest: hash, commit: number, round: number }),
  fc
    .record({ ...termed, prevHeight: number, prevDigest: hash, commit: number, round: number, entry: fc.record(body) })
    .map((append) => ({ type: "append" as const, ...append })),
  fc.record({
    ...named("append-reply"),
    ...termed,
    accepted: flag,
    height: number,
    heightTerm: number,
    round: number,
    counts: flag,
    incarnation: number,
  }),
  fc.record({ ...named("timeout-now"), ...termed }),
  fc.record({ ...named("read-request"), ...termed, life: number, id: number }),
  fc.record({ ...named("read-reply"), ...termed, life: number, id: number, height: number }),
  fc.record({ ...named("recall-request"), ...termed, incarnation: number }),
  fc.record({ ...named("recall-reply"), ...termed, incarnation: number, height: number }),
);

const VOTE_TYPES: Partial<Record<ConsensusMessage["type"], VoteType>> = {
  propose: VOTE_TYPE.pbftPropose,
  prepare: VOTE_TYPE.pbftPrepare,
  commit: VOTE_TYPE.pbftCommit,
  "round-proposal": VOTE_TYPE.tendermintPropose,
  prevote: VOTE_TYPE.tendermintPrevote,
  precommit: VOTE_TYPE.tendermintPrecommit,
};

const NIL_TYPES: Partial<Record<VoteType, VoteType>> = {
  [VOTE_TYPE.tendermintPrevote]: VOTE_TYPE.tendermintPrevoteNil,
  [VOTE_TYPE.tendermintPrecommit]: VOTE_TYPE.tendermintPrecommitNil,
};

/** The same with the liar's own good signature, where a message is one vote or proposal. */
function signed(lie: ConsensusMessage): ConsensusMessage {
  const type = VOTE_TYPES[lie.type];
  if (type === undefined || !("signature" in lie) || !("view" in lie)) return lie;
  const { epoch, height, view } = lie;
  const digest = "digest" in lie ? lie.digest : "headerBytes" in lie ? headerDigest(hasher, lie.headerBytes) : ZERO_HASH;
  const validRound = "validRound" in lie ? lie.validRound : -1;
  const about = { cluster: fromHex(CLUSTER), epoch, height, view, digest: fromHex(digest), validRound };
  const body = encodeVoteBody({ ...about, type: digest === ZERO_HASH ? (NIL_TYPES[type] ?? type) : type });
  const purpose = type === VOTE_TYPE.pbftPropose || type === VOTE_TYPE.tendermintPropose ? "proposal" : "vote";
  return { ...lie, signature: sign(LIAR, signedBytes(purpose, body)) };
}

describe("the codec of every engine's messages", () => {
  it("reads back what it wrote", () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeMessage(encodeMessage(sent))).to.deep.equal(sent);
      }),
      { numRuns: 2_000 },
    );
  });

  it("answers damaged bytes with an error of its own, and reads nothing in two ways", () => {
    const damage = fc.array(fc.record({ at: fc.nat(), flip: fc.integer({ min: 1, max: 255 }) }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(message.map(encodeMessage), damage, (whole, changes) => {
        const bytes = whole.slice();
        for (const { at, flip } of changes) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
        try {
          expect(encodeMessage(decodeMessage(bytes))).to.deep.equal(bytes);
        } catch (error) {
          expect(error).to.be.instanceOf(QuorumgateError);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("a core that a peer feeds well-formed nonsense", function () {
  this.timeout(20_000);

  for (const engine of ENGINES) {
    it(`throws nothing, keeps little and blames nobody else (${engine})`, () => {
      const story = fc.array(fc.record({ to: fc.integer({ min: 1, max: 3 }), message: fc.oneof(message, message.map(signed)) }), {
        minLength: 1,
        maxLength: 40,
      });
      fc.assert(
        fc.property(story, (lies) => {
          const room = new Room([1, 1, 1, 1], {}, engine);
          room.happenings.length = 0;
          for (const { to, message: lie } of lies) {
            room.feed(nodeId(to), { type: "message", from: LIAR, message: lie });
            room.settle();
          }
          const count = (type: Effect["type"]): number => room.effects(type).length;
          for (const { evidence } of room.effects("evidence")) expect(evidence.offender).to.equal(LIAR);
          // Raft tolerates crashes only: who lies there may stop a node, but not break it.
          if (engine !== "raft") expect(count("halt") + count("decide")).to.equal(0);
          for (const { records } of room.nodes) expect(records.size).to.be.at.most(8);
        }),
        { numRuns: 400 },
      );
    });
  }
});

describe("a core that a leader sends later heights' proposals", () => {
  const [first, , , last] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

  /** Whether the last node votes for the second height once it learns of the first, having heard so many long proposals in between. */
  function votesAfter(count: number): boolean {
    const room = new Room([1, 1, 1, 1]);
    const held: { readonly from: NodeId; readonly message: ConsensusMessage }[] = [];
    room.onTheWay = (from, to, message) => {
      if (to !== last) return message;
      held.push({ from, message });
      return undefined;
    };
    for (const height of [1, 2]) {
      room.propose(first, { height, view: 0, text: `block ${height}` });
      room.settle();
    }
    const [proposal] = held.flatMap(({ message }) => (message.type === "propose" && message.height === 2 ? message : []));
    if (proposal === undefined) throw new Error("the second height was proposed");
    room.feed(last, { type: "message", from: first, message: proposal });
    for (let at = 0; at < count; at++) {
      const long = { ...proposal, height: 3 + at, batch: [new Uint8Array(LIMITS.blockBytesMax)] };
      room.feed(last, { type: "message", from: first, message: long });
    }
    for (const { from, message } of held)
      if (message.type !== "propose" || message.height === 1) room.feed(last, { type: "message", from, message });
    return room.effects("broadcast", last).some(({ message }) => message.type === "prepare" && message.height === 2);
  }

  it("keeps four full blocks of it, and no more bytes", () => {
    expect([0, 4, 5].map(votesAfter)).to.deep.equal([true, true, false]);
  });
});
