import { ByteReader, ByteWriter, LIMITS, parseNodeId, QuorumgateError } from "#base";
import {
  type MessageCodec,
  readBody,
  readHash,
  readHeaderBytes,
  readList,
  readOptionalCertificate,
  readSlot,
  readVotes,
  SIGNATURE_BYTES,
  writeBody,
  writeOptionalCertificate,
  writeVotes,
} from "../wire.ts";
import type { PbftMessage, PreparedCertificate, ViewChange } from "./messages.ts";

/** A signature and a name of each member, and a header, for each height in flight. */
const VIEW_CHANGE_BYTES_MAX = LIMITS.windowMax * (LIMITS.membersMax * 256 + 4_096);

/** PBFT's messages on the wire. */
export const pbftCodec: MessageCodec<PbftMessage> = {
  types: ["propose", "prepare", "commit", "view-change", "new-view", "heard-new-view"],
  write: writeMessage,
  read: readMessage,
};

/** A message alone, as the write-ahead log keeps it. */
export function encodePbftMessage(message: PbftMessage): Uint8Array {
  return writeMessage(new ByteWriter().u8(pbftCodec.types.indexOf(message.type)), message).finish();
}

/** Reads a record of the write-ahead log. @throws {QuorumgateError} STORAGE_CORRUPT and format errors */
export function decodePbftMessage(bytes: Uint8Array): PbftMessage {
  const reader = new ByteReader(bytes);
  const type = pbftCodec.types[reader.u8()];
  if (type === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "a record of the write-ahead log does not read");
  const message = readMessage(reader, type);
  reader.end();
  return message;
}

/** A view change without its tip and signature. */
function viewChangeBody(message: Omit<ViewChange, "signature" | "tip">): Uint8Array {
  const writer = new ByteWriter().u64(message.epoch).u64(message.height).u64(message.view).text(message.sender).text(message.parent);
  writer.u8(message.prepared.length);
  for (const certificate of message.prepared) writePrepared(writer, certificate);
  return writer.finish();
}

/** A prepared certificate as it is kept in the write-ahead log. */
export function encodePrepared(certificate: PreparedCertificate): Uint8Array {
  return writePrepared(new ByteWriter(), certificate).finish();
}

/** Reads a prepared certificate. @throws {QuorumgateError} format errors */
export function decodePrepared(bytes: Uint8Array): PreparedCertificate {
  const reader = new ByteReader(bytes);
  const certificate = readPrepared(reader);
  reader.end();
  return certificate;
}

function writeMessage(writer: ByteWriter, message: PbftMessage): ByteWriter {
  switch (message.type) {
    case "propose":
      writer.u64(message.epoch).u64(message.height).u64(message.view).raw(message.signature);
      return writeBody(writer, message);
    case "prepare":
    case "commit":
      writer.u64(message.epoch).u64(message.height).u64(message.view).text(message.digest);
      return writer.raw(message.signature);
    case "view-change":
      return writeViewChange(writer, message);
    case "new-view":
      writer.u64(message.epoch).u64(message.height).u64(message.view).raw(message.signature).u32(message.viewChanges.length);
      for (const viewChange of message.viewChanges) writeViewChange(writer, viewChange);
      return writer;
    case "heard-new-view":
      writer.u64(message.epoch).u64(message.height).u64(message.view).raw(message.signature);
      return writeVotes(writer, message.viewChanges);
  }
}

function readMessage(reader: ByteReader, type: PbftMessage["type"]): PbftMessage {
  switch (type) {
    case "propose":
      return { type, ...readSlot(reader), signature: reader.raw(SIGNATURE_BYTES), ...readBody(reader) };
    case "prepare":
    case "commit":
      return { type, ...readSlot(reader), digest: readHash(reader), signature: reader.raw(SIGNATURE_BYTES) };
    case "view-change":
      return readViewChange(reader);
    case "new-view": {
      const slot = readSlot(reader);
      const signature = reader.raw(SIGNATURE_BYTES);
      return { type, ...slot, signature, viewChanges: readList(reader, LIMITS.membersMax, readViewChange) };
    }
    case "heard-new-view":
      return { type, ...readSlot(reader), signature: reader.raw(SIGNATURE_BYTES), viewChanges: readVotes(reader) };
  }
}

function writePrepared(writer: ByteWriter, certificate: PreparedCertificate): ByteWriter {
  writer.u64(certificate.epoch).u64(certificate.height).u64(certificate.view).text(certificate.digest);
  return writeVotes(writer.bytes(certificate.headerBytes).raw(certificate.proposalSignature), certificate.votes);
}

function readPrepared(reader: ByteReader): PreparedCertificate {
  const { epoch, height, view } = readSlot(reader);
  const digest = readHash(reader);
  const headerBytes = readHeaderBytes(reader);
  const proposalSignature = reader.raw(SIGNATURE_BYTES);
  return { epoch, height, view, digest, headerBytes, proposalSignature, votes: readVotes(reader) };
}

function readPreparedList(reader: ByteReader): PreparedCertificate[] {
  const count = reader.u8();
  if (count > LIMITS.windowMax) throw new QuorumgateError("CONSENSUS_MESSAGE_INVALID", "more prepared heights than can be in flight");
  return Array.from({ length: count }, () => readPrepared(reader));
}

function writeViewChange(writer: ByteWriter, message: ViewChange): ByteWriter {
  return writeOptionalCertificate(writer.bytes(viewChangeBody(message)).raw(message.signature), message.tip);
}

function readViewChange(outer: ByteReader): ViewChange {
  const reader = new ByteReader(outer.bytes(VIEW_CHANGE_BYTES_MAX));
  const slot = readSlot(reader);
  const sender = parseNodeId(reader.text(63));
  const parent = readHash(reader);
  const prepared = readPreparedList(reader);
  reader.end();
  const signature = outer.raw(SIGNATURE_BYTES);
  const tip = readOptionalCertificate(outer);
  return { type: "view-change", ...slot, sender, parent, prepared, signature, ...(tip && { tip }) };
}
