import { randomBytes } from "node:crypto";
import {
  batchSignedBytes,
  type Command,
  encodeCommand,
  hashLeaf,
  LIMITS,
  merklePaths,
  type PublicKey,
  QuorumgateError,
  type SignedCommand,
  signedBytes,
  signedCommandOf,
  toBase64Url,
} from "#base";
import { nodeHasher } from "./hashing.ts";
import type { Ed25519, KeyPair } from "./sodium.ts";

/** Signs for one identity. The private key stays behind it: in this process, a file, or a device that takes its time. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** 64 bytes of Ed25519 over exactly these bytes, domain prefix included. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A command before it is signed: the signer adds its key, and a random id where none is given. */
export type CommandFields = Omit<Command, "key" | "id"> & { readonly id?: string };

/** A signer whose key is in this process. */
export function createSigner(ed25519: Ed25519, keys: KeyPair): Signer & { sign(message: Uint8Array): Uint8Array } {
  return {
    publicKey: toBase64Url(keys.publicKey) as PublicKey,
    sign: (message) => ed25519.sign(keys.secretKey, message),
  };
}

/** Sixteen random bytes as base64url. */
export function createCommandId(): string {
  return toBase64Url(randomBytes(16));
}

/** Signs one command, purpose `command`. @throws {QuorumgateError} format errors */
export async function signCommand(signer: Signer, fields: CommandFields): Promise<SignedCommand> {
  const bytes = encodeFor(signer, fields);
  return signedCommandOf(nodeHasher, { bytes, signature: await signer.sign(signedBytes("command", bytes)) });
}

/**
 * Signs many commands with one signature over their Merkle root (purpose `command-batch`): verified once, and each command still
 * provable alone. The results are in the order of the commands.
 * @throws {QuorumgateError} FORMAT_TOO_LARGE, FORMAT_SHAPE_INVALID for none, format errors
 */
export async function signCommandBatch(signer: Signer, batch: readonly CommandFields[]): Promise<readonly SignedCommand[]> {
  const size = batch.length;
  if (size === 0) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "a batch has at least one command");
  if (size > 2 ** LIMITS.batchPathMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "the batch has too many commands");
  const encoded = batch.map((fields) => encodeFor(signer, fields));
  const { root, paths } = merklePaths(
    nodeHasher,
    encoded.map((bytes) => hashLeaf(nodeHasher, bytes)),
  );
  const signature = await signer.sign(batchSignedBytes({ root, size }));
  return encoded.map((bytes, index) => signedCommandOf(nodeHasher, { bytes, signature, batch: { size, index, path: paths[index] ?? [] } }));
}

function encodeFor(signer: Signer, fields: CommandFields): Uint8Array {
  return encodeCommand({ ...fields, id: fields.id ?? createCommandId(), key: signer.publicKey });
}
