import { ByteReader, ByteWriter, type Hash, LIMITS, parseHash, parseNodeId, QuorumgateError } from "#base";
import type { Batch, CertificateVote, CommitCertificate } from "../block.ts";
import type { ConsensusMessage, PreparedCertificate, ViewChange } from "./messages.ts";

const TYPES = ["propose", "prepare", "commit", "view-change", "new-view", "fetch-proposal", "proposal-body", "block"] as const;
const SIGNATURE_BYTES = 64;
const HEADER_BYTES_MAX = 4_096;
/** Two signatures and a name of each member, with room to spare. */
const CERTIFIED_PROOF_BYTES_MAX = 16_384;

/** Message: u8 type ‖ fields, big-endian; lists behind their count. There is one encoding of each message. */
export function encodeMessage(message: ConsensusMessage): Uint8Array {
  const writer = new ByteWriter(512).u8(TYPES.indexOf(message.type));
  switch (message.type) {
    case "propose":
      writer.u64(message.epoch).u64(message.height).u64(message.view).raw(message.signature);
      return writeBody(writer, message).finish();
    case "prepare":
    case "commit":
      writer.u64(message.epoch).u64(message.height).u64(message.view).text(message.digest);
      return writer.raw(message.signature).finish();
    case "view-change":
      return writeViewChange(writer, message).finish();
    case "new-view":
      writer.u64(message.epoch).u64(message.height).u64(message.view).raw(message.signature).u32(message.viewChanges.length);
      for (const viewChange of message.viewChanges) writeViewChange(writer, viewChange);
      return writer.finish();
    case "fetch-proposal":
      return writer.u64(message.height).text(message.digest).finish();
    case "proposal-body":
      return writeBody(writer.u64(message.height), message).finish();
    case "block":
      writer.bytes(message.headerBytes);
      return writeCertificate(writeBatch(writer, message.batch), message.certificate).finish();
  }
}

/** Reads a message; every count is checked against its bound. @throws {QuorumgateError} CONSENSUS_MESSAGE_INVALID and format errors */
export function decodeMessage(bytes: Uint8Array): ConsensusMessage {
  const reader = new ByteReader(bytes);
  const type = TYPES[reader.u8()];
  if (type === undefined) throw new QuorumgateError("CONSENSUS_MESSAGE_INVALID", "unknown type of message");
  const message = readMessage(reader, type);
  reader.end();
  return message;
}

/** A commit certificate as it is stored and served. */
export function encodeCommitCertificate(certificate: CommitCertificate): Uint8Array {
  return writeCertificate(new ByteWriter(512), certificate).finish();
}

/** Reads a commit certificate. @throws {QuorumgateError} format errors */
export function decodeCommitCertificate(bytes: Uint8Array): CommitCertificate {
  const reader = new ByteReader(bytes);
  const certificate = readCertificate(reader);
  reader.end();
  return certificate;
}

/** What a view change signs behind the cluster id: everything but its tip and signature. */
export function viewChangeBody(message: Omit<ViewChange, "signature" | "tip">): Uint8Array {
  const writer = new ByteWriter(512).u64(message.epoch).u64(message.height).u64(message.view).text(message.sender);
  return writePrepared(writer, message.prepared).finish();
}

/** What a new-view signs behind the cluster id: its slot and the digests of its view changes, by way of their signatures. */
export function newViewBody(parts: {
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly viewChanges: readonly ViewChange[];
}): Uint8Array {
  const writer = new ByteWriter(512).u64(parts.epoch).u64(parts.height).u64(parts.view).u32(parts.viewChanges.length);
  for (const { sender, signature } of parts.viewChanges) writer.text(sender).raw(signature);
  return writer.finish();
}

/** A prepared certificate as it is kept in the write-ahead log. */
export function encodePrepared(certificate: PreparedCertificate): Uint8Array {
  return writePrepared(new ByteWriter(512), certificate).finish();
}

/** Reads a prepared certificate. @throws {QuorumgateError} format errors */
export function decodePrepared(bytes: Uint8Array): PreparedCertificate {
  const reader = new ByteReader(bytes);
  const certificate = readPrepared(reader);
  reader.end();
  if (certificate === undefined) throw new QuorumgateError("CONSENSUS_CERTIFICATE_INVALID", "an empty prepared certificate");
  return certificate;
}

