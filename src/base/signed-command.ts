import { ByteReader, ByteWriter } from "./byte-codec.ts";
import { concatBytes, fromBase64Url, toBase64Url, u64be } from "./bytes.ts";
import { type CanonicalObject, encodeCanonical, isObject, parseCanonicalObject } from "./canonical.ts";
import { QuorumgateError } from "./errors.ts";
import { FieldReader } from "./fields.ts";
import { type Hasher, hashOf } from "./hasher.ts";
import { type Hash, type PublicKey, parseHash, parsePublicKey, parseSubjectId, type SubjectId } from "./ids.ts";
import type { JsonValue } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { hashLeaf, rootFromPath } from "./merkle.ts";
import { signedBytes } from "./signing.ts";

/** What a subject asks the cluster to do. Signed as canonical bytes; `body` depends on `kind`. */
export interface Command {
  readonly cluster: Hash;
  readonly kind: string;
  /** 16 random bytes as base64url. */
  readonly id: string;
  readonly issuer: SubjectId;
  /** The key that signed; whether it belongs to the issuer is decided at commit. */
  readonly key: PublicKey;
  readonly issuedAtUs: number;
  readonly expiresAtUs: number;
  readonly body: CanonicalObject;
}

/** Where a command stands in the tree that one batch signature covers. */
export interface BatchPosition {
  readonly size: number;
  readonly index: number;
  readonly path: readonly Uint8Array[];
}

/** A command with the exact bytes that were signed. The bytes travel, are hashed and stored; nobody writes them again. */
export interface SignedCommand {
  readonly bytes: Uint8Array;
  readonly command: Command;
  /** SHA-256 of the bytes: the name of the command, of its decision and of its receipt. */
  readonly hash: Hash;
  /** 64 bytes of Ed25519. */
  readonly signature: Uint8Array;
  readonly batch?: BatchPosition;
}

/** What has to verify before a command counts: pure, so that every replica asks the same. */
export interface SignatureClaim {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** Canonical bytes of a command. */
export function encodeCommand(command: Command): Uint8Array {
  return encodeCanonical({
    v: 1,
    cluster: command.cluster,
    kind: command.kind,
    id: command.id,
    issuer: command.issuer,
    key: command.key,
    issuedAt: String(command.issuedAtUs),
    expiresAt: String(command.expiresAtUs),
    body: command.body,
  });
}

/** Reads canonical command bytes. @throws {QuorumgateError} format errors */
export function parseCommand(bytes: Uint8Array): Command {
  if (bytes.length > LIMITS.commandBytesMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "the command is too large");
  const reader = new FieldReader(parseCanonicalObject(bytes), "command");
  reader.integer("v", { min: 1, max: 1 });
  const body = reader.value("body");
  if (!isObject(body)) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "command.body must be an object");
  const command: Command = {
    cluster: parseHash(reader.text("cluster")),
    kind: reader.text("kind", 64),
    id: reader.text("id"),
    issuer: parseSubjectId(reader.text("issuer")),
    key: parsePublicKey(reader.text("key")),
    issuedAtUs: reader.decimal("issuedAt"),
    expiresAtUs: reader.decimal("expiresAt"),
    body,
  };
  if (fromBase64Url(command.id).length !== 16) throw new QuorumgateError("FORMAT_ID_INVALID", "a command id has 16 bytes");
  reader.end();
  return command;
}

/** Joins checked bytes and a signature. @throws {QuorumgateError} format errors */
export function signedCommandOf(
  hasher: Hasher,
  parts: { readonly bytes: Uint8Array; readonly signature: Uint8Array; readonly batch?: BatchPosition },
): SignedCommand {
  const { bytes, signature, batch } = parts;
  if (signature.length !== 64) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "a signature has 64 bytes");
  if (batch !== undefined) checkBatch(batch);
  const command = parseCommand(bytes);
  const hash = hashOf(hasher, bytes);
  return batch === undefined ? { bytes, signature, command, hash } : { bytes, signature, batch, command, hash };
}

/**
 * The signature check that the bytes ask for: over the command itself, or over root ‖ u64 size of the batch's tree.
 * @throws {QuorumgateError} COMMAND_SIGNATURE_INVALID when a batch path leads nowhere
 */
