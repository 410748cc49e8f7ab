import { expect } from "chai";
import fc from "fast-check";
import { AuditLog, type LogPoint, objectsOf, parseEntry, wholeEntry } from "#audit";
import { encodeUtf8, LIMITS, parseHash, u64be, type WriteOperation } from "#base";
import { type CheckedOffer, LogAdoption } from "#replica";
import { MemoryStore } from "#storage";
import { draftOf, Ledger, OPTIONS, START } from "../audit/log-kit.ts";
import { expectCode } from "../refusals.ts";

const HALF_YEAR_US = 184 * 86_400_000_000;

/** A log over three shards: 2026h2, 2027h1 and 2027h2. */
function threeShards(perShard: number): Ledger {
  const ledger = new Ledger();
  for (let shard = 0; shard < 3; shard++)
    for (let block = 0; block < perShard; block++)
      ledger.append([draftOf(`${shard}-${block}`), draftOf("second")], START + shard * HALF_YEAR_US + block * 5_000_000);
  return ledger;
}

/** What an offer proves of a log: the tree of each shard, and the last entry. */
function offerOf(ledger: Ledger): Pick<CheckedOffer, "trees" | "seal"> {
  const { log } = ledger;
  const trees = new Map(log.shards.map(({ shard }) => [shard, log.shardPoint(shard) as Pick<LogPoint, "size" | "root">]));
  const seq = log.nextSeq - 1;
  return { trees, seal: { seq, entry: log.entry(seq, ledger.read) } };
}

type Part = Parameters<LogAdoption["accept"]>[1];

/** What an honest node answers, at most so many entries. */
function answer(ledger: Ledger, request: { readonly seq: number; readonly last: number; readonly size: number }, most: number): Part {
  const { log, read } = ledger;
  const { shard, index } = log.locate(request.seq);
  const count = Math.min(request.size - index, request.last - request.seq + 1, most);
  const entries = Array.from({ length: count }, (_, at) => log.entry(request.seq + at, read));
  const objects = entries.flatMap((entry) => objectsOf(entry, read));
  return { entries, proof: log.consistencyProof({ shard, from: index + count, to: request.size }, read), objects };
}

async function write(store: MemoryStore, operations: readonly WriteOperation[]): Promise<void> {
  await new Promise<void>((resolve, reject) => store.write(operations, (error) => (error === undefined ? resolve() : reject(error))));
}

/** A store that holds the first so many blocks of the log, as if this node had applied them itself. */
async function storeWith(blocks: number, perShard: number): Promise<MemoryStore> {
  const own = new Ledger();
  const store = new MemoryStore();
  for (let at = 0; at < blocks; at++) {
    const [shard, block] = [Math.floor(at / perShard), at % perShard];
    const { writes } = own.append([draftOf(`${shard}-${block}`), draftOf("second")], START + shard * HALF_YEAR_US + block * 5_000_000);
    await write(store, writes);
  }
  return store;
}

/** Takes over all that is missing. */
async function follow(adoption: LogAdoption, offer: CheckedOffer, ledger: Ledger, store: MemoryStore): Promise<void> {
  for (let request = adoption.next(offer); request !== undefined; request = adoption.next(offer))
    await write(store, adoption.accept(offer, answer(ledger, request, 100)).writes);
}

