import { expect } from "chai";
import fc from "fast-check";
import {
  AuditLog,
  checkpointText,
  decodeEntryBundle,
  encodeEntry,
  entryToCanonical,
  LOG_KEYS,
  parseEntry,
  parseTilePath,
  rowLength,
  shardAt,
  TILE_WIDTH,
  tilePath,
} from "#audit";
import { type EntryDraft, encodeCanonical, equalBytes, hashLeaf, LIMITS, merkleRoot, parseNodeId, toHash, toHex, ZERO_HASH } from "#base";
import { expectCode } from "../refusals.ts";
import { DIGEST, draftOf, hasher, Ledger, OPTIONS, START } from "./log-kit.ts";

const BLOCK = { height: 3, timeUs: START, proposer: parseNodeId("node-2"), digest: DIGEST, originView: 1, algorithm: "pbft" };
const PLACE = { seq: 7, previousHash: ZERO_HASH };
const MICROSECONDS = 1_000;

describe("audit entries", () => {
  const texts = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
  // The writer refuses this key: test/base/canonical.test.ts.
  const keys = texts.filter((key) => key !== "__proto__");
  const drafts = fc.record(
    {
      kind: fc.constantFrom("decision", "grant", "block.sealed"),
      provenance: fc.constantFrom("signed", "asserted", "cluster"),
      command: fc.constant(DIGEST),
      actor: texts,
      subject: texts,
      session: texts,
      capability: fc.dictionary(keys, texts),
      decision: fc.constantFrom("allowed", "denied"),
      reason: fc.constantFrom("OK", "AUTHZ_NO_GRANT"),
      policy: fc.constant(DIGEST),
      delegation: fc.array(fc.constant(DIGEST), { maxLength: 3 }),
      content: fc.dictionary(keys, fc.oneof(texts, fc.maxSafeInteger(), fc.boolean())),
    },
    { requiredKeys: ["kind", "provenance", "command", "actor", "subject", "reason", "delegation", "content"] },
  );

  it("writes what the general encoder writes, and reads it back", () => {
    fc.assert(
      fc.property(drafts, (draft) => {
        const bytes = encodeEntry(draft as EntryDraft, BLOCK, PLACE);
        const entry = parseEntry(bytes);
        expect(equalBytes(encodeCanonical(entryToCanonical(entry)), bytes)).to.equal(true);
        expect(entry).to.deep.equal({ ...draft, ...PLACE, block: BLOCK });
      }),
      { numRuns: 150 },
    );
  });

  it("refuses unknown, missing and mistyped fields", () => {
    const good = entryToCanonical(parseEntry(encodeEntry(draftOf(1), BLOCK, PLACE)));
    const refused = (change: Record<string, unknown>): void => {
      const fields = Object.entries({ ...good, ...change }).filter(([, value]) => value !== undefined);
      expectCode(["FORMAT_SHAPE_INVALID", "FORMAT_HASH_INVALID", "FORMAT_ID_INVALID", "FORMAT_INTEGER_RANGE", "FORMAT_TOO_LARGE"], () =>
        parseEntry(encodeCanonical(Object.fromEntries(fields) as Parameters<typeof encodeCanonical>[0])),
      );
    };
    for (const field of Object.keys(good).filter((name) => !["capability", "decision"].includes(name))) refused({ [field]: undefined });
    for (const field of Object.keys(good)) refused({ [field]: [[]] });
    refused({ extra: "1" });
    refused({ v: 2 });
    refused({ kind: "unheard-of" });
    refused({ time: "01" });
    refused({ actor: "a".repeat(257) });
    refused({ delegation: Array.from({ length: 17 }, () => DIGEST) });
    refused({ consensus: { algorithm: "pbft", originView: 0, digest: DIGEST, certificate: DIGEST } });
  });

  it("never refuses a draft: what is too large or too deep is replaced by its hash and stored beside the log", () => {
    let deep: EntryDraft["content"] = { end: true };
    for (let level = 0; level < 15; level++) deep = { deep };
    const large = { text: "x".repeat(LIMITS.entryBytesMax) };
    const ledger = new Ledger();
    const drafts = [
      draftOf("content", { content: large }),
      draftOf("both", { content: large, capability: large }),
      draftOf("deep", { content: deep }),
      draftOf("texts", { actor: "a".repeat(300), session: "s".repeat(70_000), content: large, personal: large }),
    ];
    const { entries, writes } = ledger.append(drafts);
    for (const [at, { bytes }] of entries.slice(0, 4).entries()) {
      expect(bytes.length).to.be.at.most(LIMITS.entryBytesMax);
      const { content } = parseEntry(bytes) as { content: { withheld?: { sha256: string; bytes: number } } };
      const hash = content.withheld?.sha256 ?? "";
      const stored = writes.find(({ key }) => key === `log/object/${hash}`)?.value ?? new Uint8Array(0);
      expect(toHash(hasher.sha256(stored))).to.equal(hash);
      expect(JSON.parse(Buffer.from(stored).toString())).to.deep.equal(drafts[at]?.content);
      expect(content.withheld?.bytes).to.equal(stored.length);
    }
    expect(parseEntry(entries[3]?.bytes ?? new Uint8Array(0)).actor).to.match(/^sha256:[0-9a-f]{64}$/);
    const again = new Ledger().append(drafts);
    expect(again.checkpoint).to.deep.equal(ledger.log.point);
  });
});

