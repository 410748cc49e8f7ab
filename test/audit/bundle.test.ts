import { expect } from "chai";
import {
  checkpointText,
  decodeEntryBundle,
  encodeEntryBundle,
  entryToCanonical,
  exportPaths,
  parseEntry,
  tilePath,
  type VerificationResult,
  verifyBundle,
} from "#audit";
import { encodeCanonical, encodeUtf8, hashLeaf } from "#base";
import { draftOf, hasher, Ledger, noteOf, POLICY, rememberingPredicate, START } from "./log-kit.ts";

const SIZE = 620;
const options = { hasher, ed25519: rememberingPredicate() };
const whole = new Ledger().grow(SIZE, 11);
const { size } = whole.log.point;

type Files = Map<string, Uint8Array>;

const verify = (files: Files, knownCheckpoints: readonly string[] = []): VerificationResult =>
  verifyBundle(files, POLICY, { ...options, knownCheckpoints });
const exitsOf = (result: VerificationResult): number[] => [...new Set(result.findings.map(({ exit }) => exit))].sort();
const widthAt = (index: number): number => Math.min(256, size - index * 256);
const entriesPath = (index: number): string => tilePath({ level: "entries", index, width: widthAt(index) });
const tileAt = (index: number): string => tilePath({ level: 0, index, width: widthAt(index) });

/** Replaces the entries of one bundle. */
function withEntries(files: Files, index: number, change: (entries: Uint8Array[]) => Uint8Array[]): Files {
  const entries = decodeEntryBundle(files.get(entriesPath(index)) ?? new Uint8Array(0)) ?? [];
  return new Map(files).set(entriesPath(index), encodeEntryBundle(change(entries)));
}

/** The same entry with another reason: canonical, well formed, and wrong. */
function altered(bytes: Uint8Array | undefined): Uint8Array {
  const entry = parseEntry(bytes ?? new Uint8Array(0));
  return encodeCanonical({ ...entryToCanonical(entry), reason: "AUTHZ_NO_GRANT" });
}

const draftBytes = decodeEntryBundle(whole.export().get(entriesPath(0)) ?? new Uint8Array(0))?.[1] ?? new Uint8Array(0);

