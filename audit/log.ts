import { type EntryDraft, type Hash, type Hasher, hashOf, QuorumgateError, toHash, type WriteOperation, ZERO_HASH } from "#base";
import { type Checkpoint, checkpointText, type LogPoint } from "./checkpoint-text.ts";
import { type AuditEntry, type EntryBlock, parseEntry } from "./entry.ts";
import { encodeFitted } from "./fitting.ts";
import { headWrite, LOG_KEYS, type ShardRecord, type StoreReader, shardsWrite } from "./log-store.ts";
import { consistencyPath, inclusionPath, type SubtreeHashes, treeRoot } from "./proof.ts";
import { type AuditRules, auditRules } from "./rules.ts";
import { type ShardName, shardAt, shardOrigin } from "./shard.ts";
import { loadStoredLog, stored } from "./stored-log.ts";
import { encodeEntryBundle, parseTilePath, rowLength, TILE_WIDTH } from "./tile.ts";
import { TileCache } from "./tile-cache.ts";
import { GrowingTree, subtreeHashes, type TileLookup } from "./tree.ts";

/** Whose log it is, and how it hashes. */
export interface AuditLogOptions {
  readonly trustDomain: string;
  readonly cluster: Hash;
  readonly hasher: Hasher;
  /** Overridden by planted bugs only. */
  readonly rules?: AuditRules;
}

/** An entry with its places: `seq` in the whole log, `index` in its shard's tree. */
export interface AppendedEntry {
  readonly seq: number;
  readonly index: number;
  readonly shard: ShardName;
  readonly bytes: Uint8Array;
  /** SHA-256(0x00 ‖ bytes). */
  readonly leafHash: Uint8Array;
}

/** What appending a block gives. */
export interface AppendedBlock {
  /** One for each draft, in order. */
  readonly entries: readonly AppendedEntry[];
  /** The `log.start` that the block opened a shard with, before all drafts. */
  readonly opening?: AppendedEntry;
  readonly checkpoint: LogPoint;
  /** All to be stored in the block's atomic batch. */
  readonly writes: readonly WriteOperation[];
}

/** An entry that was taken over, and what stores it. */
export interface AdoptedEntry {
  readonly entry: AuditEntry;
  readonly writes: readonly WriteOperation[];
}

