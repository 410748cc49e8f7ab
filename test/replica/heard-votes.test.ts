import { expect } from "chai";
import {
  encodeVoteBody,
  fromHex,
  type Hash,
  type NodeId,
  parseHash,
  parseNodeId,
  type SignatureVerifier,
  signedBytes,
  VOTE_TYPE,
  type VoteAccusation,
  type VoteType,
  votePurpose,
  ZERO_HASH,
} from "#base";
import { decodeMessage, encodeMessage, type SeenVote, seenVoteOf } from "#consensus";
import { nodeHasher } from "#crypto";
import { type HeardVote, HeardVotes } from "#replica";
import { CLUSTER, isGenuine, keys, MEMBERSHIP, NODES } from "./four-members.ts";

const [ONE, TWO, THREE] = ["1", "2", "3"].map((digit) => parseHash(digit.repeat(64))) as [Hash, Hash, Hash];
const [LEADER, FRIEND, OTHER, LIAR] = NODES;
const { pbftPropose: PROPOSE, pbftPrepare: PREPARE, pbftCommit: COMMIT } = VOTE_TYPE;

function said(node: NodeId, type: VoteType, digest: Hash, change: Partial<SeenVote> = {}): SeenVote {
  const vote = { epoch: 0, height: 10, view: 0, type, digest, validRound: -1, ...change };
  const body = encodeVoteBody({ ...vote, cluster: fromHex(CLUSTER), digest: fromHex(vote.digest) });
  return { ...vote, signature: change.signature ?? keys.keyOf(`${node}/vote`).sign(signedBytes(votePurpose(type), body)) };
}

