import { expect } from "chai";
import { exportPaths, parseNote, parseReceipt, receiptText } from "#audit";
import { encodeUtf8, toBase64 } from "#base";
import { FOUR, hasher, Ledger, noteOf, POLICY } from "../audit/log-kit.ts";
import { GoVerifier } from "./go-verifier.ts";

const OLDER = 300;
const NEWER = 700;

type Files = Map<string, Uint8Array>;

/** A receipt in a log of several tiles, an older checkpoint, the proof between both, and the tiles. */
function evidence(): { files: Files; index: number; size: number; olderSize: number } {
  const ledger = new Ledger().grow(OLDER, 11);
  const older = ledger.log.point;
  ledger.grow(NEWER, 11);
  const { size } = ledger.log.point;
  const index = 417;
  const consistency = ledger.log.consistencyProof({ from: older.size, to: size }, ledger.read);
  const files: Files = new Map([
    ["policy", encodeUtf8(POLICY)],
    ["receipt.tlog-proof", encodeUtf8(ledger.receipt(index, ["node-4", "node-2", "node-3"]))],
    ["older-checkpoint", encodeUtf8(noteOf(older))],
    ["consistency", encodeUtf8(consistency.map((hash) => `${toBase64(hash)}\n`).join(""))],
  ]);
  for (const path of exportPaths(size)) files.set(path, ledger.log.tile(path, ledger.read) ?? new Uint8Array(0));
  return { files, index, size, olderSize: older.size };
}

describe("Go's x/mod sumdb/note and sumdb/tlog", () => {
  const verifier = new GoVerifier();
  const { files, index, size, olderSize } = evidence();
  const text = (path: string): string => Buffer.from(files.get(path) ?? []).toString();
  const refusal = (path: string, changed: string | Uint8Array): string => {
    const verdict = verifier.run(new Map(files).set(path, typeof changed === "string" ? encodeUtf8(changed) : changed));
    expect(verdict.ok, `${path} changed`).to.equal(false);
    return verdict.output;
  };

  before(function () {
    this.timeout(120_000);
    const reason = verifier.build();
    if (reason === undefined) return;
    process.stderr.write(`    skipped: ${reason}\n`);
    this.skip();
  });

  after(() => verifier.remove());

  it("open the checkpoint with every L key and every W key, and accept the inclusion and consistency proofs, also made from tiles", () => {
    const verdict = verifier.run(files);
    expect(verdict.output).to.match(/^\{/);
    expect(JSON.parse(verdict.output)).to.deep.equal({ logSignatures: 3, witnessSignatures: 3, size, index, olderSize });
    expect(FOUR.members).to.have.length(4);
  });

  it("refuse another entry, index or path", () => {
    const receipt = parseReceipt(text("receipt.tlog-proof"));
    const entry = Uint8Array.from(receipt.entry);
    entry[40] = (entry[40] ?? 0) ^ 1;
    expect(refusal("receipt.tlog-proof", receiptText({ ...receipt, entry }))).to.match(/inclusion/);
    expect(refusal("receipt.tlog-proof", receiptText({ ...receipt, index: receipt.index + 1 }))).to.match(/inclusion/);
    const proof = receipt.proof.with(2, hasher.sha256(entry));
    expect(refusal("receipt.tlog-proof", receiptText({ ...receipt, proof }))).to.match(/inclusion/);
  });

  it("refuse a signature that is wrong, missing, or under another name", () => {
    const receipt = parseReceipt(text("receipt.tlog-proof"));
    const { text: body, signatures } = parseNote(receipt.checkpoint);
    const lines = receipt.checkpoint.slice(body.length + 1, -1).split("\n");
    for (const at of signatures.keys()) {
      const line = lines[at] ?? "";
      const flipped = `${line.slice(0, -20)}${line.at(-20) === "A" ? "B" : "A"}${line.slice(-19)}`;
      for (const changed of [
        lines.with(at, flipped),
        lines.toSpliced(at, 1),
        lines.with(at, line.replace("bank.example", "bonk.example")),
      ]) {
        refusal("receipt.tlog-proof", receiptText({ ...receipt, checkpoint: `${body}\n${changed.join("\n")}\n` }));
      }
    }
    const larger = receipt.checkpoint.replace(`\n${size}\n`, `\n${size + 1}\n`);
    expect(refusal("receipt.tlog-proof", receiptText({ ...receipt, checkpoint: larger }))).to.match(/checkpoint/);
  });

  it("refuse another consistency proof, older checkpoint or tile", () => {
    const hashes = text("consistency").split("\n");
    expect(refusal("consistency", hashes.toSpliced(0, 1).join("\n"))).to.match(/consistency/);
    expect(refusal("consistency", hashes.with(1, toBase64(hasher.sha256(new Uint8Array(0)))).join("\n"))).to.match(/consistency/);
    refusal("older-checkpoint", text("older-checkpoint").replace(`\n${olderSize}\n`, `\n${olderSize - 1}\n`));
    const tile = Uint8Array.from(files.get("tile/0/001") ?? []);
    tile[7] = (tile[7] ?? 0) ^ 1;
    expect(refusal("tile/0/001", tile)).to.match(/tiles/);
  });
});