describe("taking over a log", () => {
  it("gives the same log, in parts of any size, from any block on, over the ends of half years, and after crashes in the midst", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 1, max: 90 }),
        fc.nat(30),
        async (perShard, third, most, crashAt) => {
          const ledger = threeShards(perShard);
          const offer = offerOf(ledger) as CheckedOffer;
          const store = await storeWith(Math.min(third * perShard, 3 * perShard - 1), perShard);
          let adoption = new LogAdoption(OPTIONS, store);
          for (let parts = 0, request = adoption.next(offer); request !== undefined; parts++) {
            await write(store, adoption.accept(offer, answer(ledger, request, most)).writes);
            // What was written ahead of the head is harmless to whoever starts again from the head.
            if (parts === crashAt) adoption = new LogAdoption(OPTIONS, store);
            request = adoption.next(offer);
          }
          await write(store, adoption.log.headWrites());
          const restored = AuditLog.restore(OPTIONS, (key) => store.get(key));
          expect(restored.point).to.deep.equal(ledger.log.point);
          expect(restored.shards).to.deep.equal(ledger.log.shards);
          expect(restored.lastEntryHash).to.equal(ledger.log.lastEntryHash);
          expect(adoption.points.at(-1)?.point).to.deep.equal(ledger.log.point);
          for (const seq of [0, Math.floor(restored.nextSeq / 2), restored.nextSeq - 1])
            expect(restored.entry(seq, (key) => store.get(key))).to.deep.equal(ledger.log.entry(seq, ledger.read));
          for (const { shard } of restored.shards) {
            const { size } = restored.shardPoint(shard);
            expect(restored.inclusionProof({ shard, index: 0, size }, (key) => store.get(key))).to.deep.equal(
              ledger.log.inclusionProof({ shard, index: 0, size }, ledger.read),
            );
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it("keeps nothing of a part that is altered, short of its proof, out of place or beyond the seal", async () => {
    const ledger = threeShards(5);
    const offer = offerOf(ledger) as CheckedOffer;
    const adoption = new LogAdoption(OPTIONS, await storeWith(2, 5));
    const request = adoption.next(offer);
    if (request === undefined) throw new Error("something is missing");
    const good = answer(ledger, request, 5);
    const [first = new Uint8Array(0), ...rest] = good.entries;
    const longer = { ...good, entries: [...good.entries, ledger.log.entry(request.seq + 5, ledger.read)] };
    const wrong: Part[] = [
      { ...good, entries: [] },
      { ...good, entries: rest },
      { ...good, entries: [...rest, first] },
      { ...good, entries: [first.map((byte, at) => (at === 40 ? byte ^ 1 : byte)), ...rest] },
      { ...good, proof: good.proof.slice(1) },
      { ...good, proof: good.proof.map((hash) => hash.map((byte) => byte ^ 1)) },
      longer,
    ];
    for (const part of wrong) {
      expectCode("SYNC_PART_INVALID", () => adoption.accept(offer, part));
      expect(adoption.nextSeq).to.equal(request.seq);
    }
    adoption.accept(offer, good);
    expect(adoption.nextSeq).to.equal(request.seq + 5);
    const early = { ...offer, seal: { seq: request.seq + 6, entry: first } };
    const next = answer(ledger, { ...request, seq: request.seq + 5 }, 5);
    expectCode("SYNC_PART_INVALID", () => adoption.accept(early, next));
  });

  it("ends with the seal of an older offer too, when a newer one was followed further before", async () => {
    const older = threeShards(4);
    const newer = threeShards(4);
    const last = START + 2 * HALF_YEAR_US + 20 * 5_000_000;
    for (let block = 0; block < 5; block++) newer.append([draftOf(`later-${block}`)], last + block * 5_000_000);
    const store = await storeWith(2, 4);
    const adoption = new LogAdoption(OPTIONS, store);
    const [first, second] = [offerOf(newer) as CheckedOffer, offerOf(older) as CheckedOffer];
    for (let request = adoption.next(first); request !== undefined && request.seq <= second.seal.seq + 1; request = adoption.next(first))
      await write(store, adoption.accept(first, answer(newer, request, 4)).writes);
    expect(adoption.nextSeq).to.be.greaterThan(second.seal.seq + 1);
    await follow(adoption, second, older, store);
    expect(adoption.log.point).to.deep.equal(older.log.point);
    expect(adoption.points.at(-1)?.point).to.deep.equal(older.log.point);
  });

  it("leaves whole tiles behind where this node applied blocks in the midst", async () => {
    const ledger = new Ledger();
    const drafts = Array.from({ length: 99 }, (_, at) => draftOf(`draft-${at}`));
    const blocks = Array.from({ length: 12 }, (_, block) => START + block * 5_000_000);
    const appended = blocks.map((timeUs) => ledger.append(drafts, timeUs));
    const offer = offerOf(ledger) as CheckedOffer;
    const store = new MemoryStore();
    for (const { writes } of appended.slice(0, 2)) await write(store, writes);
    const adoption = new LogAdoption(OPTIONS, store);
    const request = adoption.next(offer);
    if (request === undefined) throw new Error("something is missing");
    await write(store, adoption.accept(offer, answer(ledger, request, 900)).writes);
    for (const { writes } of appended.slice(2, 6)) await write(store, writes);
    await follow(adoption, offer, ledger, store);
    await write(store, adoption.log.headWrites());
    expect(AuditLog.restore(OPTIONS, (key) => store.get(key)).point).to.deep.equal(ledger.log.point);
  });

  it("takes what an entry names because it did not fit, and the records of both of a part's commands; nothing without those very bytes", async () => {
    const ledger = new Ledger();
    const [content, capability] = ["c", "d"].map((text) => ({ text: text.repeat(LIMITS.entryBytesMax) }));
    if (content === undefined || capability === undefined) throw new Error("something is missing");
    const [small, large] = [parseHash("b1".repeat(32)), parseHash("b2".repeat(32))];
    ledger.append([
      draftOf("small", { command: small }),
      draftOf("large", { command: large, content, capability }),
      draftOf("again", { command: small }),
    ]);
    const offer = offerOf(ledger) as CheckedOffer;
    const store = new MemoryStore();
    const refusedBefore = encodeUtf8("the record of a refusal without an entry");
    await write(store, [{ key: `r/${large}`, value: refusedBefore }]);
    const adoption = new LogAdoption(OPTIONS, store);
    const good = answer(ledger, adoption.next(offer) ?? { seq: 0, last: 0, size: 0 }, 100);
    const [first = new Uint8Array(0), second = new Uint8Array(0)] = good.objects;
    const wrong = [[], [first], [second, first], [first, second, second], [first, second.map((byte, at) => (at === 99 ? byte ^ 1 : byte))]];
    for (const objects of wrong) expectCode("SYNC_PART_INVALID", () => adoption.accept(offer, { ...good, objects }));
    await write(store, adoption.accept(offer, good).writes);
    expect(store.get(`r/${small}`)).to.deep.equal(u64be(1));
    expect(store.get(`r/${large}`)).to.deep.equal(u64be(2));
    const adopted = wholeEntry(parseEntry(adoption.log.entry(2, (key) => store.get(key))), (key) => store.get(key));
    expect(adopted).to.deep.include({ content, capability });
  });

  it("takes no shard that the offer does not prove", async () => {
    const ledger = threeShards(3);
    const whole = offerOf(ledger) as CheckedOffer;
    const firstShard = ledger.log.shards[0]?.shard ?? "";
    const firstTree = whole.trees.get(firstShard);
    const forged = { ...whole, trees: new Map([...whole.trees].filter(([shard]) => shard !== firstShard)) };
    const adoption = new LogAdoption(OPTIONS, new MemoryStore());
    const part = answer(ledger, { seq: 0, last: whole.seal.seq, size: firstTree?.size ?? 0 }, 100);
    expectCode("SYNC_PART_INVALID", () => adoption.accept(forged, part));
    const other = { size: firstTree?.size ?? 0, root: parseHash("ab".repeat(32)) };
    expectCode("SYNC_PART_INVALID", () => adoption.accept({ ...whole, trees: new Map([...whole.trees, [firstShard, other]]) }, part));
  });
});
