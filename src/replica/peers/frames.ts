import { HANDOVER_BYTES_MAX } from "#audit";
import { ByteReader, ByteWriter, type Hash, LIMITS, parseHash, parseNodeId, QuorumgateError, VOTE_TYPE, type VoteType } from "#base";
import type { SeenVote } from "#consensus";
import { STATE_PATH_MAX, type StatePart } from "#state";
import type { HeardVote } from "../evidence/heard-votes.ts";
import { readHashes, writeHashes } from "../transfer/offer.ts";

/** Own cosignature of the log after a height. */
export interface CosignatureFrame {
  readonly kind: "cosignature";
  readonly height: number;
  readonly size: number;
  readonly root: Hash;
  readonly seconds: number;
  readonly logSignature: Uint8Array;
  readonly witnessSignature: Uint8Array;
}

/** Answer to a probe, signed with the vote key under purpose `sync`. */
export interface ProbeReplyFrame {
  readonly kind: "probe-reply";
  readonly nonce: Uint8Array;
  /** Of the sender's next height. */
  readonly epoch: number;
  readonly height: number;
  /** Encoded commit certificate of the height; empty at genesis. */
  readonly certificate: Uint8Array;
  readonly seen?: SeenVote;
  readonly signature: Uint8Array;
}

/** What replicas send each other beside consensus messages. */
export type Frame =
  | { readonly kind: "consensus"; readonly message: Uint8Array }
  | { readonly kind: "commands"; readonly commands: readonly Uint8Array[] }
  | CosignatureFrame
  /** Where the sender stands; sent now and then, so that who is behind finds out. */
  | {
      readonly kind: "tip";
      readonly height: number;
      readonly certifiedHeight: number;
      /** The height that has to be certified before the sender votes again; 0 when it waits for none. */
      readonly floor: number;
      /** Whether the sender votes now; what it claims says nothing of anybody else. */
      readonly votes: boolean;
    }
  | { readonly kind: "sync-request"; readonly fromHeight: number }
  | { readonly kind: "sync-response"; readonly fromHeight: number; readonly blocks: readonly Uint8Array[] }
  /** Asks for the handover by which an epoch began. */
  | { readonly kind: "handover-request"; readonly epoch: number }
  /** The file `epochs/<e>`; empty when the sender lacks it. */
  | { readonly kind: "handover"; readonly epoch: number; readonly file: Uint8Array }
  | { readonly kind: "probe"; readonly nonce: Uint8Array }
  /** Statements of others that do not go together. */
  | { readonly kind: "heard"; readonly votes: readonly HeardVote[] }
  | ProbeReplyFrame
  /** Instead of blocks that were pruned: docs/protocols/state-transfer.md. */
  | { readonly kind: "state-offer"; readonly fromHeight: number; readonly offer: Uint8Array }
  | { readonly kind: "state-request"; readonly height: number; readonly path: Uint8Array }
  | StatePartFrame
  | LogRequestFrame
  | LogPartFrame;

/** The part of the state at a path; none when that node holds the snapshot no more. */
export interface StatePartFrame {
  readonly kind: "state-part";
  readonly height: number;
  readonly path: Uint8Array;
  readonly part?: StatePart;
}

/** Asks for entries of a shard, and for the proof that they lead to the tree of that size. */
export interface LogRequestFrame {
  readonly kind: "log-request";
  /** Of the first entry that is asked for. */
  readonly seq: number;
  /** Of the last one, if one part holds them all. */
  readonly last: number;
  /** Of the shard's tree that the proof leads to. */
  readonly size: number;
}

/** Entries of a shard from a number on. */
export interface LogPartFrame {
  readonly kind: "log-part";
  readonly seq: number;
  readonly entries: readonly Uint8Array[];
  readonly proof: readonly Uint8Array[];
  /** The bytes that these entries name because they did not fit, in the order in which they are named. */
  readonly objects: readonly Uint8Array[];
}

const KINDS = [
  "consensus",
  "commands",
  "cosignature",
  "tip",
  "sync-request",
  "sync-response",
  "probe",
  "probe-reply",
  "handover-request",
  "handover",
  "heard",
  "state-offer",
  "state-request",
  "state-part",
  "log-request",
  "log-part",
] as const;
const NONCE_BYTES = 32;
/** Characters of a key of the state: a bucket, and names of bounded length. */
const STATE_KEY_MAX = 512;
/** Keys in one part of a state: no key of it with its value is shorter than this. */
const STATE_PART_KEYS_MAX = LIMITS.statePartBytesMax / 16;
/** Statements in one frame: a vote and the proposal that it does not fit. */
const HEARD_MAX = 2;

