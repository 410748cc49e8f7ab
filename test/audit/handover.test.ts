import { expect } from "chai";
import {
  encodeHandover,
  handoverClaims,
  parseHandover,
  parsePolicy,
  parseReceipt,
  receiptText,
  type VerificationResult,
  verifyBundle,
  verifyReceipt,
} from "#audit";
import { type CanonicalObject, encodeCanonical, encodeUtf8, type Membership, membershipHash, parseCanonicalObject, toHex } from "#base";
import { draftOf, FOUR, hasher, Ledger, membershipOf, noteOf, POLICY, rememberingPredicate, START, sealedDraft } from "./log-kit.ts";

const ed25519 = rememberingPredicate();
const FIVE = epochOf(1, membershipOf([1, 1, 1, 1, 1, 1]), [0, 1, 4, 5]);
const SIX = epochOf(2, membershipOf([1, 1, 1, 1, 1, 1, 1]), [2, 4, 5, 6]);

function epochOf(epoch: number, { members }: Membership, kept: readonly number[]): Membership {
  return { epoch, members: members.filter((_member, at) => kept.includes(at)) };
}

function hashOf(membership: Membership): string {
  return toHex(membershipHash(hasher, membership));
}

/** Grows the log and ends an epoch: the receipt of its last `block.sealed`, under its members' checkpoint. */
function endEpoch(ledger: Ledger, now: Membership, next: Membership): Uint8Array {
  const timeUs = START + ledger.height * 5_000_000;
  const content = { epoch: now.epoch, membershipHash: hashOf(now), nextMembershipHash: hashOf(next) };
  ledger.appendSealed([draftOf("last")], { ...sealedDraft(ledger.height + 1, timeUs), content }, timeUs);
  return encodeHandover({ next, sealed: receiptOf(ledger, ledger.log.nextSeq - 1, now) });
}

function receiptOf(ledger: Ledger, seq: number, membership: Membership): ReturnType<typeof parseReceipt> {
  const { index } = ledger.log.locate(seq);
  const { size } = ledger.log.point;
  const proof = ledger.log.inclusionProof({ index, size }, ledger.read);
  return { entry: ledger.log.entry(seq, ledger.read), index, proof, checkpoint: noteOf(ledger.log.point, undefined, membership) };
}

const ledger = new Ledger().grow(20);
const OLD = receiptText(receiptOf(ledger, 7, FOUR));
const FIRST = endEpoch(ledger, FOUR, FIVE);
ledger.grow(60);
const MIDDLE = receiptText(receiptOf(ledger, 7, FIVE));
const SECOND = endEpoch(ledger, FIVE, SIX);
ledger.grow(90);
const NEW = receiptText(receiptOf(ledger, 80, SIX));

const verify = (receipt: string, epochs: readonly Uint8Array[]): VerificationResult =>
  verifyReceipt(receipt, POLICY, { hasher, ed25519, epochs });
const exits = (result: VerificationResult): number[] => [...new Set(result.findings.map(({ exit }) => exit))].sort((a, b) => a - b);

/** The handover with one field of its canonical form replaced. */
function changed(handover: Uint8Array, change: (value: CanonicalObject) => CanonicalObject): Uint8Array {
  return encodeCanonical(change(parseCanonicalObject(handover)));
}

