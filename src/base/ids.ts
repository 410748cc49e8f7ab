import { QuorumgateError } from "./errors.ts";

declare const brand: unique symbol;

/** Marks a primitive so that two things of one shape cannot be mixed up. Brands exist at compile time only. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Name of a cluster member, `[a-z0-9-]`, 1 to 63 characters. A removed id is never used again. */
export type NodeId = Brand<string, "NodeId">;

/** Name of a registered service or operator, `[A-Za-z0-9._-]`, 1 to 128 characters. */
export type SubjectId = Brand<string, "SubjectId">;

/** SHA-256 digest as 64 lowercase hexadecimal characters. */
export type Hash = Brand<string, "Hash">;

/** Public key as unpadded base64url: 43 characters for Ed25519. */
export type PublicKey = Brand<string, "PublicKey">;

/** Sixty-four zeros: the `previousHash` of the first entry and the parent of the first block. */
export const ZERO_HASH: Hash = "0".repeat(64) as Hash;

const NODE_ID = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBJECT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const HASH = /^[0-9a-f]{64}$/;
const ED25519_PUBLIC_KEY = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** Checks the grammar of a node id. @throws {QuorumgateError} FORMAT_ID_INVALID */
export function parseNodeId(text: string): NodeId {
  if (!NODE_ID.test(text)) throw new QuorumgateError("FORMAT_ID_INVALID", "not a node id", { data: { length: text.length } });
  return text as NodeId;
}

/** Checks the grammar of a service or operator id. @throws {QuorumgateError} FORMAT_ID_INVALID */
export function parseSubjectId(text: string): SubjectId {
  if (!SUBJECT_ID.test(text)) {
    throw new QuorumgateError("FORMAT_ID_INVALID", "not a service or operator id", { data: { length: text.length } });
  }
  return text as SubjectId;
}

/** Checks the grammar of a SHA-256 digest. @throws {QuorumgateError} FORMAT_HASH_INVALID */
export function parseHash(text: string): Hash {
  if (!HASH.test(text)) throw new QuorumgateError("FORMAT_HASH_INVALID", "not a lowercase SHA-256 digest");
  return text as Hash;
}

/** Checks that the text is a strictly encoded 32-byte key. @throws {QuorumgateError} FORMAT_KEY_INVALID */
export function parsePublicKey(text: string): PublicKey {
  if (!ED25519_PUBLIC_KEY.test(text)) throw new QuorumgateError("FORMAT_KEY_INVALID", "not a base64url Ed25519 public key");
  return text as PublicKey;
}
