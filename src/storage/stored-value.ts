import { crc32 } from "node:zlib";
import { QuorumgateError } from "#base";

const CHECKSUM_BYTES = 4;

/**
 * A value as it lies on disk: CRC-32 of key and value, big-endian, then the value.
 *
 * LevelDB is opened by its binding without verification of block checksums on reads, so a flipped bit in a table file would be
 * handed out as data. The key is covered too: a block that was written to the wrong place is found as well.
 */
export function sealValue(key: string, value: Uint8Array): Uint8Array {
  const stored = Buffer.allocUnsafe(CHECKSUM_BYTES + value.length);
  stored.set(value, CHECKSUM_BYTES);
  stored.writeUInt32BE(checksum(key, value), 0);
  return stored;
}

/** The value inside stored bytes, as a view. @throws {QuorumgateError} STORAGE_CORRUPT */
export function openValue(key: string, stored: Uint8Array): Uint8Array {
  if (stored.length >= CHECKSUM_BYTES) {
    const value = stored.subarray(CHECKSUM_BYTES);
    if (new DataView(stored.buffer, stored.byteOffset).getUint32(0) === checksum(key, value)) return value;
  }
  throw new QuorumgateError("STORAGE_CORRUPT", "a stored value does not match its checksum", { data: { key } });
}

/** The value inside bytes that `sealValue` just made. */
export function sealedValue(stored: Uint8Array): Uint8Array {
  return stored.subarray(CHECKSUM_BYTES);
}

/** The checksum in stored bytes, as a signed 32-bit integer. */
export function storedChecksum(stored: Uint8Array): number {
  return new DataView(stored.buffer, stored.byteOffset).getInt32(0);
}

function checksum(key: string, value: Uint8Array): number {
  return crc32(value, crc32(key));
}