function readMessage(reader: ByteReader, type: (typeof TYPES)[number]): ConsensusMessage {
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
    case "fetch-proposal":
      return { type, height: reader.u64(), digest: readHash(reader) };
    case "proposal-body":
      return { type, height: reader.u64(), ...readBody(reader) };
    case "block": {
      const headerBytes = reader.bytes(HEADER_BYTES_MAX);
      return { type, headerBytes, batch: readBatch(reader), certificate: readCertificate(reader) };
    }
  }
}

interface Body {
  readonly headerBytes: Uint8Array;
  readonly certifiedProof: Uint8Array;
  readonly batch: Batch;
}

function writeBody(writer: ByteWriter, body: Body): ByteWriter {
  return writeBatch(writer.bytes(body.headerBytes).bytes(body.certifiedProof), body.batch);
}

function readBody(reader: ByteReader): Body {
  const headerBytes = reader.bytes(HEADER_BYTES_MAX);
  const certifiedProof = reader.bytes(CERTIFIED_PROOF_BYTES_MAX);
  return { headerBytes, certifiedProof, batch: readBatch(reader) };
}

function writeBatch(writer: ByteWriter, batch: Batch): ByteWriter {
  writer.u32(batch.length);
  for (const command of batch) writer.bytes(command);
  return writer;
}

function readBatch(reader: ByteReader): Batch {
  return readList(reader, LIMITS.blockCommandsMax, () => reader.bytes(LIMITS.commandBytesMax * 2));
}

function writeCertificate(writer: ByteWriter, certificate: CommitCertificate): ByteWriter {
  writer.u64(certificate.epoch).u64(certificate.height).u64(certificate.view).text(certificate.digest);
  return writeVotes(writer, certificate.votes);
}

function readCertificate(reader: ByteReader): CommitCertificate {
  return { ...readSlot(reader), digest: readHash(reader), votes: readVotes(reader) };
}

function writeVotes(writer: ByteWriter, votes: readonly CertificateVote[]): ByteWriter {
  writer.u32(votes.length);
  for (const { node, signature } of votes) writer.text(node).raw(signature);
  return writer;
}

function readVotes(reader: ByteReader): CertificateVote[] {
  return readList(reader, LIMITS.membersMax, () => ({ node: parseNodeId(reader.text(63)), signature: reader.raw(SIGNATURE_BYTES) }));
}

function writePrepared(writer: ByteWriter, certificate: PreparedCertificate | undefined): ByteWriter {
  if (certificate === undefined) return writer.u8(0);
  writer.u8(1).u64(certificate.epoch).u64(certificate.height).u64(certificate.view).text(certificate.digest);
  return writeVotes(writer.raw(certificate.proposalSignature), certificate.votes);
}

function readPrepared(reader: ByteReader): PreparedCertificate | undefined {
  if (!readFlag(reader)) return undefined;
  const slot = readSlot(reader);
  const digest = readHash(reader);
  return { ...slot, digest, proposalSignature: reader.raw(SIGNATURE_BYTES), votes: readVotes(reader) };
}

function writeViewChange(writer: ByteWriter, message: ViewChange): ByteWriter {
  writer
    .bytes(viewChangeBody(message))
    .raw(message.signature)
    .u8(message.tip === undefined ? 0 : 1);
  return message.tip === undefined ? writer : writeCertificate(writer, message.tip);
}

function readViewChange(outer: ByteReader): ViewChange {
  const reader = new ByteReader(outer.bytes(LIMITS.membersMax * 256));
  const slot = readSlot(reader);
  const sender = parseNodeId(reader.text(63));
  const prepared = readPrepared(reader);
  reader.end();
  const signature = outer.raw(SIGNATURE_BYTES);
  const tip = readFlag(outer) ? readCertificate(outer) : undefined;
  return { type: "view-change", ...slot, sender, signature, ...(prepared && { prepared }), ...(tip && { tip }) };
}

function readSlot(reader: ByteReader): { epoch: number; height: number; view: number } {
  return { epoch: reader.u64(), height: reader.u64(), view: reader.u64() };
}

function readHash(reader: ByteReader): Hash {
  return parseHash(reader.text(64));
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new QuorumgateError("CONSENSUS_MESSAGE_INVALID", "a flag is 0 or 1");
  return flag === 1;
}

function readList<T>(reader: ByteReader, countMax: number, read: (reader: ByteReader) => T): T[] {
  const count = reader.count(countMax);
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}
