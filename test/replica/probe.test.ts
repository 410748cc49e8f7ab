import { expect } from "chai";
import { encodeVoteBody, fromHex, type Membership, type NodeId, SeededRandom, signedBytes, VOTE_TYPE, ZERO_HASH } from "#base";
import { type SeenVote, votePurpose } from "#consensus";
import { Probe, probeReplyMessage } from "#replica";
import { CLUSTER, keys, MEMBERSHIP, NODES } from "./four-members.ts";

const SELF = NODES[3];
/** Before this node was a member. */
const BEFORE: Membership = { epoch: 0, members: MEMBERSHIP.members.slice(0, 3) };

type ProbeOptions = ConstructorParameters<typeof Probe>[0];

/** The probe of a node under pbft that lost its memory. */
function probeOf(about: Pick<ProbeOptions, "membership" | "membershipAt" | "isRemembered" | "onVerdict">): Probe {
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
      for (const from of NODES.slice(0, 3)) {
        const reply = {
          kind: "probe-reply" as const,
          nonce: probe.nonce,
          epoch: MEMBERSHIP.epoch,
          height: 0,
          certificate: new Uint8Array(0),
          seen,
        };
        const message = probeReplyMessage({ cluster: CLUSTER, responder: from, prober: SELF }, reply);
        probe.onReply(from, { ...reply, signature: keys.keyOf(`${from}/vote`).sign(message) });
      }
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
    const answer = (from: NodeId, epoch: number): void => {
      const reply = { kind: "probe-reply" as const, nonce: probe.nonce, epoch, height: 0, certificate: new Uint8Array(0) };
      const message = probeReplyMessage({ cluster: CLUSTER, responder: from, prober: SELF }, reply);
      probe.onReply(from, { ...reply, signature: keys.keyOf(`${from}/vote`).sign(message) });
    };
    const others = NODES.slice(0, 3);
    for (const from of others) answer(from, 1);
    expect(floors, "it has lost its disk, and knows of genesis's members only").to.deep.equal([]);
    answer(NODES[0], 0);
    answer(NODES[1], 0);
    // It has caught up with the end of that epoch: what was said in it tells nothing of the next one.
    membership = { ...MEMBERSHIP, epoch: 1 };
    answer(NODES[2], 0);
    expect(probe.waitingFor).to.deep.equal(others);
    answer(NODES[2], 1);
    expect(floors).to.deep.equal([]);
    for (const from of others) answer(from, 1);
    expect(floors).to.deep.equal([3]);
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
    const answer = (from: NodeId, shown: { readonly seen?: SeenVote }): void => {
      const reply = {
        kind: "probe-reply" as const,
        nonce: probe.nonce,
        epoch: MEMBERSHIP.epoch,
        height: 0,
        certificate: new Uint8Array(0),
        ...shown,
      };
      const message = probeReplyMessage({ cluster: CLUSTER, responder: from, prober: SELF }, reply);
      probe.onReply(from, { ...reply, signature: keys.keyOf(`${from}/vote`).sign(message) });
    };
    // Each in its turn: the shown vote is looked at after the answer that came meanwhile.
    const settle = (): void => {
      for (let next = verifications.shift(); next !== undefined; next = verifications.shift()) next();
    };
    answer(NODES[0], { seen: { ...slot, digest: ZERO_HASH, signature } });
    answer(NODES[1], {});
    settle();
    expect(verdicts).to.deep.equal([]);
    answer(NODES[2], {});
    settle();
    expect(verdicts).to.deep.equal(["floor"]);
  });
});
