import { expect } from "chai";
import { type VerificationResult, verifyBundle, verifyCheckpoint, verifyReceipt } from "#audit";
import { encodeUtf8 } from "#base";
import { draftOf, hasher, Ledger, noteOf, POLICY, rememberingPredicate } from "./log-kit.ts";

const options = { hasher, ed25519: rememberingPredicate() };

/** The log that one auditor was shown, and the one of equal size that the other was shown by the same signers. */
const shown = new Ledger().grow(40);
const hidden = new Ledger();
hidden.append(Array.from({ length: 9 }, (_, at) => draftOf(`another ${at}`)));
hidden.grow(40);
const [ours, theirs] = [noteOf(shown.log.point), noteOf(hidden.log.point)];

/** The checkpoint without the signatures of one node, which its quorum needs. */
function unsigned(note: string): string {
  return note
    .split("\n")
    .filter((line) => !line.includes("node-1"))
    .join("\n");
}

describe("two auditors who compare what they were shown", () => {
  const judged = (knownCheckpoints: readonly string[]): readonly VerificationResult[] => [
    verifyReceipt(shown.receipt(7), POLICY, { ...options, knownCheckpoints }),
    verifyCheckpoint(ours, POLICY, { ...options, knownCheckpoints }),
    verifyBundle(shown.export(), POLICY, { ...options, knownCheckpoints }),
  ];

  it("find a fork from a receipt, a checkpoint or an export, whichever of them one holds beside the other's checkpoint", () => {
    expect(shown.log.point.size).to.equal(hidden.log.point.size);
    for (const result of judged([theirs])) expect(result).to.include({ ok: false, exitCode: 15 });
    for (const result of judged([ours, theirs])) expect(result.exitCode).to.equal(15);
  });

  it("are told that equal checkpoints are the same", () => {
    for (const result of judged([ours])) {
      expect(result).to.include({ ok: true, exitCode: 0 });
      expect(result.checked.join(" ")).to.match(/kept checkpoint of size \d+ is (?:the same|a prefix)/);
    }
  });

  it("are told that checkpoints of other sizes have to be compared by an export, which then compares them", () => {
    const older = noteOf(new Ledger().grow(20).log.point);
    const [receipt, checkpoint, bundle] = judged([older]);
    for (const result of [receipt, checkpoint]) {
      expect(result?.ok).to.equal(true);
      expect(result?.notChecked.join(" ")).to.match(/kept checkpoint of size \d+ .*export the log/);
    }
    expect(bundle?.checked.join(" ")).to.contain("is a prefix of this log");
  });

  it("learn nothing from what no quorum signed: it is a finding of its own", () => {
    for (const result of judged(["nonsense"])) expect(result.exitCode).to.equal(17);
    for (const result of judged([unsigned(theirs)])) {
      expect(new Set(result.findings.map(({ code }) => code))).to.deep.equal(new Set(["VERIFY_QUORUM"]));
    }
  });

  it("do not take for a fork what they were shown and no quorum signed", () => {
    const files = shown.export();
    files.set("checkpoint", encodeUtf8(unsigned(ours)));
    for (const result of [
      verifyCheckpoint(unsigned(ours), POLICY, { ...options, knownCheckpoints: [theirs] }),
      verifyBundle(files, POLICY, { ...options, knownCheckpoints: [theirs] }),
      verifyReceipt(shown.receipt(7).replaceAll(/^.*node-1.*\n/gm, ""), POLICY, { ...options, knownCheckpoints: [theirs] }),
    ]) {
      expect(result.ok).to.equal(false);
      expect(result.findings.map(({ code }) => code))
        .to.include("VERIFY_QUORUM")
        .and.not.include("VERIFY_FORK");
    }
  });
});
