import { expect } from "chai";
import { encodeVoteBody, fromHex, type Membership, type NodeId, SeededRandom, signedBytes, VOTE_TYPE, ZERO_HASH } from "#base";
import { encodeCommitCertificate, type SeenVote, votePurpose } from "#consensus";
import { Probe, probeReplyMessage } from "#replica";
import { CLUSTER, keys, MEMBERSHIP, NODES } from "./four-members.ts";

const SELF = NODES[3];
/** Before this node was a member. */
const BEFORE: Membership = { epoch: 0, members: MEMBERSHIP.members.slice(0, 3) };

type ProbeOptions = ConstructorParameters<typeof Probe>[0];

/** The probe of a node under pbft that lost its memory. */
function probeOf(
  about: Pick<ProbeOptions, "membership" | "membershipAt" | "isRemembered" | "onVerdict"> & Partial<Pick<ProbeOptions, "guardCurrent">>,
): Probe {
  const random = new SeededRandom(1, "probe");
  return new Probe({
    cluster: CLUSTER,
    self: SELF,
    engine: "pbft",
    window: 1,
    floorAbove: (window) => 2 * window + 1,
    entropy: { bytes: (length) => random.bytes(length) },
    verifier: keys.verifier,
    guardCurrent: false,
    ...about,
  });
}

interface Answer {
  readonly nonce: Uint8Array;
  readonly prober: NodeId;
  readonly epoch: number;
  readonly height: number;
  readonly certificate: Uint8Array;
  readonly seen: SeenVote;
}

/** An answer of nobody who decided or saw anything, but for what is said about it, signed by who gives it. */
function answerFrom(from: NodeId, probe: Probe, { prober = SELF, ...about }: Partial<Answer> = {}): void {
  const reply = {
    kind: "probe-reply" as const,
    nonce: probe.nonce,
    epoch: MEMBERSHIP.epoch,
    height: 0,
    certificate: new Uint8Array(0),
    ...about,
  };
  const message = probeReplyMessage({ cluster: CLUSTER, responder: from, prober }, reply);
  probe.onReply(from, { ...reply, signature: keys.keyOf(`${from}/vote`).sign(message) });
}

const OTHERS = NODES.slice(0, 3);