describe("handovers from epoch to epoch", () => {
  it("lead from a policy of epoch 0 to receipts of every later epoch, in any order of files", () => {
    for (const receipt of [OLD, MIDDLE, NEW]) {
      for (const epochs of [
        [FIRST, SECOND],
        [SECOND, FIRST],
        [FIRST, FIRST, SECOND],
      ])
        expect(verify(receipt, epochs).findings).to.deep.equal([]);
    }
    expect(verify(NEW, [FIRST, SECOND]).checked.join(" ")).to.include("to those of epoch 2");
    expect(verify(OLD, []).exitCode).to.equal(0);
  });

  it("are needed: without them the new members are unknown signers", () => {
    expect(verify(MIDDLE, []).ok).to.equal(false);
    expect(verify(NEW, [FIRST]).ok).to.equal(false);
    expect(verify(NEW, []).exitCode).to.equal(13);
  });

  it("name a missing step as missing evidence", () => {
    const result = verify(OLD, [SECOND]);
    expect(result.exitCode).to.equal(14);
    expect(exits(verify(NEW, [SECOND]))).to.include(14);
  });

  it("show two successors of one epoch as a fork", () => {
    const other = new Ledger().grow(20);
    const fork = endEpoch(other, FOUR, { ...SIX, epoch: 1 });
    expect(verify(OLD, [FIRST, fork]).exitCode).to.equal(15);
  });

  it("show two ends of one epoch as a fork, though both lead to the same successors: what lies between is signed by retired keys", () => {
    const other = new Ledger().grow(60);
    const end = endEpoch(other, FOUR, FIVE);
    const between = receiptText(receiptOf(other, 40, FOUR));
    for (const epochs of [
      [FIRST, end],
      [end, FIRST],
      [FIRST, FIRST, end, end],
    ]) {
      expect(verify(OLD, epochs).exitCode).to.equal(15);
      expect(verify(between, epochs).exitCode).to.equal(15);
    }
  });

  it("are altered when the next members are not those that the old ones named", () => {
    const more = changed(FIRST, (value) => {
      const next = value["next"] as { members: readonly CanonicalObject[] };
      const members = next.members.map((member) => ({ ...member, weight: 2 }));
      return { ...value, next: { ...(value["next"] as CanonicalObject), members } };
    });
    expect(verify(NEW, [more, SECOND]).exitCode).to.equal(10);
  });

  it("give old members no word beyond their epoch: what they sign later counts nothing", () => {
    const later = receiptText(receiptOf(ledger, 80, FOUR));
    expect(verify(later, [FIRST, SECOND]).ok).to.equal(false);
    expect(verify(receiptText(receiptOf(ledger, 80, FIVE)), [FIRST, SECOND]).ok).to.equal(false);
  });

  it("are only of the last entry of the old members' last checkpoint, of their epoch, and of a seal", () => {
    const early = encodeHandover({ next: FIVE, sealed: parseReceipt(OLD) });
    expect(verify(OLD, [early]).exitCode).to.equal(17);
    const { receipt } = parseHandover(FIRST, { faultModel: "byzantine", zeroFaultTolerance: false });
    const skipped = encodeHandover({ next: { ...FIVE, epoch: 2 }, sealed: parseReceipt(receipt) });
    expect(verify(OLD, [FIRST, skipped]).ok).to.equal(false);
    const seal = new Ledger().grow(20);
    const ended = parseHandover(endEpoch(seal, FOUR, FIVE), { faultModel: "byzantine", zeroFaultTolerance: false });
    const { index } = parseReceipt(ended.receipt);
    seal.grow(40);
    const late = encodeHandover({ next: FIVE, sealed: receiptOf(seal, index, FOUR) });
    expect(verify(OLD, [late]).exitCode).to.equal(10);
  });

  it("become invalid when any single byte is changed", () => {
    for (let at = 0; at < FIRST.length; at++) {
      const bytes = Uint8Array.from(FIRST);
      bytes[at] = (bytes[at] ?? 0) ^ (at % 2 === 0 ? 1 : 2);
      const result = verify(MIDDLE, [bytes]);
      expect(result.ok, `byte ${at}`).to.equal(false);
      expect(result.exitCode).to.be.oneOf([10, 12, 13, 14, 17]);
    }
  }).timeout(20_000);

  it("are taken from a peer only when every byte is as the old members signed it", () => {
    const from = parsePolicy(POLICY, hasher);
    const isTaken = (bytes: Uint8Array, next = FIVE): boolean =>
      handoverClaims(bytes, { from, next }, hasher)?.every(({ publicKey, message, signature }) =>
        ed25519(publicKey, message, signature),
      ) === true;
    expect(isTaken(FIRST)).to.equal(true);
    expect(isTaken(FIRST, SIX), "other members than the reader's state names").to.equal(false);
    expect(isTaken(SECOND, SIX), "signed by members of another epoch").to.equal(false);
    for (let at = 0; at < FIRST.length; at++) {
      const bytes = Uint8Array.from(FIRST);
      bytes[at] = (bytes[at] ?? 0) ^ (at % 2 === 0 ? 2 : 1);
      expect(isTaken(bytes), `byte ${at}`).to.equal(false);
    }
  }).timeout(20_000);

  it("lie in an export under epochs/, and are followed from there", () => {
    const files = ledger.export();
    files.set("checkpoint", encodeUtf8(noteOf(ledger.log.point, undefined, SIX)));
    expect(verifyBundle(files, POLICY, { hasher, ed25519 }).ok).to.equal(false);
    files.set("epochs/1", FIRST);
    files.set("epochs/2", SECOND);
    expect(verifyBundle(files, POLICY, { hasher, ed25519 }).findings).to.deep.equal([]);
    files.delete("epochs/1");
    expect(exits(verifyBundle(files, POLICY, { hasher, ed25519 }))).to.include(14);
  });

  it("make an export invalid when a byte of one is changed", () => {
    const small = new Ledger().grow(4, 3);
    const handover = endEpoch(small, FOUR, FIVE);
    small.grow(14, 3);
    const files = small.export();
    files.set("checkpoint", encodeUtf8(noteOf(small.log.point, undefined, FIVE)));
    files.set("epochs/1", handover);
    expect(verifyBundle(files, POLICY, { hasher, ed25519 }).findings).to.deep.equal([]);
    for (let at = 0; at < handover.length; at += 5) {
      const bytes = Uint8Array.from(handover);
      bytes[at] = (bytes[at] ?? 0) ^ (at % 2 === 0 ? 1 : 2);
      files.set("epochs/1", bytes);
      expect(verifyBundle(files, POLICY, { hasher, ed25519 }).exitCode, `byte ${at}`).to.be.oneOf([10, 12, 13, 14, 17]);
    }
  }).timeout(20_000);
});