/**
 * The growing log of one cluster. Pure and synchronous.
 *
 * It keeps in memory the right edge of the newest shard's tree and reads everything else back through the store. The caller stores `writes`
 * before it tells anyone of the checkpoint; a log whose writes failed must not be used any more.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #rules: AuditRules;
  readonly #tiles: TileCache;
  #shards: readonly ShardRecord[] = [];
  #tree: GrowingTree;
  #point: LogPoint;
  #nextSeq = 0;
  #lastEntryHash: Hash = ZERO_HASH;

  private constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#rules = options.rules ?? auditRules;
    this.#tiles = new TileCache(options.hasher);
    this.#tree = new GrowingTree(options.hasher);
    this.#point = { origin: "", shard: "", size: 0, root: toHash(this.#tree.root()), timeUs: 0 };
  }

  /** A log without entries. */
  static empty(options: AuditLogOptions): AuditLog {
    return new AuditLog(options);
  }

  /**
   * The log as `append` had it stored; empty when nothing was. The partial tile is made again from the last entries, and the root from the
   * tiles: both must give the stored root.
   * @throws {QuorumgateError} STORAGE_CORRUPT
   */
  static restore(options: AuditLogOptions, read: StoreReader): AuditLog {
    const log = new AuditLog(options);
    const head = read(LOG_KEYS.head);
    if (head !== undefined) log.#load(head, read);
    return log;
  }

  /** The log after the last block. */
  get point(): LogPoint {
    return this.#point;
  }

  /** seq of the next entry. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** SHA-256 of the last entry's bytes; zeros when there is none. */
  get lastEntryHash(): Hash {
    return this.#lastEntryHash;
  }

  /** All shards, oldest first; the last is open. */
  get shards(): readonly ShardRecord[] {
    return this.#shards;
  }

  /**
   * Appends a block's entries. The first block at or after a half year's boundary opens a shard, whose first entry, `log.start`, commits to
   * the last checkpoint before it. Never refuses a draft: see `encodeFitted`.
   */
  append(block: EntryBlock, drafts: readonly EntryDraft[]): AppendedBlock {
    const writes: WriteOperation[] = [];
    const opening = this.#openShard(block, writes);
    const entries = drafts.map((draft) => this.#appendEntry(block, draft, writes));
    this.#moveTo(block.timeUs);
    writes.push(this.#headWrite());
    return { entries, ...(opening === undefined ? {} : { opening }), checkpoint: this.#point, writes };
  }

  /** Shard and index of an entry. @throws {QuorumgateError} AUDIT_RANGE */
  locate(seq: number): { readonly shard: ShardName; readonly index: number } {
    const record = this.#shards.findLast(({ firstSeq }) => firstSeq <= seq);
    if (record === undefined || seq >= this.#nextSeq) throw rangeError();
    return { shard: record.shard, index: seq - record.firstSeq };
  }

  /** The global sequence of an entry that is known by its place in a shard. @throws {QuorumgateError} AUDIT_RANGE */
  seqOf(shard: string, index: number): number {
    const record = this.#shards.find((known) => known.shard === shard);
    if (record === undefined || record.firstSeq + index >= this.#nextSeq) throw rangeError();
    return record.firstSeq + index;
  }

  /** An entry's bytes. @throws {QuorumgateError} AUDIT_RANGE, STORAGE_CORRUPT */
  entry(seq: number, read: StoreReader): Uint8Array {
    if (!(Number.isSafeInteger(seq) && seq >= 0 && seq < this.#nextSeq)) throw rangeError();
    return stored(read(LOG_KEYS.entry(seq)), "an entry is missing");
  }

  /**
   * Hashes from leaf to root for one entry in the tree of `size` leaves (RFC 9162, section 2.1.3).
   * @throws {QuorumgateError} AUDIT_RANGE, STORAGE_CORRUPT
   */
  inclusionProof(place: { readonly shard?: ShardName; readonly index: number; readonly size: number }, read: StoreReader): Uint8Array[] {
    const { hashes, size } = this.#shardTree(place.shard, read);
    if (place.size > size) throw rangeError();
    return inclusionPath(hashes, place);
  }

  /** Root of the first entries of a shard. @throws {QuorumgateError} AUDIT_RANGE, STORAGE_CORRUPT */
  rootOf(part: { readonly shard?: ShardName; readonly size: number }, read: StoreReader): Hash {
    const { hashes, size } = this.#shardTree(part.shard, read);
    if (part.size > size) throw rangeError();
    return toHash(treeRoot(hashes, part.size));
  }

  /** Proof that one tree is a prefix of the other (RFC 9162, section 2.1.4). @throws {QuorumgateError} AUDIT_RANGE, STORAGE_CORRUPT */
  consistencyProof(sizes: { readonly shard?: ShardName; readonly from: number; readonly to: number }, read: StoreReader): Uint8Array[] {
    const { hashes, size } = this.#shardTree(sizes.shard, read);
    if (sizes.to > size) throw rangeError();
    return consistencyPath(hashes, sizes);
  }

  /**
   * A tile or bundle of entries by its C2SP path, partial ones at any width that the log has reached, before `endSeq` if given; undefined when there is none. @throws {QuorumgateError} AUDIT_RANGE for an unknown shard, STORAGE_CORRUPT
   */
  tile(path: string, read: StoreReader, about: { readonly shard?: ShardName; readonly endSeq?: number } = {}): Uint8Array | undefined {
    const coordinates = parseTilePath(path);
    if (coordinates === undefined) return undefined;
    const { record, lookup, ...tree } = this.#shardTree(about.shard, read);
    const { level, index, width } = coordinates;
    const [first, end] = [index * TILE_WIDTH, about.endSeq ?? this.#nextSeq];
    const size = Math.min(tree.size, Math.max(0, end - record.firstSeq));
    if (first + width > rowLength(size, level === "entries" ? 0 : level)) return undefined;
    if (level !== "entries") return stored(lookup(level, index), "a tile is missing").row(width);
    const entries = Array.from({ length: width }, (_, at) => this.entry(record.firstSeq + first + at, read));
    return encodeEntryBundle(entries);
  }

  /** The last checkpoint of a shard: of the open one, the newest. @throws {QuorumgateError} AUDIT_RANGE */
  shardPoint(shard: ShardName): LogPoint {
    const record = this.#record(shard);
    if (record.closed === undefined) return this.#point;
    return { origin: shardOrigin(this.#options, shard), shard, ...record.closed };
  }

  /** A log of its own that stands where this one stands. */
  fork(): AuditLog {
    const log = new AuditLog(this.#options);
    log.#shards = this.#shards;
    log.#tree = this.#tree.fork();
    log.#point = this.#point;
    log.#nextSeq = this.#nextSeq;
    log.#lastEntryHash = this.#lastEntryHash;
    return log;
  }

  /** The newest shard's tree as it is now, within a block too. */
  treeHead(): { readonly shard: ShardName; readonly size: number; readonly root: Uint8Array } {
    return { shard: this.#point.shard, size: this.#tree.size, root: this.#tree.root() };
  }

  /**
   * Takes over the next entry of another node's log as it is. Of its bytes only the place in the chain is checked: whoever adopts compares the
   * tree with a proved one before it stores the writes, which leave head and list of shards as they are.
   * @throws {QuorumgateError} SYNC_PART_INVALID, and the log must not be used any more
   */
  adopt(bytes: Uint8Array): AdoptedEntry {
    const entry = readAdopted(bytes);
    if (entry.seq !== this.#nextSeq || entry.previousHash !== this.#lastEntryHash) throw misplaced("an entry does not follow the last one");
    const writes: WriteOperation[] = [];
    const shard = shardAt(entry.block.timeUs);
    const opens = entry.kind === "log.start";
    if (opens !== shard > this.#point.shard) throw misplaced("a shard begins at its boundary, with its opening entry");
    if (opens) this.#enterShard(shard, writes);
    this.#store(bytes, writes);
    if (entry.kind === "block.sealed") this.#moveTo(entry.block.timeUs);
    return { entry, writes };
  }

  /** What makes adopted entries part of the stored log: the list of shards and the head. */
  headWrites(): readonly WriteOperation[] {
    return [shardsWrite(this.#shards), this.#headWrite()];
  }

  #openShard(block: EntryBlock, writes: WriteOperation[]): AppendedEntry | undefined {
    const shard = shardAt(block.timeUs);
    // Agreed time never goes back; if it did, the newer shard stays open.
    if (shard <= this.#point.shard) return undefined;
    const previous = this.#enterShard(shard, writes);
    writes.push(shardsWrite(this.#shards));
    return this.#appendEntry(block, startDraft({ origin: this.#point.origin, shard, previous }), writes);
  }

  /** Begins a tree of its own. Gives the last checkpoint of the shard before. */
  #enterShard(shard: ShardName, writes: WriteOperation[]): Checkpoint | undefined {
    const previous = this.#shards.length === 0 ? undefined : this.#closeShard(writes);
    this.#shards = [...this.#shards, { shard, firstSeq: this.#nextSeq }];
    this.#tree = new GrowingTree(this.#options.hasher);
    this.#point = { ...this.#point, origin: shardOrigin(this.#options, shard), shard };
    return previous;
  }

  #closeShard(writes: WriteOperation[]): Checkpoint {
    const { shard, size, root, timeUs } = this.#point;
    // A closed shard's tiles are all read from the store, its partial ones too.
    for (const { level, index, bytes } of this.#tree.partialTiles())
      writes.push({ key: LOG_KEYS.tile({ shard, level, index }), value: bytes });
    this.#shards = this.#shards.map((record) => (record.shard === shard ? { ...record, closed: { size, root, timeUs } } : record));
    return this.#point;
  }

  #appendEntry(block: EntryBlock, draft: EntryDraft, writes: WriteOperation[]): AppendedEntry {
    const { hasher } = this.#options;
    const { shard } = this.#point;
    const seq = this.#nextSeq;
    const index = this.#tree.size;
    const previousHash = this.#rules.chainsTo(this.#lastEntryHash);
    const { bytes, objects } = encodeFitted(hasher, draft, block, { seq, previousHash });
    const leafHash = this.#store(bytes, writes);
    for (const object of objects) writes.push({ key: LOG_KEYS.object(object.hash), value: object.bytes });
    return { seq, index, shard, bytes, leafHash };
  }

  #store(bytes: Uint8Array, writes: WriteOperation[]): Uint8Array {
    const { hasher } = this.#options;
    const { shard } = this.#point;
    const leafHash = this.#rules.leafOf(hasher, bytes);
    writes.push({ key: LOG_KEYS.entry(this.#nextSeq), value: bytes });
    this.#tree.append(leafHash, ({ level, index, bytes: value, full }) => {
      const key = LOG_KEYS.tile({ shard, level, index });
      writes.push({ key, value });
      if (full !== undefined) this.#tiles.keep(key, full);
    });
    this.#nextSeq += 1;
    this.#lastEntryHash = hashOf(hasher, bytes);
    return leafHash;
  }

  /** The log ends with a block of this time. */
  #moveTo(timeUs: number): void {
    const { origin, shard } = this.#point;
    this.#point = { origin, shard, size: this.#rules.sizeOf(this.#tree.size), root: toHash(this.#tree.root()), timeUs };
  }

  #headWrite(): WriteOperation {
    const { shard, size, root, timeUs } = this.#point;
    return headWrite({ nextSeq: this.#nextSeq, lastEntryHash: this.#lastEntryHash, shard, size, root, timeUs });
  }

  #load(headBytes: Uint8Array, read: StoreReader): void {
    const loaded = loadStoredLog({ ...this.#options, rules: this.#rules }, headBytes, read);
    this.#shards = loaded.shards;
    this.#nextSeq = loaded.nextSeq;
    this.#lastEntryHash = loaded.lastEntryHash;
    this.#tree = loaded.tree;
    this.#point = loaded.point;
  }

  #shardTree(
    shard: ShardName | undefined,
    read: StoreReader,
  ): { record: ShardRecord; size: number; hashes: SubtreeHashes; lookup: TileLookup } {
    const record = this.#record(shard ?? this.#point.shard);
    const fromStore = this.#tiles.lookup(record.shard, read);
    if (record.closed !== undefined) {
      return { record, size: record.closed.size, hashes: subtreeHashes(this.#options.hasher, fromStore), lookup: fromStore };
    }
    const tree = this.#tree;
    const lookup: TileLookup = (level, index) => tree.tile(level, index, fromStore);
    return { record, size: tree.size, hashes: tree.hashes(fromStore), lookup };
  }

  #record(shard: ShardName): ShardRecord {
    const record = this.#shards.find((candidate) => candidate.shard === shard);
    if (record === undefined) throw rangeError();
    return record;
  }
}

function startDraft(opened: { origin: string; shard: ShardName; previous: Checkpoint | undefined }): EntryDraft {
  const { origin, shard, previous } = opened;
  return {
    kind: "log.start",
    provenance: "cluster",
    actor: "cluster",
    subject: shard,
    reason: "OK",
    delegation: [],
    content: { origin, ...(previous === undefined ? {} : { previousCheckpoint: checkpointText(previous) }) },
  };
}

function readAdopted(bytes: Uint8Array): AuditEntry {
  try {
    return parseEntry(bytes);
  } catch (cause) {
    throw new QuorumgateError("SYNC_PART_INVALID", "a part of the log: an entry does not read", { cause });
  }
}

function misplaced(reason: string): QuorumgateError {
  return new QuorumgateError("SYNC_PART_INVALID", `a part of the log: ${reason}`);
}

function rangeError(): QuorumgateError {
  return new QuorumgateError("AUDIT_RANGE", "the log has no such entries");
}
