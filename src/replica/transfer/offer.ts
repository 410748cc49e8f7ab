import type { LogPoint } from "#audit";
import { ByteReader, ByteWriter, type Hash, LIMITS, parseHash, QuorumgateError } from "#base";

/** The first entry of a shard, with the proof that it stands at index 0 of the shard's newest or last tree. */
export interface ShardStart {
  readonly entry: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** What a node that pruned the blocks that it was asked for gives instead (docs/protocols/state-transfer.md, O1). */
export interface Offer {
  /** A multiple of the checkpoint interval. */
  readonly height: number;
  /** The encoded block message of the height, with its commit certificate. */
  readonly block: Uint8Array;
  /** Bytes of the height's `block.sealed`, its index in the shard, and its inclusion proof in the certified tree. */
  readonly seal: { readonly entry: Uint8Array; readonly index: number; readonly proof: readonly Uint8Array[] };
  /** The certified point of the same shard, and the cosignatures that certify it. */
  readonly certified: { readonly point: Pick<LogPoint, "shard" | "size" | "root" | "timeUs">; readonly cosignatures: Uint8Array };
  /** Handovers from the epoch of the height that was asked for to that of the certified point, in order. */
  readonly handovers: readonly Uint8Array[];
  /** All shards but the first, oldest first. */
  readonly starts: readonly ShardStart[];
}

const HASH_BYTES = 32;
/** A tree of 2^64 leaves. */
const PROOF_MAX = 64;
const HANDOVER_BYTES_MAX = 1_048_576;
const COSIGNATURES_BYTES_MAX = 65_536;

/** Big-endian, in the order of the fields. */
export function encodeOffer(offer: Offer): Uint8Array {
  const { height, block, seal, certified, handovers, starts } = offer;
  const { shard, size, root, timeUs } = certified.point;
  const writer = new ByteWriter().u64(height).bytes(block).bytes(seal.entry).u64(seal.index);
  writeHashes(writer, seal.proof).text(shard).u64(size).text(root).u64(timeUs).bytes(certified.cosignatures).u32(handovers.length);
  for (const handover of handovers) writer.bytes(handover);
  writer.u32(starts.length);
  for (const { entry, proof } of starts) writeHashes(writer.bytes(entry), proof);
  return writer.finish();
}

/** Reads an offer; every count and length is checked against its bound. @throws {QuorumgateError} SYNC_OFFER_INVALID */
export function decodeOffer(bytes: Uint8Array): Offer {
  try {
    const reader = new ByteReader(bytes);
    const offer: Offer = {
      height: reader.u64(),
      block: reader.bytes(LIMITS.frameBytesMax),
      seal: { entry: reader.bytes(LIMITS.entryBytesMax), index: reader.u64(), proof: readHashes(reader) },
      certified: { point: readPoint(reader), cosignatures: reader.bytes(COSIGNATURES_BYTES_MAX) },
      handovers: readList(reader, LIMITS.offerEpochsMax, () => reader.bytes(HANDOVER_BYTES_MAX)),
      starts: readList(reader, LIMITS.offerShardsMax, () => ({ entry: reader.bytes(LIMITS.entryBytesMax), proof: readHashes(reader) })),
    };
    reader.end();
    return offer;
  } catch (cause) {
    throw new QuorumgateError("SYNC_OFFER_INVALID", "an offer does not read", { cause });
  }
}

/** u8 count ‖ 32 bytes each. */
export function writeHashes(writer: ByteWriter, hashes: readonly Uint8Array[]): ByteWriter {
  writer.u8(hashes.length);
  for (const hash of hashes) writer.raw(hash);
  return writer;
}

/** Reads what writeHashes wrote. @throws {QuorumgateError} format errors */
export function readHashes(reader: ByteReader, countMax: number = PROOF_MAX): Uint8Array[] {
  const count = reader.u8();
  if (count > countMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "too many hashes");
  return Array.from({ length: count }, () => reader.raw(HASH_BYTES));
}

function readPoint(reader: ByteReader): { shard: string; size: number; root: Hash; timeUs: number } {
  return { shard: reader.text(16), size: reader.u64(), root: parseHash(reader.text(64)), timeUs: reader.u64() };
}

function readList<T>(reader: ByteReader, countMax: number, read: () => T): T[] {
  const count = reader.count(countMax);
  return Array.from({ length: count }, read);
}