describe("what a replica hears", () => {
  let told: (readonly HeardVote[])[];
  let found: VoteAccusation[];
  let verified: number;
  let heard: HeardVotes;
  const hear = (node: NodeId, type: VoteType, digest: Hash, change: Partial<SeenVote> = {}): void =>
    heard.note(node, said(node, type, digest, change));
  const show = (node: NodeId, vote: SeenVote, peer: NodeId = FRIEND): void => heard.onHeard(peer, [{ node, vote }]);

  beforeEach(() => {
    [told, found, verified] = [[], [], 0];
    const verifier: SignatureVerifier = {
      verify: (claims, done) => {
        verified += 1;
        keys.verifier.verify(claims, done);
      },
    };
    heard = new HeardVotes({
      cluster: CLUSTER,
      verifier,
      tipHeight: () => 9,
      membershipOf: (epoch) => (epoch === 0 ? MEMBERSHIP : undefined),
      tell: (votes) => told.push(votes),
      onAccusation: (accusation) => found.push(accusation),
    });
  });

  it("is kept without the frame of a proposal, which may have megabytes", () => {
    const slot = { epoch: 0, height: 10, view: 0, signature: new Uint8Array(64).fill(7) };
    const body = { headerBytes: new Uint8Array(300), certifiedProof: new Uint8Array(0), batch: [new Uint8Array(50_000)] };
    const vote = seenVoteOf(decodeMessage(encodeMessage({ type: "propose", ...slot, ...body })), nodeHasher);
    expect(vote?.signature).to.deep.equal(slot.signature);
    expect(vote?.signature.buffer.byteLength).to.equal(64);
  });

  it("is told to nobody while votes are for what their leader proposed, or for nothing", () => {
    hear(LEADER, PROPOSE, ONE);
    for (const node of [FRIEND, OTHER, LIAR]) for (const type of [PREPARE, COMMIT]) hear(node, type, ONE);
    hear(FRIEND, VOTE_TYPE.tendermintPrevoteNil, ZERO_HASH);
    hear(OTHER, PREPARE, TWO, { view: 1 });
    expect([told, verified]).to.deep.equal([[], 0]);
  });

  it("is shown to everybody when a vote is for something else, whichever came first, and not again and again", () => {
    hear(OTHER, PREPARE, TWO);
    hear(LEADER, PROPOSE, ONE);
    expect(told.map((votes) => votes.map(({ node, vote }) => [node, vote.digest]))).to.deep.equal([
      [
        [OTHER, TWO],
        [LEADER, ONE],
      ],
    ]);
    for (let view = 1; view < 7; view++) {
      hear(LEADER, PROPOSE, ONE, { view });
      hear(OTHER, PREPARE, TWO, { view });
    }
    expect(told).to.have.length(2);
  });

  it("convicts a leader that proposed something else to another, and a voter that voted otherwise there, each once", () => {
    hear(LEADER, PROPOSE, ONE);
    hear(LIAR, COMMIT, ONE);
    for (const peer of [FRIEND, OTHER]) {
      show(LEADER, said(LEADER, PROPOSE, TWO), peer);
      show(LIAR, said(LIAR, COMMIT, TWO), peer);
    }
    expect(found.map(({ kind, node }) => [kind, node])).to.deep.equal([
      ["double-proposal", LEADER],
      ["double-vote", LIAR],
    ]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("convicts nobody by a forgery, an equal statement, another slot, or of what was never heard here", () => {
    hear(LEADER, PROPOSE, ONE);
    hear(OTHER, PREPARE, ONE);
    show(OTHER, said(LIAR, PREPARE, TWO));
    show(OTHER, said(OTHER, PREPARE, ONE));
    show(OTHER, said(OTHER, COMMIT, TWO));
    show(OTHER, said(OTHER, PREPARE, TWO, { view: 1 }));
    show(OTHER, said(OTHER, PREPARE, TWO, { epoch: 1 }));
    show(FRIEND, said(FRIEND, PREPARE, TWO));
    show(parseNodeId("node-9"), said(LIAR, PREPARE, TWO));
    expect(found).to.deep.equal([]);
  });

  it("is not hidden by a forgery that was heard first", () => {
    hear(LIAR, PREPARE, THREE, { signature: new Uint8Array(64) });
    show(LIAR, said(LIAR, PREPARE, ONE));
    show(LIAR, said(LIAR, PREPARE, TWO));
    expect(found.map(({ node }) => node)).to.deep.equal([LIAR]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("is not hidden by what another than the leader proposes, nor by votes of many views", () => {
    hear(LIAR, PROPOSE, THREE);
    hear(LEADER, PROPOSE, ONE);
    for (const height of [11, 12]) for (let view = 100; view < 150; view++) hear(LIAR, PREPARE, ONE, { height, view });
    for (const node of [FRIEND, OTHER, LIAR]) hear(node, PREPARE, ONE, { height: 11 });
    for (let view = 200; view < 250; view++) hear(LIAR, PREPARE, ONE, { height: 11, view });
    show(LEADER, said(LEADER, PROPOSE, TWO));
    show(LIAR, said(LIAR, PREPARE, TWO, { height: 11 }));
    expect(found.map(({ kind, node }) => [kind, node])).to.deep.equal([
      ["double-proposal", LEADER],
      ["double-vote", LIAR],
    ]);
    expect(told).to.deep.equal([]);
  });

  it("costs a bounded number of verifications, whatever a peer shows, and nothing for heights far away", () => {
    hear(OTHER, PREPARE, ONE);
    for (let i = 0; i < 50; i++) show(OTHER, said(OTHER, PREPARE, TWO, { signature: new Uint8Array(64).fill(i) }), LIAR);
    expect(verified).to.equal(8);
    for (const height of [1, 2_000]) {
      hear(LEADER, PROPOSE, ONE, { height });
      hear(OTHER, PREPARE, TWO, { height });
    }
    expect(told).to.deep.equal([]);
  });

  it("is forgotten some heights later", () => {
    hear(LEADER, PROPOSE, ONE);
    heard.onApplied(18);
    show(LEADER, said(LEADER, PROPOSE, TWO));
    expect(found).to.deep.equal([]);
  });
});
