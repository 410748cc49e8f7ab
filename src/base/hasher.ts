import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, toHash } from "./bytes.ts";
import type { Hash } from "./ids.ts";
import { encodeUtf8 } from "./utf8.ts";

/** SHA-256, injected where speed counts. Every implementation gives the same bytes, and keeps none of those that it was given. */
export interface Hasher {
  sha256(bytes: Uint8Array): Uint8Array;
  /** The same in lowercase hexadecimal, where that is made sooner than from an array of the digest. */
  sha256Hex?(bytes: Uint8Array): string;
}

/** SHA-256 as hashes are written. */
export function hashOf(hasher: Hasher, bytes: Uint8Array): Hash {
  return (hasher.sha256Hex?.(bytes) as Hash | undefined) ?? toHash(hasher.sha256(bytes));
}

/** The implementation that runs anywhere, the browser included. */
export const portableHasher: Hasher = { sha256 };

/** SHA-256 of `domain ‖ body`; domains end in a zero byte, so none is the prefix of another. */
export function hashInDomain(hasher: Hasher, domain: string, body: Uint8Array): Uint8Array {
  return hasher.sha256(concatBytes(encodeUtf8(domain), body));
}
