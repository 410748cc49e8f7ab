import {
  type CanonicalObject,
  type CanonicalValue,
  encodeCanonical,
  FieldReader,
  type Hash,
  parseCanonicalObject,
  parseHash,
  QuorumgateError,
  type WriteOperation,
} from "#base";
import { isShardName, type ShardName } from "./shard.ts";

const MAX = Number.MAX_SAFE_INTEGER;

/** Keys of the log in the store. Numbers have fixed width, so that a scan sees them in order. */
export const LOG_KEYS = {
  head: "log/head",
  shards: "log/shards",
  entry: (seq: number): string => `log/entry/${fixed(seq, 16)}`,
  tile: (tile: { readonly shard: ShardName; readonly level: number; readonly index: number }): string =>
    `log/tile/${tile.shard}/${tile.level}/${fixed(tile.index, 14)}`,
  object: (hash: Hash): string => `log/object/${hash}`,
} as const;

/** Reads a stored value: KeyValueStore.get. */
export type StoreReader = (key: string) => Uint8Array | undefined;

/** What is known of one shard. A closed shard has the size and root of its last checkpoint. */
export interface ShardRecord {
  readonly shard: ShardName;
  /** seq of the shard's first entry. */
  readonly firstSeq: number;
  readonly closed?: { readonly size: number; readonly root: Hash; readonly timeUs: number };
}

/** The newest state of the log, written with every block. */
export interface LogHead {
  readonly nextSeq: number;
  readonly lastEntryHash: Hash;
  readonly shard: ShardName;
  readonly size: number;
  readonly root: Hash;
  readonly timeUs: number;
}

/** The write that stores the head. */
export function headWrite(head: LogHead): WriteOperation {
  return { key: LOG_KEYS.head, value: encodeCanonical({ v: 1, ...head, timeUs: String(head.timeUs) }) };
}

/** The write that stores the list of shards. Two a year: one value holds them all. */
export function shardsWrite(shards: readonly ShardRecord[]): WriteOperation {
  return { key: LOG_KEYS.shards, value: encodeCanonical({ v: 1, shards: shards.map(shardToCanonical) }) };
}

/** Reads what headWrite wrote. @throws {QuorumgateError} format errors */
export function parseHead(bytes: Uint8Array): LogHead {
  const reader = new FieldReader(parseCanonicalObject(bytes), "log head");
  reader.integer("v", { min: 1, max: 1 });
  const head: LogHead = {
    nextSeq: reader.integer("nextSeq", { min: 0, max: MAX }),
    lastEntryHash: parseHash(reader.text("lastEntryHash")),
    shard: shardName(reader),
    size: reader.integer("size", { min: 1, max: MAX }),
    root: parseHash(reader.text("root")),
    timeUs: reader.decimal("timeUs"),
  };
  reader.end();
  return head;
}

/** Reads what shardsWrite wrote. @throws {QuorumgateError} format errors */
export function parseShards(bytes: Uint8Array): ShardRecord[] {
  const reader = new FieldReader(parseCanonicalObject(bytes), "log shards");
  reader.integer("v", { min: 1, max: 1 });
  const shards = reader.list("shards", MAX).map(parseShard);
  reader.end();
  return shards;
}

function shardToCanonical({ shard, firstSeq, closed }: ShardRecord): CanonicalObject {
  return { shard, firstSeq, ...(closed === undefined ? {} : { closed: { ...closed, timeUs: String(closed.timeUs) } }) };
}

function parseShard(value: CanonicalValue): ShardRecord {
  const reader = new FieldReader(value, "shard");
  const record = { shard: shardName(reader), firstSeq: reader.integer("firstSeq", { min: 0, max: MAX }) };
  if (!reader.has("closed")) {
    reader.end();
    return record;
  }
  const closed = reader.object("closed");
  const last = {
    size: closed.integer("size", { min: 1, max: MAX }),
    root: parseHash(closed.text("root")),
    timeUs: closed.decimal("timeUs"),
  };
  closed.end();
  reader.end();
  return { ...record, closed: last };
}

function shardName(reader: FieldReader): ShardName {
  const shard = reader.text("shard");
  if (!isShardName(shard)) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "not a shard name");
  return shard;
}

function fixed(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
