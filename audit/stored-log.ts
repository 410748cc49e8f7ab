import { type Hash, type Hasher, QuorumgateError, toHash } from "#base";
import type { LogPoint } from "./checkpoint-text.ts";
import { LOG_KEYS, parseHead, parseShards, type ShardRecord, type StoreReader } from "./log-store.ts";
import type { AuditRules } from "./rules.ts";
import { shardOrigin } from "./shard.ts";
import { HASH_BYTES, HashTile, rowLength, TILE_WIDTH } from "./tile.ts";
import { GrowingTree } from "./tree.ts";

/** What a stored log belongs to. */
export interface StoredLogOptions {
  readonly trustDomain: string;
  readonly cluster: Hash;
  readonly hasher: Hasher;
  readonly rules: Pick<AuditRules, "leafOf">;
}

/** A log as it stood after its last block. */
export interface StoredLog {
  readonly shards: ShardRecord[];
  readonly nextSeq: number;
  readonly lastEntryHash: Hash;
  /** Of the open shard. */
  readonly tree: GrowingTree;
  readonly point: LogPoint;
}

/**
 * Reads what the store holds of a log. The partial tile is made again from the last entries, and the root from the tiles: both must give the
 * stored root. @throws {QuorumgateError} STORAGE_CORRUPT
 */
export function loadStoredLog(options: StoredLogOptions, headBytes: Uint8Array, read: StoreReader): StoredLog {
  const { nextSeq, lastEntryHash, shard, size, root, timeUs } = parseStored(() => parseHead(headBytes));
  const shards = parseStored(() => parseShards(stored(read(LOG_KEYS.shards), "the list of shards is missing")));
  const record = shards.at(-1);
  if (record === undefined || record.shard !== shard || record.firstSeq + size !== nextSeq) throw corrupt("head and shards disagree");
  const tree = new GrowingTree(options.hasher, size, loadEdge(options, { record, size }, read));
  if (toHash(tree.root()) !== root) throw corrupt("the stored tiles and entries do not give the stored root");
  const last = options.hasher.sha256(stored(read(LOG_KEYS.entry(nextSeq - 1)), "an entry is missing"));
  if (toHash(last) !== lastEntryHash) throw corrupt("the last entry is not the one that the head names");
  return { shards, nextSeq, lastEntryHash, tree, point: { origin: shardOrigin(options, shard), shard, size, root, timeUs } };
}

/** What the store has to hold. @throws {QuorumgateError} STORAGE_CORRUPT */
export function stored<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw corrupt(what);
  return value;
}

/** The end of a shard's log. */
interface Edge {
  readonly record: ShardRecord;
  readonly size: number;
}

function loadEdge(options: StoredLogOptions, { record, size }: Edge, read: StoreReader): HashTile[] {
  const edge = [loadLowestTile(options, { record, size }, read)];
  for (let level = 1; rowLength(size, level) > 0; level++) {
    const row = rowLength(size, level);
    const width = row % TILE_WIDTH;
    const key = LOG_KEYS.tile({ shard: record.shard, level, index: Math.floor(row / TILE_WIDTH) });
    const bytes = width === 0 ? new Uint8Array(0) : stored(read(key), "a tile is missing");
    // It may be wider: adopted entries are written ahead of the head.
    if (bytes.length < width * HASH_BYTES) throw corrupt("a tile is narrower than the head says");
    edge.push(HashTile.of(options.hasher, bytes.subarray(0, width * HASH_BYTES)));
  }
  return edge;
}

function loadLowestTile({ hasher, rules }: StoredLogOptions, { record, size }: Edge, read: StoreReader): HashTile {
  const tile = new HashTile(hasher);
  for (let index = size - (size % TILE_WIDTH); index < size; index++)
    tile.push(rules.leafOf(hasher, stored(read(LOG_KEYS.entry(record.firstSeq + index)), "an entry is missing")));
  return tile;
}

function parseStored<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new QuorumgateError("STORAGE_CORRUPT", "the log's head does not parse", { cause });
  }
}

function corrupt(reason: string): QuorumgateError {
  return new QuorumgateError("STORAGE_CORRUPT", reason);
}
