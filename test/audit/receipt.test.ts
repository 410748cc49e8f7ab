import { expect } from "chai";
import {
  formatVerification,
  parseReceipt,
  policyText,
  receiptText,
  receiptView,
  SIGNATURE_TYPE,
  type VerificationResult,
  verifyReceipt,
} from "#audit";
import { encodeUtf8, toBase64, toHash, toHex, u64be } from "#base";
import { expectCode } from "../refusals.ts";
import { draftOf, FOUR, hasher, Ledger, membershipOf, noteOf, POLICY, policyFor, rememberingPredicate, sodium } from "./log-kit.ts";

const options = { hasher, ed25519: rememberingPredicate() };
const ledger = new Ledger().grow(40);
const SEQ = 13;
const RECEIPT = ledger.receipt(SEQ);
/** What a changed receipt may be called (the issue: exit 10, 12, 13 or 17). */
const EXITS = [10, 12, 13, 17];

/** The ways in which each byte is changed: neighbours, another bit, a digit, a letter, and what separates lines and words. */
const REPLACEMENTS: readonly ((byte: number) => number)[] = [
  (byte) => byte ^ 1,
  (byte) => byte ^ 0x20,
  (byte) => byte ^ 0x80,
  (byte) => (byte + 1) % 256,
  () => 0x41,
  () => 0x30,
  () => 0x0a,
  () => 0x20,
  () => 0x3d,
  () => 0x2b,
];

function verifyBytes(bytes: Uint8Array): VerificationResult | "not UTF-8" {
  try {
    return verifyReceipt(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), POLICY, options);
  } catch (error) {
    if (error instanceof TypeError) return "not UTF-8";
    throw error;
  }
}