describe("shards", () => {
  it("names the half year of a time by the Gregorian calendar", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_000_000_000_000 }), (milliseconds) => {
        const date = new Date(milliseconds);
        const expected = `${date.getUTCFullYear()}h${date.getUTCMonth() < 6 ? 1 : 2}`;
        expect(shardAt(milliseconds * MICROSECONDS)).to.equal(expected);
      }),
      { numRuns: 500 },
    );
    const boundary = Date.UTC(2026, 6, 1) * MICROSECONDS;
    expect([shardAt(boundary - 1), shardAt(boundary)]).to.deep.equal(["2026h1", "2026h2"]);
    expect(shardAt(Date.UTC(2000, 1, 29) * MICROSECONDS)).to.equal("2000h1");
  });

  it("opens by the first block at or after the boundary, and commits to the last checkpoint before it", () => {
    const ledger = new Ledger();
    ledger.append([draftOf("old")]);
    for (let at = 0; at < 300; at++) ledger.append([draftOf(at)], START + 1 + at);
    const before = ledger.log.point;
    const lastHash = ledger.log.lastEntryHash;
    const boundary = Date.UTC(2027, 0, 1) * MICROSECONDS;
    const { opening, entries, checkpoint } = ledger.append([draftOf("new")], boundary + 17);
    expect(checkpoint).to.include({ shard: "2027h1", size: 3, origin: "bank.example/audit/c1c1c1c1/2027h1" });
    const start = parseEntry(opening?.bytes ?? new Uint8Array(0));
    expect(start).to.include({ kind: "log.start", seq: before.size, previousHash: lastHash });
    expect(start.content["previousCheckpoint"]).to.equal(checkpointText(before));
    expect(entries.map(({ seq, index }) => [seq, index])).to.deep.equal([
      [before.size + 1, 1],
      [before.size + 2, 2],
    ]);
    expect(ledger.log.shardPoint("2026h2")).to.deep.equal(before);
    expect(ledger.log.locate(before.size - 1)).to.deep.equal({ shard: "2026h2", index: before.size - 1 });
    expect(ledger.log.locate(before.size)).to.deep.equal({ shard: "2027h1", index: 0 });
    // Proofs and tiles of the closed shard come from the store alone.
    const restored = AuditLog.restore(OPTIONS, ledger.read);
    for (const log of [ledger.log, restored]) {
      expect(log.inclusionProof({ shard: "2026h2", index: 5, size: before.size }, ledger.read)).to.have.length(10);
      expect(log.tile(`tile/0/002.p/${before.size % 256}`, ledger.read, { shard: "2026h2" })).to.have.length((before.size % 256) * 32);
      expect(log.tile("tile/1/000.p/2", ledger.read, { shard: "2026h2" })).to.have.length(64);
    }
  });

  it("begins with log.start too, the very first one without a predecessor", () => {
    const { opening } = new Ledger().append([]);
    const start = parseEntry(opening?.bytes ?? new Uint8Array(0));
    expect(start).to.include({ kind: "log.start", seq: 0, previousHash: ZERO_HASH });
    expect(start.content).to.deep.equal({ origin: "bank.example/audit/c1c1c1c1/2026h2" });
  });
});

