import { expect } from "chai";
import {
  encodeCommand,
  encodeHeader,
  encodeSignedCommand,
  encodeUtf8,
  hashLeaf,
  headerDigest,
  LIMITS,
  merkleRoot,
  parseHeader,
  parsePublicKey,
  parseSubjectId,
  signedCommandOf,
  toBase64Url,
  toHash,
  ZERO_HASH,
} from "#base";
import type { Proposal } from "#consensus";
import { nodeHasher as hasher } from "#crypto";
import { Certifier, Mempool, Proposals, replicaRules } from "#replica";
import { NODES } from "./four-members.ts";

const NOW_US = 1_800_000_000_000_000;

type ProposalsOptions = ConstructorParameters<typeof Proposals>[0];

/** What a member finds that waits for votes: a pool in which the commands wait, and a node of which nothing but the start is certified. */
function checksOf(about: Pick<ProposalsOptions, "mempool" | "epochFirstHeight">): Proposals {
  // Nothing is asked of the rest where all commands wait here, and no claim names more than the start.
  const certifier = new Certifier({} as ConstructorParameters<typeof Certifier>[0]);
  const options = { hasher, certifier, clock: { nowUs: () => NOW_US }, rules: replicaRules, ...about };
  return new Proposals({ ...options, tipHeight: () => 0, pipelineCommandsMin: 1 } as Partial<ProposalsOptions> as ProposalsOptions);
}

/** A block at a time that holds the commands, above the start. */
function blockOf(batch: readonly Uint8Array[]): Proposal {
  const leaves = batch.map((encoded) => hashLeaf(hasher, encoded));
  const headerBytes = encodeHeader({
    protocol: 1,
    cluster: ZERO_HASH,
    epoch: 0,
    height: 1,
    originView: 0,
    proposer: NODES[0],
    timeUs: NOW_US,
    parent: ZERO_HASH,
    commandsRoot: toHash(merkleRoot(hasher, leaves)),
    certified: { height: 0, size: 0, root: ZERO_HASH },
  });
  const header = parseHeader(headerBytes);
  return { header, headerBytes, digest: headerDigest(hasher, headerBytes), batch, certifiedProof: new Uint8Array(0) };
}

function isValid(checks: Proposals, proposal: Proposal): boolean | undefined {
  let answer: boolean | undefined;
  checks.validate(proposal, "first-proposal", (valid) => {
    answer = valid;
  });
  return answer;
}

describe("a member that is asked to vote", () => {
  it("votes for nothing on top of a handover that is not certified (membership.md, M4)", () => {
    const mempool = new Mempool();
    expect(isValid(checksOf({ mempool, epochFirstHeight: () => 1 }), blockOf([]))).to.equal(true);
    expect(isValid(checksOf({ mempool, epochFirstHeight: () => 2 }), blockOf([]))).to.equal(false);
  });

  it("votes for no command before its time, but for the skew of clocks: refused by its place it could be ordered again (pbft.md, P7)", () => {
    for (const [aheadUs, expected] of [
      [LIMITS.clockSkewMaxUs, true],
      [LIMITS.clockSkewMaxUs + 1, false],
    ] as const) {
      const issuedAtUs = NOW_US + aheadUs;
      const bytes = encodeCommand({
        cluster: ZERO_HASH,
        kind: "authorize",
        id: toBase64Url(new Uint8Array(16)),
        issuer: parseSubjectId("service-1"),
        key: parsePublicKey(toBase64Url(hasher.sha256(encodeUtf8("key")))),
        issuedAtUs,
        expiresAtUs: issuedAtUs + 1_000_000,
        body: {},
      });
      const signed = signedCommandOf(hasher, { bytes, signature: new Uint8Array(64) });
      const encoded = encodeSignedCommand(signed);
      const mempool = new Mempool();
      mempool.add({ signed, encoded, leaf: hashLeaf(hasher, encoded), arrivedUs: NOW_US, isStranger: false });
      expect(isValid(checksOf({ mempool, epochFirstHeight: () => 1 }), blockOf([encoded]))).to.equal(expected);
    }
  });
});