describe("a receipt", () => {
  it("verifies with the policy alone, by the portable hash and predicate", () => {
    const result = verifyReceipt(RECEIPT, POLICY);
    expect(result).to.include({ ok: true, exitCode: 0 });
    expect(result.findings).to.deep.equal([]);
    expect(result.signers).to.deep.equal(["node-1", "node-2", "node-3"]);
    expect(result.entry).to.include({ seq: SEQ, kind: "decision", decision: "allowed" });
    expect(result.checked).to.have.length(4);
    expect(result.notChecked).to.have.length(3);
  });

  it("is a tlog-proof that reads back to the same text", () => {
    expect(RECEIPT.split("\n")[0]).to.equal("c2sp.org/tlog-proof@v1");
    expect(receiptText(parseReceipt(RECEIPT))).to.equal(RECEIPT);
    expect(RECEIPT.length).to.be.lessThan(3_000);
  });

  it("becomes invalid, saying why, when any single byte of it is changed", function () {
    this.timeout(20_000);
    const bytes = encodeUtf8(RECEIPT);
    const seen = new Map<number, number>();
    for (let at = 0; at < bytes.length; at++) {
      const original = bytes[at] ?? 0;
      for (const replacement of new Set(REPLACEMENTS.map((replace) => replace(original)))) {
        if (replacement === original) continue;
        const changed = Uint8Array.from(bytes);
        changed[at] = replacement;
        const result = verifyBytes(changed);
        const where = `byte ${at}: ${original} to ${replacement}`;
        if (result === "not UTF-8") continue;
        expect(result.ok, where).to.equal(false);
        expect(EXITS, `${where}: exit ${result.exitCode}`).to.include(result.exitCode);
        expect(result.findings[0]?.message, where).to.match(/^.{10,}/);
        seen.set(result.exitCode, (seen.get(result.exitCode) ?? 0) + 1);
      }
    }
    expect([...seen.keys()].sort()).to.deep.equal([10, 13, 17]);
  });

  it("becomes invalid by the portable predicate too when a signature is changed", () => {
    const lines = RECEIPT.split("\n");
    const first = lines.findIndex((line) => line.startsWith("\u2014"));
    for (let at = first; at < lines.length - 1; at++) {
      const line = lines[at] ?? "";
      const middle = line.length - 30;
      const changed = `${line.slice(0, middle)}${line[middle] === "A" ? "B" : "A"}${line.slice(middle + 1)}`;
      const result = verifyReceipt(lines.with(at, changed).join("\n"), POLICY, { hasher });
      expect(result.exitCode, changed).to.equal(10);
      expect(result.findings.map(({ code }) => code)).to.deep.equal(["VERIFY_ALTERED", "VERIFY_QUORUM"]);
    }
  });

  it("becomes invalid when a line or byte is added, dropped or moved", () => {
    const lines = RECEIPT.split("\n");
    const refused = (changed: string): void => {
      expect(EXITS, changed).to.include(verifyReceipt(changed, POLICY, options).exitCode);
    };
    for (let at = 0; at < lines.length; at++) {
      refused(lines.toSpliced(at, 1).join("\n"));
      refused(lines.toSpliced(at, 0, lines[at] ?? "").join("\n"));
      if (at > 0 && lines[at] !== lines[at - 1]) refused(lines.toSpliced(at - 1, 2, lines[at] ?? "", lines[at - 1] ?? "").join("\n"));
    }
    for (let length = 0; length < RECEIPT.length; length += 7) refused(RECEIPT.slice(0, length));
    refused(`\ufeff${RECEIPT}`);
    refused(`${RECEIPT}\n`);
    refused(RECEIPT.replaceAll("\n", "\r\n"));
    refused(RECEIPT.replace(`index ${SEQ}`, `index ${SEQ} `));
    refused(RECEIPT.replace(`index ${SEQ}`, `index +${SEQ}`));
    refused("");
    refused("x".repeat(300_000));
  });

  it("holds no signature line more than a minimal quorum needs", () => {
    const { signatures, text } = splitNote(noteOf(ledger.log.point, ["node-1", "node-2", "node-3"]));
    const fourth = splitNote(noteOf(ledger.log.point, ["node-2", "node-3", "node-4"])).signatures;
    const all = [...signatures.slice(0, 3), fourth[2], ...signatures.slice(3), fourth[5]].join("");
    const checkpoint = `${text}\n${all}`;
    const result = verifyReceipt(receiptText({ ...parseReceipt(RECEIPT), checkpoint }), POLICY, options);
    expect(result.findings).to.deep.equal([{ code: "VERIFY_MALFORMED", exit: 17, message: "the quorum is not minimal" }]);
    const mixed = [...signatures.slice(0, 3), ...fourth.slice(3)].join("");
    const other = verifyReceipt(receiptText({ ...parseReceipt(RECEIPT), checkpoint: `${text}\n${mixed}` }), POLICY, options);
    expect(other.exitCode).to.equal(17);
    expect(other.findings[0]?.message).to.match(/one quorum/);
  });

  it("may carry outside witnesses that the policy names, after the quorum's lines", () => {
    const pair = sodium.generateKeyPair(hasher.sha256(encodeUtf8("outside")));
    const key = { name: "witness.example/w1", type: SIGNATURE_TYPE.cosignature, publicKey: pair.publicKey };
    const policy = policyText(policyFor(FOUR, { outsideWitnesses: [key] }), "2026h2", hasher);
    const { text } = splitNote(noteOf(ledger.log.point));
    const signature = sodium.sign(pair.secretKey, encodeUtf8(`cosignature/v1\ntime 5\n${text}`));
    const keyId = hasher.sha256(Buffer.concat([encodeUtf8(`${key.name}\n`), Uint8Array.of(4), pair.publicKey])).subarray(0, 4);
    const lineAt = (seconds: number): string => `\u2014 ${key.name} ${toBase64(Buffer.concat([keyId, u64be(seconds), signature]))}\n`;
    const line = lineAt(5);
    expect(verifyReceipt(`${RECEIPT}${line}`, policy, options).exitCode).to.equal(0);
    expect(verifyReceipt(`${RECEIPT}${line}`, POLICY, options).exitCode).to.equal(13);
    expect(verifyReceipt(`${RECEIPT}${lineAt(6)}`, policy, options).exitCode).to.equal(10);
    const first = RECEIPT.replace("\n\n\u2014", `\n\n${line}\u2014`);
    expect(verifyReceipt(first, policy, options).exitCode).to.equal(17);
  });

  it("proves no other entry: a proof of one with the bytes of another is altered", () => {
    const other = parseReceipt(ledger.receipt(SEQ + 1));
    const swapped = receiptText({ ...parseReceipt(RECEIPT), entry: other.entry });
    const result = verifyReceipt(swapped, POLICY, options);
    expect(result.exitCode).to.equal(10);
    expect(result.firstBadIndex).to.equal(SEQ);
    const moved = receiptText({ ...parseReceipt(RECEIPT), index: SEQ + 1 });
    expect(verifyReceipt(moved, POLICY, options).exitCode).to.equal(10);
    const beyond = receiptText({ ...parseReceipt(RECEIPT), index: 1_000_000 });
    expect(verifyReceipt(beyond, POLICY, options).exitCode).to.equal(10);
  });

  it("is refused for a leaf that is in the tree but is no well-formed entry", () => {
    const strange = new Ledger();
    strange.append([draftOf("odd", { reason: "lowercase" as "OK" })]);
    const result = verifyReceipt(strange.receipt(1), POLICY, options);
    expect(result.findings.map(({ code }) => code)).to.deep.equal(["VERIFY_MALFORMED"]);
  });

  it("says what the policy makes of it: development, crash faults only, zero fault tolerance, assertions", () => {
    const dev = policyText(
      policyFor(FOUR, { environment: "development", faultModel: "crash", zeroFaultTolerance: true }),
      "2026h2",
      hasher,
    );
    const asserted = new Ledger();
    asserted.append([draftOf("said", { provenance: "asserted", actor: "node-2" })]);
    const result = verifyReceipt(asserted.receipt(1), dev, options);
    expect(result).to.include({ ok: true });
    const printed = formatVerification(result);
    for (const words of ["VALID", "DEVELOPMENT", "CRASH FAULTS ONLY", "ZERO FAULT TOLERANCE", "asserted by node-2, not signed"]) {
      expect(printed).to.include(words);
    }
    expect(formatVerification(verifyReceipt(RECEIPT, POLICY, options))).to.not.include("DEVELOPMENT");
  });

  it("is malformed under a policy that is malformed, and prints hostile names harmlessly", () => {
    expect(verifyReceipt(RECEIPT, "quorum none\n", options).exitCode).to.equal(17);
    const hostile = RECEIPT.replace("\u2014 bank.example/replicas/node-1", "\u2014 \u2066bank\u202e");
    const printed = formatVerification(verifyReceipt(hostile, POLICY, options));
    expect(printed).to.match(/^NOT VALID \(exit 13\)/);
    expect(printed).to.not.match(/[\u202a-\u202e\u2066-\u2069]/);
  });

  it("has a JSON view in which everything is derived", () => {
    const receipt = parseReceipt(RECEIPT);
    const view = receiptView(receipt, { policy: policyFor(FOUR), answeringNode: "node-2", hasher });
    expect(view).to.deep.include({ id: "audit-entry-13", merkleRoot: ledger.log.point.root, timestamp: 1_790_000_005_000 });
    expect(view.entryHash).to.equal(toHash(hasher.sha256(receipt.entry)));
    expect(view.nodeConsensus.participatingNodes).to.deep.equal(["node-1", "node-2", "node-3"]);
    expect(view.signature).to.equal(view.nodeConsensus.signatures[1]);
    expect(view.content).to.include({ action: "authorization_granted", serviceId: "trading-service-001", capability: "memory:write" });
    const elsewhere = policyFor(membershipOf([1, 1, 1, 1, 1, 1, 1, 1]));
    const strangers = { ...elsewhere, members: elsewhere.members.slice(4) };
    expectCode("VERIFY_QUORUM", () => receiptView(receipt, { policy: strangers, hasher }));
  });

  it("is short in a large log: below 2 kB of proof for ten million entries", () => {
    const hashes = 24;
    const proof = Array.from({ length: hashes }, () => hasher.sha256(new Uint8Array(1)));
    const text = receiptText({ entry: new Uint8Array(0), index: 1, proof, checkpoint: "" });
    expect(text.length).to.be.lessThan(2_000);
    expect(toHex(parseReceipt(`${text}`).proof[0] ?? new Uint8Array(0))).to.equal(toHex(proof[0] ?? new Uint8Array(0)));
  });
});

function splitNote(note: string): { text: string; signatures: string[] } {
  const split = note.lastIndexOf("\n\n");
  const signatures = note
    .slice(split + 2, -1)
    .split("\n")
    .map((line) => `${line}\n`);
  return { text: note.slice(0, split + 1), signatures };
}