/** Frame: u8 kind ‖ fields, big-endian. */
export function encodeFrame(frame: Frame): Uint8Array {
  const writer = new ByteWriter().u8(KINDS.indexOf(frame.kind));
  switch (frame.kind) {
    case "consensus":
      return writer.raw(frame.message).finish();
    case "commands":
      return writeList(writer, frame.commands).finish();
    case "cosignature":
      writer.u64(frame.height).u64(frame.size).text(frame.root).u64(frame.seconds);
      return writer.raw(frame.logSignature).raw(frame.witnessSignature).finish();
    case "tip":
      writer.u64(frame.height).u64(frame.certifiedHeight).u64(frame.floor);
      return writer.u8(frame.votes ? 1 : 0).finish();
    case "sync-request":
      return writer.u64(frame.fromHeight).finish();
    case "sync-response":
      return writeList(writer.u64(frame.fromHeight), frame.blocks).finish();
    case "handover-request":
      return writer.u64(frame.epoch).finish();
    case "handover":
      return writer.u64(frame.epoch).bytes(frame.file).finish();
    case "heard":
      writer.u32(frame.votes.length);
      for (const { node, vote } of frame.votes) writeSeen(writer.text(node), vote);
      return writer.finish();
    case "probe":
      return writer.raw(frame.nonce).finish();
    case "probe-reply":
      return writer.raw(probeReplyBody(frame)).raw(frame.signature).finish();
    case "state-offer":
      return writer.u64(frame.fromHeight).raw(frame.offer).finish();
    case "state-request":
      return writePath(writer.u64(frame.height), frame.path).finish();
    case "state-part":
      return writePart(writePath(writer.u64(frame.height), frame.path), frame.part).finish();
    case "log-request":
      return writer.u64(frame.seq).u64(frame.last).u64(frame.size).finish();
    case "log-part":
      return writeList(writeHashes(writeList(writer.u64(frame.seq), frame.entries), frame.proof), frame.objects).finish();
  }
}

/** The signed part of a probe's answer, without the cluster and the names that go before it. */
export function probeReplyBody(frame: Omit<ProbeReplyFrame, "signature">): Uint8Array {
  const writer = new ByteWriter()
    .raw(frame.nonce)
    .u64(frame.epoch)
    .u64(frame.height)
    .bytes(frame.certificate)
    .u8(frame.seen === undefined ? 0 : 1);
  if (frame.seen !== undefined) writeSeen(writer, frame.seen);
  return writer.finish();
}

function writeSeen(writer: ByteWriter, { epoch, height, view, type, digest, validRound, signature }: SeenVote): void {
  writer.u64(epoch).u64(height).u64(view).u8(type).text(digest).i64(validRound).raw(signature);
}

/** Reads a frame; every count is checked against its bound. @throws {QuorumgateError} TRANSPORT_FRAME_INVALID and format errors */
export function decodeFrame(bytes: Uint8Array): Frame {
  const reader = new ByteReader(bytes);
  const kind = KINDS[reader.u8()];
  if (kind === undefined) throw new QuorumgateError("TRANSPORT_FRAME_INVALID", "unknown kind of frame");
  if (kind === "consensus") return { kind, message: bytes.subarray(1) };
  if (kind === "state-offer") return { kind, fromHeight: reader.u64(), offer: bytes.subarray(9) };
  const frame = readFields(reader, kind);
  reader.end();
  return frame;
}