export function signatureClaim(hasher: Hasher, signed: SignedCommand): SignatureClaim {
  const publicKey = fromBase64Url(signed.command.key);
  if (signed.batch === undefined) return { publicKey, message: signedBytes("command", signed.bytes), signature: signed.signature };
  const root = rootFromPath(hasher, { ...signed.batch, leaf: hashLeaf(hasher, signed.bytes) });
  if (root === undefined) throw new QuorumgateError("COMMAND_SIGNATURE_INVALID", "the batch path does not fit the tree");
  return { publicKey, message: batchSignedBytes({ root, size: signed.batch.size }), signature: signed.signature };
}

/** The bytes that a batch signature covers. */
export function batchSignedBytes(tree: { readonly root: Uint8Array; readonly size: number }): Uint8Array {
  return signedBytes("command-batch", concatBytes(tree.root, u64be(tree.size)));
}

/** Binary form for blocks and peers: u32 length ‖ command ‖ signature ‖ u8 batched ‖ (u32 size ‖ u32 index ‖ u8 count ‖ hashes). */
export function encodeSignedCommand(signed: SignedCommand): Uint8Array {
  const writer = new ByteWriter().bytes(signed.bytes).raw(signed.signature);
  if (signed.batch === undefined) return writer.u8(0).finish();
  const { size, index, path } = signed.batch;
  writer.u8(1).u32(size).u32(index).u8(path.length);
  for (const hash of path) writer.raw(hash);
  return writer.finish();
}

/** Reads the binary form. @throws {QuorumgateError} format errors */
export function decodeSignedCommand(hasher: Hasher, encoded: Uint8Array): SignedCommand {
  const reader = new ByteReader(encoded);
  const bytes = reader.bytes(LIMITS.commandBytesMax);
  const signature = reader.raw(64);
  const batched = reader.u8();
  if (batched > 1) throw new QuorumgateError("FORMAT_NOT_CANONICAL", "the batch flag is 0 or 1");
  const batch = batched === 1 ? readBatch(reader) : undefined;
  reader.end();
  return signedCommandOf(hasher, batch === undefined ? { bytes, signature } : { bytes, signature, batch });
}

/** The JSON form of the HTTP API: {command, signature{kid, val, batch?}}. */
export function signedCommandToJson(signed: SignedCommand): CanonicalObject {
  const { batch } = signed;
  return {
    command: toBase64Url(signed.bytes),
    signature: {
      kid: signed.command.key,
      val: toBase64Url(signed.signature),
      ...(batch === undefined ? {} : { batch: { size: batch.size, index: batch.index, path: batch.path.map(toBase64Url) } }),
    },
  };
}

/** Reads the JSON form. @throws {QuorumgateError} format errors; COMMAND_SIGNATURE_INVALID when kid names another key */
export function signedCommandFromJson(hasher: Hasher, value: JsonValue): SignedCommand {
  const reader = new FieldReader(value as CanonicalObject, "signedCommand");
  const bytes = fromBase64Url(reader.text("command", LIMITS.commandBytesMax * 2));
  const signature = reader.object("signature");
  const kid = signature.text("kid");
  const val = fromBase64Url(signature.text("val"));
  const batch = signature.has("batch") ? batchFromJson(signature.object("batch")) : undefined;
  signature.end();
  reader.end();
  const signed = signedCommandOf(hasher, batch === undefined ? { bytes, signature: val } : { bytes, signature: val, batch });
  if (kid !== signed.command.key) throw new QuorumgateError("COMMAND_SIGNATURE_INVALID", "kid is not the command's key");
  return signed;
}

function batchFromJson(reader: FieldReader): BatchPosition {
  const batch = {
    size: reader.integer("size", { min: 1, max: 2 ** LIMITS.batchPathMax }),
    index: reader.integer("index", { min: 0, max: 2 ** LIMITS.batchPathMax }),
    path: reader.texts("path", { countMax: LIMITS.batchPathMax, lengthMax: 43 }).map(fromBase64Url),
  };
  reader.end();
  return batch;
}

function readBatch(reader: ByteReader): BatchPosition {
  const size = reader.u32();
  const index = reader.u32();
  const count = reader.u8();
  if (count > LIMITS.batchPathMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "the batch path is too long");
  return { size, index, path: Array.from({ length: count }, () => reader.raw(32)) };
}

function checkBatch(batch: BatchPosition): void {
  const fits = batch.size >= 1 && batch.size <= 2 ** LIMITS.batchPathMax && batch.index < batch.size;
  if (!fits || batch.path.length > LIMITS.batchPathMax || batch.path.some((hash) => hash.length !== 32)) {
    throw new QuorumgateError("FORMAT_SHAPE_INVALID", "the batch position is out of range");
  }
}