describe("the audit log", () => {
  it("chains every entry to the one before it", () => {
    const ledger = new Ledger().grow(40);
    let previous: string = ZERO_HASH;
    for (let seq = 0; seq < ledger.log.nextSeq; seq++) {
      const bytes = ledger.log.entry(seq, ledger.read);
      expect(parseEntry(bytes)).to.include({ seq, previousHash: previous });
      previous = toHash(hasher.sha256(bytes));
    }
    expect(ledger.log.lastEntryHash).to.equal(previous);
  });

  it("signs the root of all leaves", () => {
    const ledger = new Ledger().grow(600);
    expect(ledger.log.point.root).to.equal(toHash(merkleRoot(hasher, ledger.leaves)));
  });

  it("is the same after a restart at any size, and goes on the same", () => {
    const sizes = [1, 2, 255, 256, 257, 300, 511, 512, 770, 1_100];
    for (const size of sizes) {
      const one = new Ledger().grow(size, 37);
      const two = new Ledger().grow(size, 37);
      two.log = AuditLog.restore(OPTIONS, two.read);
      expect(two.log.point).to.deep.equal(one.log.point);
      expect(two.append([draftOf("next")]).checkpoint).to.deep.equal(one.append([draftOf("next")]).checkpoint);
      expect(two.store).to.deep.equal(one.store);
    }
    expect(AuditLog.restore(OPTIONS, () => undefined).point.size).to.equal(0);
  });

  it("is the same after a restart with more than 65,536 entries", function () {
    this.timeout(10_000);
    const ledger = new Ledger().grow(66_100, 1_000);
    const restored = AuditLog.restore(OPTIONS, ledger.read);
    expect(restored.point).to.deep.equal(ledger.log.point);
    const place = { index: 12_345, size: 66_000 };
    expect(restored.inclusionProof(place, ledger.read)).to.deep.equal(ledger.log.inclusionProof(place, ledger.read));
  });

  it("refuses to start from a store in which something of it is missing or altered", () => {
    const fresh = (): Ledger => new Ledger().grow(600);
    const size = fresh().log.point.size;
    const last = size - 1;
    const damaged: ((store: Map<string, Uint8Array>) => unknown)[] = [
      (store) => store.delete(LOG_KEYS.entry(last)),
      (store) => store.delete(LOG_KEYS.shards),
      (store) => store.delete(LOG_KEYS.tile({ shard: "2026h2", level: 1, index: 0 })),
      (store) => store.set(LOG_KEYS.tile({ shard: "2026h2", level: 1, index: 0 }), new Uint8Array(64)),
      (store) => store.set(LOG_KEYS.entry(last), new Uint8Array(10)),
      (store) => store.set(LOG_KEYS.head, new Uint8Array(10)),
    ];
    for (const damage of damaged) {
      const ledger = fresh();
      damage(ledger.store);
      expectCode("STORAGE_CORRUPT", () => AuditLog.restore(OPTIONS, ledger.read));
    }
  });

  it("proves the entries of a tile that it has just filled without reading the tile again", () => {
    const ledger = new Ledger();
    ledger.grow(TILE_WIDTH + 40);
    const size = ledger.log.point.size;
    const read: string[] = [];
    const path = ledger.log.inclusionProof({ index: 3, size }, (key) => {
      read.push(key);
      return ledger.read(key);
    });
    expect(read).to.deep.equal([]);
    const restored = AuditLog.restore(OPTIONS, ledger.read);
    expect(path.map(toHex)).to.deep.equal(restored.inclusionProof({ index: 3, size }, ledger.read).map(toHex));
  });

  it("serves tiles and entry bundles at any width that it has reached", () => {
    const ledger = new Ledger().grow(700);
    const { size } = ledger.log.point;
    for (const [index, width] of [
      [0, 256],
      [0, 17],
      [2, 1],
      [2, size - 512],
    ] as const) {
      const hashes = ledger.log.tile(tilePath({ level: 0, index, width }), ledger.read) ?? new Uint8Array(0);
      const bundle = ledger.log.tile(tilePath({ level: "entries", index, width }), ledger.read) ?? new Uint8Array(0);
      const entries = decodeEntryBundle(bundle) ?? [];
      expect(entries).to.have.length(width);
      expect(toHex(hashes)).to.equal(entries.map((entry) => toHex(hashLeaf(hasher, entry))).join(""));
    }
    const upper = ledger.log.tile("tile/1/000.p/2", ledger.read) ?? new Uint8Array(0);
    expect(toHex(upper.subarray(0, 32))).to.equal(toHex(merkleRoot(hasher, ledger.leaves.slice(0, 256))));
    for (const path of [
      "tile/0/003",
      "tile/0/002",
      "tile/1/000",
      "tile/1/000.p/3",
      "tile/2/000.p/1",
      "tile/9/000",
      "tile/entries/003.p/1",
    ]) {
      expect(ledger.log.tile(path, ledger.read), path).to.equal(undefined);
    }
  });

  it("writes and reads tile paths as C2SP has them, and no others", () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: TILE_WIDTH })).to.equal("tile/0/x001/x234/067");
    expect(tilePath({ level: "entries", index: 0, width: 3 })).to.equal("tile/entries/000.p/3");
    for (const path of ["tile/0/x001/x234/067", "tile/entries/000.p/3", "tile/12/x100/000.p/255"]) {
      const coordinates = parseTilePath(path);
      expect(coordinates && tilePath(coordinates)).to.equal(path);
    }
    const refused = [
      "tile/0/67",
      "tile/0/x000/067",
      "tile/00/067",
      "tile/0/067.p/256",
      "tile/0/067.p/0",
      "tile/0/067.p/01",
      "tile/0/../067",
    ];
    for (const path of [...refused, "tile/0/x001", "tile/0/001/067", "/tile/0/067", "tile/0/067/", "tile/-1/067"]) {
      expect(parseTilePath(path), path).to.equal(undefined);
    }
    expect(rowLength(65_537, 1)).to.equal(256);
  });
});