describe("a node that asks what it promised", () => {
  it("counts an answer about an epoch that it does not know yet when it is given again, and not before", () => {
    let known = BEFORE;
    const verdicts: string[] = [];
    const probe = probeOf({
      membership: () => MEMBERSHIP,
      membershipAt: () => known,
      isRemembered: () => false,
      onVerdict: ({ kind }) => verdicts.push(kind),
    });
    probe.begin();
    const seen = {
      epoch: 1,
      height: 9,
      view: 0,
      type: VOTE_TYPE.pbftCommit,
      digest: ZERO_HASH,
      validRound: -1,
      signature: new Uint8Array(64),
    };
    const answer = (): void => {
      for (const from of OTHERS) answerFrom(from, probe, { seen });
    };
    answer();
    expect(verdicts).to.deep.equal([]);
    known = MEMBERSHIP;
    answer();
    expect(verdicts).to.deep.equal(["floor"]);
  });

  it("counts answers of those alone who stand in its own epoch: who left at an epoch's end knows nothing of what was decided since", () => {
    const floors: (number | undefined)[] = [];
    let membership = MEMBERSHIP;
    const probe = probeOf({
      membership: () => membership,
      membershipAt: () => membership,
      isRemembered: () => true,
      onVerdict: (verdict) => floors.push(verdict.kind === "floor" ? verdict.floor : undefined),
    });
    probe.begin();
    const answer = (from: NodeId, epoch: number): void => answerFrom(from, probe, { epoch });
    for (const from of OTHERS) answer(from, 1);
    expect(floors, "it has lost its disk, and knows of genesis's members only").to.deep.equal([]);
    answer(NODES[0], 0);
    answer(NODES[1], 0);
    // It has caught up with the end of that epoch: what was said in it tells nothing of the next one.
    membership = { ...MEMBERSHIP, epoch: 1 };
    answer(NODES[2], 0);
    expect(probe.waitingFor).to.deep.equal(OTHERS);
    answer(NODES[2], 1);
    expect(floors).to.deep.equal([]);
    for (const from of OTHERS) answer(from, 1);
    expect(floors).to.deep.equal([3]);
  });

  it("counts no answer to what it asked in an earlier life, nor one to another node", () => {
    const verdicts: string[] = [];
    const probe = probeOf({
      membership: () => MEMBERSHIP,
      membershipAt: () => MEMBERSHIP,
      isRemembered: () => true,
      onVerdict: ({ kind }) => verdicts.push(kind),
    });
    probe.begin();
    const answer = (about: Pick<Answer, "nonce" | "prober">): void => {
      for (const from of OTHERS) answerFrom(from, probe, about);
    };
    answer({ nonce: probe.nonce.map((byte) => byte ^ 1), prober: SELF });
    answer({ nonce: probe.nonce, prober: NODES[0] });
    expect(verdicts).to.deep.equal([]);
    answer({ nonce: probe.nonce, prober: SELF });
    expect(verdicts).to.deep.equal(["floor"]);
  });

  it("counts no answer whose height is not proved: by a certificate of that height, of a quorum, signed by each", () => {
    const floors: (number | undefined)[] = [];
    const probe = probeOf({
      membership: () => MEMBERSHIP,
      membershipAt: () => MEMBERSHIP,
      isRemembered: () => true,
      onVerdict: (verdict) => floors.push(verdict.kind === "floor" ? verdict.floor : undefined),
    });
    probe.begin();
    const slot = { epoch: 0, height: 9, view: 0, digest: ZERO_HASH } as const;
    const body = encodeVoteBody({
      ...slot,
      cluster: fromHex(CLUSTER),
      type: VOTE_TYPE.pbftCommit,
      digest: fromHex(ZERO_HASH),
      validRound: -1,
    });
    const voteOf = (node: NodeId): { node: NodeId; signature: Uint8Array } => ({
      node,
      signature: keys.keyOf(`${node}/vote`).sign(signedBytes("vote", body)),
    });
    const votes = OTHERS.map(voteOf);
    const answer = (height: number, voted: typeof votes): void => {
      const certificate = encodeCommitCertificate({ ...slot, votes: voted });
      for (const from of OTHERS) answerFrom(from, probe, { height, certificate });
    };
    answer(9, votes.slice(0, 2));
    answer(8, votes);
    answer(
      9,
      votes.map((vote, at) => (at === 0 ? { ...vote, signature: new Uint8Array(64) } : vote)),
    );
    expect(floors).to.deep.equal([]);
    answer(9, votes);
    expect(floors).to.deep.equal([12]);
  });

  it("takes itself for forgetful for no vote that its key did not sign", () => {
    for (const isGenuine of [true, false]) {
      const verdicts: string[] = [];
      const probe = probeOf({
        membership: () => MEMBERSHIP,
        membershipAt: () => MEMBERSHIP,
        isRemembered: () => false,
        guardCurrent: true,
        onVerdict: ({ kind }) => verdicts.push(kind),
      });
      probe.begin();
      const slot = { epoch: 0, height: 9, view: 0, type: VOTE_TYPE.pbftCommit, validRound: -1 } as const;
      const body = encodeVoteBody({ ...slot, cluster: fromHex(CLUSTER), digest: fromHex(ZERO_HASH) });
      const own = keys.keyOf(`${SELF}/vote`).sign(signedBytes(votePurpose(slot.type), body));
      const seen: SeenVote = { ...slot, digest: ZERO_HASH, signature: isGenuine ? own : new Uint8Array(64) };
      for (const from of OTHERS) answerFrom(from, probe, { seen });
      expect(verdicts).to.deep.equal([isGenuine ? "floor" : "current"]);
    }
  });

  it("counts no answer before it knows whether the vote that it shows is its own", () => {
    const verdicts: string[] = [];
    const random = new SeededRandom(1, "probe");
    const verifications: (() => void)[] = [];
    const probe = new Probe({
      cluster: CLUSTER,
      self: SELF,
      engine: "pbft",
      membership: () => MEMBERSHIP,
      membershipAt: () => MEMBERSHIP,
      window: 1,
      floorAbove: (window) => 2 * window + 1,
      entropy: { bytes: (length) => random.bytes(length) },
      verifier: { verify: (claims, done) => void verifications.push(() => keys.verifier.verify(claims, done)) },
      guardCurrent: true,
      isRemembered: () => false,
      onVerdict: ({ kind }) => verdicts.push(kind),
    });
    probe.begin();
    const slot = { epoch: 0, height: 9, view: 0, type: VOTE_TYPE.pbftCommit, validRound: -1 } as const;
    const body = encodeVoteBody({ ...slot, cluster: fromHex(CLUSTER), digest: fromHex(ZERO_HASH) });
    const signature = keys.keyOf(`${SELF}/vote`).sign(signedBytes(votePurpose(slot.type), body));
    // Each in its turn: the shown vote is looked at after the answer that came meanwhile.
    const settle = (): void => {
      for (let next = verifications.shift(); next !== undefined; next = verifications.shift()) next();
    };
    answerFrom(NODES[0], probe, { seen: { ...slot, digest: ZERO_HASH, signature } });
    answerFrom(NODES[1], probe);
    settle();
    expect(verdicts).to.deep.equal([]);
    answerFrom(NODES[2], probe);
    settle();
    expect(verdicts).to.deep.equal(["floor"]);
  });
});
