import { ByteReader, ByteWriter, LIMITS, QuorumgateError } from "#base";
import type { WalRecord } from "../core.ts";

const KINDS = ["proposal", "prepared", "view-change", "new-view"] as const;

/** Where a record is stored: a later one of its kind and height replaces it. */
export function walKey(record: WalRecord): string {
  return `${String(record.height).padStart(16, "0")}/${record.kind}`;
}

/** Record: u8 kind ‖ height ‖ view ‖ bytes. */
export function encodeWalRecord(record: WalRecord): Uint8Array {
  const writer = new ByteWriter(record.bytes.length + 32).u8(KINDS.indexOf(record.kind));
  return writer.u64(record.height).u64(record.view).bytes(record.bytes).finish();
}

/** Reads a record of this node's own store. @throws {QuorumgateError} STORAGE_CORRUPT and format errors */
export function decodeWalRecord(bytes: Uint8Array): WalRecord {
  const reader = new ByteReader(bytes);
  const kind = KINDS[reader.u8()];
  if (kind === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "a record of the write-ahead log does not read");
  const record = { kind, height: reader.u64(), view: reader.u64(), bytes: reader.bytes(LIMITS.frameBytesMax) };
  reader.end();
  return record;
}