describe("an export", () => {
  it("verifies completely, and lists what it cannot show", () => {
    const result = verify(whole.export());
    expect(result).to.include({ ok: true, exitCode: 0 });
    expect(result.checkpoint).to.deep.include({ size, root: whole.log.point.root });
    expect(result.checked.join(" ")).to.include(`all ${size} entries`);
    expect(result.notChecked.join(" ")).to.include("give a checkpoint that you kept");
  });

  it("verifies for every small size and around full tiles", () => {
    for (const least of [1, 3, 7, 250, 255, 256, 511, 512, 513]) {
      const ledger = new Ledger().grow(least, 1);
      expect(verify(ledger.export()).findings, String(least)).to.deep.equal([]);
    }
  });

  it("verifies with full files where the checkpoint asks for partial ones: the log may have grown on", () => {
    const files = whole.export();
    const older = new Ledger().grow(300, 11);
    files.set("checkpoint", encodeUtf8(noteOf(older.log.point)));
    const upper = whole.log.tile("tile/1/000.p/1", whole.read);
    files.set("tile/1/000.p/1", upper ?? new Uint8Array(0));
    const width = older.log.point.size - 256;
    for (const level of [0, "entries"] as const) {
      const path = tilePath({ level, index: 1, width: 256 });
      expect(files.has(path), `${path} for ${width}`).to.equal(true);
    }
    expect(verify(files).findings).to.deep.equal([]);
  });

  it("names the first bad index when any entry is altered", () => {
    for (const index of [0, 1, 17, 255, 256, 300, size - 1]) {
      const files = withEntries(whole.export(), Math.floor(index / 256), (entries) =>
        entries.with(index % 256, altered(entries[index % 256])),
      );
      const result = verify(files);
      expect(result, String(index)).to.include({ exitCode: 10, firstBadIndex: index });
    }
  });

  it("names it from the chain when the tile's hash was altered to match", () => {
    for (const index of [4, 255, 256, 400]) {
      const at = index % 256;
      const files = withEntries(whole.export(), Math.floor(index / 256), (entries) => entries.with(at, altered(entries[at])));
      const entry = decodeEntryBundle(files.get(entriesPath(Math.floor(index / 256))) ?? new Uint8Array(0))?.[at];
      const tile = Uint8Array.from(files.get(tileAt(Math.floor(index / 256))) ?? []);
      tile.set(hashLeaf(hasher, entry ?? new Uint8Array(0)), at * 32);
      files.set(tileAt(Math.floor(index / 256)), tile);
      expect(verify(files), String(index)).to.include({ exitCode: 10, firstBadIndex: index });
    }
  });

  it("is altered when entries are dropped, inserted, repeated or swapped", () => {
    const changes: ((entries: Uint8Array[]) => Uint8Array[])[] = [
      (entries) => [...entries.slice(0, 100), ...entries.slice(101), entries[100] ?? new Uint8Array(0)],
      (entries) => [...entries.slice(0, 100), altered(entries[99]), ...entries.slice(100, 255)],
      (entries) => entries.with(100, entries[99] ?? new Uint8Array(0)),
      (entries) => entries.with(100, entries[101] ?? new Uint8Array(0)).with(101, entries[100] ?? new Uint8Array(0)),
    ];
    for (const change of changes) {
      expect(verify(withEntries(whole.export(), 0, change))).to.include({ exitCode: 10, firstBadIndex: 100 });
    }
    const dropped = verify(withEntries(whole.export(), 0, (entries) => entries.toSpliced(100, 1)));
    expect(exitsOf(dropped)).to.deep.equal([10, 14]);
    expect(dropped.firstBadIndex).to.equal(100);
  });

  it("is altered when an entry is not canonical, though its leaf is in the tree", () => {
    const result = verify(withEntries(whole.export(), 0, (entries) => entries.with(9, encodeUtf8(" {}"))));
    expect(result).to.include({ exitCode: 10, firstBadIndex: 9 });
  });

  it("is truncated when its tail is missing", () => {
    const files = whole.export();
    files.delete(entriesPath(2));
    expect(verify(files)).to.include({ exitCode: 11, firstBadIndex: 512 });
    files.delete(entriesPath(1));
    expect(verify(files)).to.include({ exitCode: 11, firstBadIndex: 256 });
    const cut = verify(withEntries(whole.export(), 2, (entries) => entries.slice(0, -1)));
    expect(cut).to.include({ exitCode: 11, firstBadIndex: size - 1 });
  });

  it("is not enough evidence when something in it is missing", () => {
    for (const path of whole.export().keys()) {
      if (path === "policy" || path === entriesPath(2)) continue;
      const files = whole.export();
      files.delete(path);
      expect(verify(files).exitCode, path).to.equal(14);
    }
  });

  it("is altered when any tile is", () => {
    for (const path of exportPaths(size).filter((candidate) => !candidate.includes("entries"))) {
      const files = whole.export();
      const bytes = Uint8Array.from(files.get(path) ?? []);
      bytes[33] = (bytes[33] ?? 0) ^ 1;
      files.set(path, bytes);
      const result = verify(files);
      expect(result.exitCode, path).to.equal(10);
      expect(result.firstBadIndex, path).to.be.a("number");
    }
  });

  it("is not valid when a file of it is longer than it has to be, by a byte or by a whole hash or entry", () => {
    const extra = encodeEntryBundle([draftBytes]);
    for (const path of exportPaths(size)) {
      const bytes = whole.export().get(path) ?? new Uint8Array(0);
      for (const more of [new Uint8Array(1), path.includes("entries") ? extra : new Uint8Array(32)]) {
        const result = verify(whole.export().set(path, Buffer.concat([bytes, more])));
        expect(result.ok, `${path} and ${more.length} bytes`).to.equal(false);
      }
    }
  });

  it("is refused when its checkpoint is another, malformed, or short of a quorum", () => {
    const files = whole.export();
    const text = Buffer.from(files.get("checkpoint") ?? []).toString();
    const other = new Ledger().grow(SIZE, 13).log.point;
    expect(verify(files.set("checkpoint", encodeUtf8(noteOf({ ...other, size })))).exitCode).to.equal(10);
    expect(verify(files.set("checkpoint", encodeUtf8(text.slice(1)))).exitCode).to.equal(10);
    expect(verify(files.set("checkpoint", encodeUtf8("nonsense"))).exitCode).to.equal(17);
    expect(verify(files.set("checkpoint", Uint8Array.of(0xff))).exitCode).to.equal(17);
    expect(verify(files.set("checkpoint", encodeUtf8(text.split("\n").slice(0, -2).join("\n").concat("\n")))).exitCode).to.equal(12);
  });

  it("is judged after as many looks as it has files, whatever size a checkpoint claims that nobody signed", () => {
    const files = whole.export();
    const text = Buffer.from(files.get("checkpoint") ?? []).toString();
    let looks = 0;
    const reader = {
      get: (path: string): Uint8Array | undefined => (++looks > 100_000 ? expect.fail("it does not end") : files.get(path)),
    };
    for (const claimed of [Number.MAX_SAFE_INTEGER, 1_000_000_000]) {
      files.set("checkpoint", encodeUtf8(text.replace(`\n${size}\n`, `\n${claimed}\n`)));
      looks = 0;
      const result = verifyBundle(reader, POLICY, options);
      expect(result).to.include({ ok: false, exitCode: 11, firstBadIndex: 512 });
      expect(result.findings.map(({ code }) => code)).to.include("VERIFY_QUORUM");
    }
  });

  it("is checked against the checkpoints that the auditor kept: growth holds, rollback and forks do not", () => {
    const older = new Ledger().grow(300, 11);
    const kept = noteOf(older.log.point);
    const grown = verify(whole.export(), [kept]);
    expect(grown).to.include({ exitCode: 0 });
    expect(grown.checked.join(" ")).to.include(`kept checkpoint of size ${older.log.point.size}`);
    const rolledBack = verify(older.export(), [noteOf(whole.log.point)]);
    expect(rolledBack.exitCode).to.equal(11);
    const rewritten = new Ledger();
    rewritten.append([draftOf("another beginning")]);
    rewritten.grow(SIZE, 11);
    const forked = verify(rewritten.export(), [kept]);
    expect(forked.exitCode).to.equal(15);
    expect(verify(whole.export(), ["nonsense"]).exitCode).to.equal(17);
    const tampered = withEntries(whole.export(), 0, (entries) => entries.with(20, altered(entries[20])));
    expect(exitsOf(verify(tampered, [kept])), "altered evidence is no fork").to.deep.equal([10, 14]);
  });

  it("is checked at the boundary of a shard: the first entry commits to the last checkpoint before it", () => {
    const ledger = new Ledger().grow(30);
    const before = ledger.log.point;
    const boundary = Date.UTC(2027, 0, 1) * 1_000;
    ledger.append([draftOf("new")], boundary);
    expect(verify(ledger.export(), [noteOf(before)]).findings).to.deep.equal([]);
    const longer = noteOf({ ...before, size: before.size + 5 });
    expect(verify(ledger.export(), [longer]).exitCode).to.equal(11);
    const forked = noteOf({ ...before, root: whole.log.point.root });
    expect(verify(ledger.export(), [forked]).exitCode).to.equal(15);
    expect(checkpointText(before)).to.include("2026h2");
  });

  it("is altered when the cluster itself signed a log whose blocks do not follow", () => {
    const lying = new Ledger();
    lying.append([draftOf("one")]);
    lying.height += 1;
    lying.append([draftOf("two")], START + 1);
    expect(verify(lying.export()).findings.map(({ message }) => message)).to.deep.equal(["block 3 follows block 1, at index 3"]);
    const back = new Ledger();
    back.append([draftOf("one")], START + 9);
    back.append([draftOf("two")], START + 9);
    expect(verify(back.export()).exitCode).to.equal(10);
  });
});
