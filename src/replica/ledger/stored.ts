import type { LogPoint } from "#audit";
import {
  ByteReader,
  encodeCanonical,
  errorCode,
  FieldReader,
  type Hash,
  type KeyValueStore,
  parseCanonicalObject,
  parseHash,
  QuorumgateError,
  u64be,
  type WriteOperation,
} from "#base";
import { decodeMessage, type Tip } from "#consensus";
import { STORE_KEYS } from "../keys.ts";
import type { OrderedRecord } from "../types.ts";

/** A record that is the number of its entry; one in full is longer. */
export const SEQ_BYTES = 8;

/** What became of a command, in full. */
function encodeRecord({ height, timeUs, outcome, code, answer, seq }: OrderedRecord): Uint8Array {
  return encodeCanonical({ height, time: String(timeUs), outcome, code, answer, ...(seq === undefined ? {} : { seq }) });
}

/** Reads what encodeRecord wrote. @throws {QuorumgateError} format errors */
export function readRecord(command: Hash, bytes: Uint8Array): OrderedRecord {
  const value = parseCanonicalObject(bytes) as unknown as Omit<OrderedRecord, "command" | "timeUs"> & { time: string };
  const { height, time, outcome, code, answer, seq } = value;
  return { command, height, timeUs: Number(time), outcome, code, answer, ...(seq === undefined ? {} : { seq }) };
}

/** The tip without its certificate, which stands in its block. */
export function encodeTip(tip: Tip): Uint8Array {
  return encodeCanonical({ height: tip.height, digest: tip.digest, time: String(tip.timeUs), view: tip.view });
}

/** A point of the log after a height. */
export function encodePoint({ origin, shard, size, root, timeUs }: LogPoint): Uint8Array {
  return encodeCanonical({ origin, shard, size, root, time: String(timeUs) });
}

/** Reads what encodePoint wrote. @throws {QuorumgateError} format errors */
export function readPoint(bytes: Uint8Array): LogPoint {
  const reader = new FieldReader(parseCanonicalObject(bytes), "point");
  return {
    origin: reader.text("origin", 512),
    shard: reader.text("shard"),
    size: reader.integer("size", { min: 0, max: Number.MAX_SAFE_INTEGER }),
    root: parseHash(reader.text("root")),
    timeUs: reader.decimal("time"),
  };
}

/** Reads what encodeTip wrote, and the certificate from the tip's block. @throws {QuorumgateError} STORAGE_CORRUPT */
export function readTip(bytes: Uint8Array, store: KeyValueStore): Tip {
  try {
    const reader = new FieldReader(parseCanonicalObject(bytes), "tip");
    const height = reader.integer("height", { min: 1, max: Number.MAX_SAFE_INTEGER });
    const digest = parseHash(reader.text("digest"));
    const block = store.get(STORE_KEYS.block(height));
    const message = block === undefined ? undefined : decodeMessage(block);
    if (message?.type !== "block" || message.certificate.digest !== digest) {
      throw new QuorumgateError("STORAGE_CORRUPT", "the block of the tip is missing or another one");
    }
    const timeUs = reader.decimal("time");
    const view = reader.integer("view", { min: 0, max: Number.MAX_SAFE_INTEGER });
    return { height, digest, timeUs, view, certificate: message.certificate };
  } catch (cause) {
    throw new QuorumgateError("STORAGE_CORRUPT", `the tip does not read (${errorCode(cause)})`, { cause });
  }
}

/** A record is the number of its entry, from which the rest follows; in full only where there is no entry. */
export function recordOperation(record: OrderedRecord): WriteOperation {
  const { command, seq } = record;
  return { key: STORE_KEYS.record(command), value: seq === undefined ? encodeRecord(record) : u64be(seq) };
}

/** Writes up to which height blocks are gone. */
export function prunedOperation(height: number): WriteOperation {
  return { key: STORE_KEYS.pruned, value: u64be(height) };
}

/** A number that stands alone; 0 where it was never written. */
export function readNumber(store: KeyValueStore, key: string): number {
  const bytes = store.get(key);
  return bytes === undefined ? 0 : new ByteReader(bytes).u64();
}