function readFields(reader: ByteReader, kind: Exclude<(typeof KINDS)[number], "consensus" | "state-offer">): Frame {
  switch (kind) {
    case "commands":
      return { kind, commands: readList(reader, { countMax: LIMITS.blockCommandsMax, bytesMax: LIMITS.commandBytesMax * 2 }) };
    case "cosignature":
      return {
        kind,
        height: reader.u64(),
        size: reader.u64(),
        root: parseHash(reader.text(64)),
        seconds: reader.u64(),
        logSignature: reader.raw(64),
        witnessSignature: reader.raw(64),
      };
    case "tip":
      return { kind, height: reader.u64(), certifiedHeight: reader.u64(), floor: reader.u64(), votes: readFlag(reader) };
    case "sync-request":
      return { kind, fromHeight: reader.u64() };
    case "sync-response":
      return {
        kind,
        fromHeight: reader.u64(),
        blocks: readList(reader, { countMax: LIMITS.syncBlocksMax, bytesMax: LIMITS.frameBytesMax }),
      };
    case "handover-request":
      return { kind, epoch: reader.u64() };
    case "handover":
      return { kind, epoch: reader.u64(), file: reader.bytes(HANDOVER_BYTES_MAX) };
    case "heard": {
      const count = reader.count(HEARD_MAX);
      return { kind, votes: Array.from({ length: count }, () => ({ node: parseNodeId(reader.text(63)), vote: readSeenVote(reader) })) };
    }
    case "probe":
      return { kind, nonce: reader.raw(NONCE_BYTES) };
    case "probe-reply":
      return {
        kind,
        nonce: reader.raw(NONCE_BYTES),
        epoch: reader.u64(),
        height: reader.u64(),
        certificate: reader.bytes(65_536),
        ...readSeen(reader),
        signature: reader.raw(64),
      };
    case "state-request":
      return { kind, height: reader.u64(), path: readPath(reader) };
    case "state-part":
      return { kind, height: reader.u64(), path: readPath(reader), ...readPart(reader) };
    case "log-request":
      return { kind, seq: reader.u64(), last: reader.u64(), size: reader.u64() };
    case "log-part":
      return {
        kind,
        seq: reader.u64(),
        entries: readList(reader, { countMax: LIMITS.logPartEntriesMax, bytesMax: LIMITS.entryBytesMax }),
        proof: readHashes(reader),
        objects: readList(reader, { countMax: LIMITS.logPartEntriesMax, bytesMax: LIMITS.entryObjectBytesMax }),
      };
  }
}

/** u8 count ‖ one nibble in each byte. */
function writePath(writer: ByteWriter, path: Uint8Array): ByteWriter {
  return writer.u8(path.length).raw(path);
}

function readPath(reader: ByteReader): Uint8Array {
  const length = reader.u8();
  if (length > STATE_PATH_MAX) throw new QuorumgateError("TRANSPORT_FRAME_INVALID", "a path is longer than a hash");
  const path = reader.raw(length);
  if (path.some((nibble) => nibble > 15)) throw new QuorumgateError("TRANSPORT_FRAME_INVALID", "a path is of nibbles");
  return path;
}

/** u8 kind: 0 none, 1 leaves (keys and values), 2 a branch (u16 bit set ‖ hashes). */
function writePart(writer: ByteWriter, part: StatePart | undefined): ByteWriter {
  if (part === undefined) return writer.u8(0);
  if (part.kind === "branch") return writeHashes(writer.u8(2).u16(part.present), part.hashes);
  writer.u8(1).u32(part.items.length);
  for (const { key, value } of part.items) writer.text(key).bytes(value);
  return writer;
}

function readPart(reader: ByteReader): { part?: StatePart } {
  const kind = reader.u8();
  if (kind === 0) return {};
  if (kind === 2) return { part: { kind: "branch", present: reader.u16(), hashes: readHashes(reader, 16) } };
  if (kind !== 1) throw new QuorumgateError("TRANSPORT_FRAME_INVALID", "unknown kind of part");
  const count = reader.count(STATE_PART_KEYS_MAX);
  const items = Array.from({ length: count }, () => ({ key: reader.text(STATE_KEY_MAX), value: reader.bytes(LIMITS.frameBytesMax) }));
  return { part: { kind: "leaves", items } };
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new QuorumgateError("TRANSPORT_FRAME_INVALID", "a flag is 0 or 1");
  return flag === 1;
}

function readSeen(reader: ByteReader): { seen?: SeenVote } {
  return readFlag(reader) ? { seen: readSeenVote(reader) } : {};
}

function readSeenVote(reader: ByteReader): SeenVote {
  return {
    epoch: reader.u64(),
    height: reader.u64(),
    view: reader.u64(),
    type: readVoteType(reader),
    digest: parseHash(reader.text(64)),
    validRound: reader.i64(),
    signature: reader.raw(64),
  };
}

function readVoteType(reader: ByteReader): VoteType {
  const number = reader.u8();
  const type = Object.values(VOTE_TYPE).find((known) => known === number);
  if (type === undefined) throw new QuorumgateError("TRANSPORT_FRAME_INVALID", "unknown type of vote");
  return type;
}

function writeList(writer: ByteWriter, items: readonly Uint8Array[]): ByteWriter {
  writer.u32(items.length);
  for (const item of items) writer.bytes(item);
  return writer;
}

function readList(reader: ByteReader, bounds: { countMax: number; bytesMax: number }): Uint8Array[] {
  const count = reader.count(bounds.countMax);
  const items: Uint8Array[] = [];
  for (let i = 0; i < count; i++) items.push(reader.bytes(bounds.bytesMax));
  return items;
}
