import { ByteReader, ByteWriter, type Hash, LIMITS, parseHash, parseNodeId, QuorumgateError } from "#base";
import type { Batch, CertificateVote, CommitCertificate } from "./block.ts";

/** Length of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;

const HEADER_BYTES_MAX = 4_096;
/** Two signatures and a name of each member, with room to spare. */
const CERTIFIED_PROOF_BYTES_MAX = 16_384;

/** A proposal's header, batch and the proof of what it calls certified. */
export interface Body {
  readonly headerBytes: Uint8Array;
  readonly certifiedProof: Uint8Array;
  readonly batch: Batch;
}

/** How one engine's messages are written and read. Types keep their place: it is their number on the wire. */
export interface MessageCodec<M extends { readonly type: string }> {
  readonly types: readonly M["type"][];
  /** Writes the fields behind the type. */
  write(writer: ByteWriter, message: M): ByteWriter;
  /** Reads the fields of a message of the type. @throws {QuorumgateError} format errors */
  read(reader: ByteReader, type: M["type"]): M;
}

/** Header bytes, certified proof and batch, each behind its length. */
export function writeBody(writer: ByteWriter, body: Body): ByteWriter {
  return writeBatch(writer.bytes(body.headerBytes).bytes(body.certifiedProof), body.batch);
}

/** Reads what writeBody wrote, within bounds. @throws {QuorumgateError} format errors */
export function readBody(reader: ByteReader): Body {
  const headerBytes = readHeaderBytes(reader);
  const certifiedProof = reader.bytes(CERTIFIED_PROOF_BYTES_MAX);
  return { headerBytes, certifiedProof, batch: readBatch(reader) };
}

/** A header's canonical bytes, within their bound; parsing them is left to who needs the fields. */
export function readHeaderBytes(reader: ByteReader): Uint8Array {
  return reader.bytes(HEADER_BYTES_MAX);
}

/** Commands behind their count. */
export function writeBatch(writer: ByteWriter, batch: Batch): ByteWriter {
  writer.u32(batch.length);
  for (const command of batch) writer.bytes(command);
  return writer;
}

/** Reads a batch within the bounds of a block. @throws {QuorumgateError} format errors */
export function readBatch(reader: ByteReader): Batch {
  return readList(reader, LIMITS.blockCommandsMax, () => reader.bytes(LIMITS.commandBytesMax * 2));
}

/** Slot, digest and votes. */
export function writeCertificate(writer: ByteWriter, certificate: CommitCertificate): ByteWriter {
  writer.u64(certificate.epoch).u64(certificate.height).u64(certificate.view).text(certificate.digest);
  return writeVotes(writer, certificate.votes);
}

/** Reads what writeCertificate wrote. @throws {QuorumgateError} format errors */
export function readCertificate(reader: ByteReader): CommitCertificate {
  const { epoch, height, view } = readSlot(reader);
  return { epoch, height, view, digest: readHash(reader), votes: readVotes(reader) };
}

/** A flag, and a certificate where there is one. */
export function writeOptionalCertificate(writer: ByteWriter, certificate: CommitCertificate | undefined): ByteWriter {
  return certificate === undefined ? writer.u8(0) : writeCertificate(writer.u8(1), certificate);
}

/** Reads what writeOptionalCertificate wrote. @throws {QuorumgateError} format errors */
export function readOptionalCertificate(reader: ByteReader): CommitCertificate | undefined {
  return readFlag(reader) ? readCertificate(reader) : undefined;
}

/** Names and signatures behind their count. */
export function writeVotes(writer: ByteWriter, votes: readonly CertificateVote[]): ByteWriter {
  writer.u32(votes.length);
  for (const { node, signature } of votes) writer.text(node).raw(signature);
  return writer;
}

/** Reads at most one vote for each possible member. @throws {QuorumgateError} format errors */
export function readVotes(reader: ByteReader): CertificateVote[] {
  return readList(reader, LIMITS.membersMax, () => ({ node: parseNodeId(reader.text(63)), signature: reader.raw(SIGNATURE_BYTES) }));
}

/** Epoch, height and view. */
export function readSlot(reader: ByteReader): { epoch: number; height: number; view: number } {
  return { epoch: reader.u64(), height: reader.u64(), view: reader.u64() };
}

/** A hash as 64 hexadecimal characters behind their length. @throws {QuorumgateError} FORMAT_HASH_INVALID */
export function readHash(reader: ByteReader): Hash {
  return parseHash(reader.text(64));
}

/** A flag that is exactly 0 or 1. @throws {QuorumgateError} CONSENSUS_MESSAGE_INVALID */
export function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new QuorumgateError("CONSENSUS_MESSAGE_INVALID", "a flag is 0 or 1");
  return flag === 1;
}

/** Reads so many items as the count says, within the bound. @throws {QuorumgateError} format errors */
export function readList<T>(reader: ByteReader, countMax: number, read: (reader: ByteReader) => T): T[] {
  const count = reader.count(countMax);
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}

/** A commit certificate as it is stored and served. */
export function encodeCommitCertificate(certificate: CommitCertificate): Uint8Array {
  return writeCertificate(new ByteWriter(), certificate).finish();
}

/** Reads a commit certificate. @throws {QuorumgateError} format errors */
export function decodeCommitCertificate(bytes: Uint8Array): CommitCertificate {
  const reader = new ByteReader(bytes);
  const certificate = readCertificate(reader);
  reader.end();
  return certificate;
}
