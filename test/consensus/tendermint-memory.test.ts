import { expect } from "chai";
import {
  encodeUtf8,
  encodeVoteBody,
  fromHex,
  type Hash,
  type NodeId,
  signedBytes,
  toHash,
  VOTE_TYPE,
  type VoteType,
  ZERO_HASH,
} from "#base";
import { type ConsensusMessage, type Precommit, type Prevote, proposerOf } from "#consensus";
import { CLUSTER, hasher, membershipOf, nodeId, Room, sign } from "./core-kit.ts";

const EQUAL = [1, 1, 1, 1];
const membership = membershipOf(EQUAL);
const observed = proposerOf(membership, 1, 3);
const others = [1, 2, 3, 4].map(nodeId).filter((id) => id !== observed) as [NodeId, NodeId, NodeId];
const VALUE: Hash = toHash(hasher.sha256(encodeUtf8("a value")));

interface Slot {
  readonly view: number;
  readonly digest: Hash;
  readonly validRound?: number;
}

function signatureOf(node: NodeId, type: VoteType, { view, digest, validRound = -1 }: Slot): Uint8Array {
  const body = encodeVoteBody({ cluster: fromHex(CLUSTER), epoch: 0, height: 1, view, type, digest: fromHex(digest), validRound });
  return sign(node, signedBytes("vote", body));
}

function prevote(node: NodeId, slot: Slot): Prevote {
  const type = slot.digest === ZERO_HASH ? VOTE_TYPE.tendermintPrevoteNil : VOTE_TYPE.tendermintPrevote;
  return { type: "prevote", epoch: 0, height: 1, validRound: -1, ...slot, signature: signatureOf(node, type, slot) };
}

function precommit(node: NodeId, { view, digest }: Slot): Precommit {
  const type = digest === ZERO_HASH ? VOTE_TYPE.tendermintPrecommitNil : VOTE_TYPE.tendermintPrecommit;
  return { type: "precommit", epoch: 0, height: 1, view, digest, signature: signatureOf(node, type, { view, digest }) };
}

/** Nil precommits of the three others: the round is over. */
function end(view: number): ConsensusMessage {
  const votes = others.map((node) => {
    const { signature } = precommit(node, { view, digest: ZERO_HASH });
    return { node, round: view, step: "precommit" as const, digest: ZERO_HASH, validRound: -1, signature };
  });
  return { type: "round-certificate", epoch: 0, height: 1, view: view + 1, votes };
}

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
      for (const id of ids) at.feed(id, { type: "message", from: others.find((other) => other !== id) ?? id, message: end(view) });
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

  it("is not pushed out by a member that votes in rounds far ahead: what decides an earlier one is still counted", () => {
    const { at, hear } = deafRoom();
    const [liar, first, second] = others;
    hear(first, precommit(first, { view: 0, digest: VALUE }));
    hear(second, precommit(second, { view: 0, digest: VALUE }));
    hear(first, end(0));
    for (let view = 2; view < 200; view++) hear(liar, prevote(liar, { view, digest: VALUE }));
    hear(liar, precommit(liar, { view: 0, digest: VALUE }));
    expect(at.effects("request-sync", observed).map(({ fromHeight }) => fromHeight)).to.deep.equal([1]);
  });
});
