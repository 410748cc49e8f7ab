import { createHash, createHmac, hash as hashOnce, timingSafeEqual } from "node:crypto";
import { blake2b } from "@noble/hashes/blake2.js";
import { type Hasher, isWellFormed, LIMITS, QuorumgateError } from "#base";

/** Hash functions by their names at the API. */
export type HashAlgorithm = "sha256" | "sha3-256" | "sha3-512" | "shake128" | "shake256" | "blake2b";

/** Hash functions over which HMAC is defined: those with a block. SHAKE has KMAC instead, which is another function. */
export type HmacAlgorithm = Exclude<HashAlgorithm, "shake128" | "shake256">;

/** Options of `hash` and `verify`. */
export interface HashOptions {
  /** Bytes of output: 1 to 64 for blake2b, 1 to 65,536 for SHAKE; other functions have one length. */
  readonly outputLength?: number;
}

interface AlgorithmRow {
  /** Name in OpenSSL. */
  readonly openssl: string;
  /** Bytes of output when none are asked for. SHAKE: what keeps its full strength against collisions. */
  readonly length: number;
  /** Most bytes of output; equal to `length` where the function has one length. */
  readonly lengthMax: number;
  /** Whether HMAC is defined. OpenSSL takes the block sizes of FIPS 202 (136 and 72 bytes for SHA3-256 and SHA3-512). */
  readonly hmac: boolean;
}

const ALGORITHMS: Readonly<Record<HashAlgorithm, AlgorithmRow>> = {
  sha256: { openssl: "sha256", length: 32, lengthMax: 32, hmac: true },
  "sha3-256": { openssl: "sha3-256", length: 32, lengthMax: 32, hmac: true },
  "sha3-512": { openssl: "sha3-512", length: 64, lengthMax: 64, hmac: true },
  shake128: { openssl: "shake128", length: 32, lengthMax: LIMITS.hashOutputBytesMax, hmac: false },
  shake256: { openssl: "shake256", length: 64, lengthMax: LIMITS.hashOutputBytesMax, hmac: false },
  blake2b: { openssl: "blake2b512", length: 64, lengthMax: 64, hmac: true },
};

/** Lengths below the greatest are allowed for these. */
const VARIABLE: ReadonlySet<HashAlgorithm> = new Set<HashAlgorithm>(["shake128", "shake256", "blake2b"]);

/**
 * SHA-256 by OpenSSL in one call, for every room that takes a Hasher. The digest comes as a text of one byte per character, because a buffer
 * costs more to make and to collect than the hash itself; an array of 32 bytes lies on the heap.
 */
export const nodeHasher: Hasher = {
  sha256: (bytes) => bytesOfBinary(hashOnce("sha256", bytes, "binary")),
  sha256Hex: (bytes) => hashOnce("sha256", bytes, "hex"),
};

/** Hash functions for callers of the library. Texts are taken as UTF-8; results are lowercase hexadecimal. */
export const HashingUtils: {
  /**
   * Hash of the data. Shorter outputs of blake2b are other functions, not prefixes of its longer ones; those of SHAKE are prefixes.
   * @throws {QuorumgateError} CRYPTO_ALGORITHM_UNKNOWN, CRYPTO_LENGTH_INVALID, FORMAT_NOT_CANONICAL for lone surrogates
   */
  hash(data: string | Uint8Array, algorithm?: HashAlgorithm, options?: HashOptions): string;
  /**
   * Authenticates data under a key, which must not be empty. Over blake2b it is HMAC with BLAKE2b-512, not keyed BLAKE2b. Source: RFC 2104.
   * @throws {QuorumgateError} CRYPTO_ALGORITHM_UNKNOWN, also for SHAKE; CRYPTO_LENGTH_INVALID for an empty key
   */
  hmac(data: string | Uint8Array, key: string | Uint8Array, algorithm?: HmacAlgorithm): string;
  /**
   * True when the stored hash is the data's. A hash of another length than asked for (by default the function's own) is refused:
   * a stored hash cut to one byte would match one time in 256.
   * @throws {QuorumgateError} as `hash`
   */
  verify(data: string | Uint8Array, storedHash: string, algorithm?: HashAlgorithm, options?: HashOptions): boolean;
  /** True when both hold the same bytes, in a time that depends on their length only. */
  compare(left: string | Uint8Array, right: string | Uint8Array): boolean;
} = {
  hash(data, algorithm = "sha256", options = {}) {
    return Buffer.from(digest(bytesOf(data), algorithm, options)).toString("hex");
  },
  hmac(data, key, algorithm = "sha256") {
    const row = rowOf(algorithm);
    if (!row.hmac) throw new QuorumgateError("CRYPTO_ALGORITHM_UNKNOWN", "HMAC is not defined over an extendable function");
    const keyBytes = bytesOf(key);
    if (keyBytes.length === 0) throw new QuorumgateError("CRYPTO_LENGTH_INVALID", "an HMAC key must not be empty");
    return createHmac(row.openssl, keyBytes).update(bytesOf(data)).digest("hex");
  },
  verify(data, storedHash, algorithm = "sha256", options = {}) {
    return HashingUtils.compare(HashingUtils.hash(data, algorithm, options), storedHash);
  },
  compare(left, right) {
    const [leftBytes, rightBytes] = [bytesOf(left), bytesOf(right)];
    return leftBytes.length === rightBytes.length && timingSafeEqual(leftBytes, rightBytes);
  },
};

function digest(data: Uint8Array, algorithm: HashAlgorithm, options: HashOptions): Uint8Array {
  const row = rowOf(algorithm);
  const length = options.outputLength ?? row.length;
  const lengthMin = VARIABLE.has(algorithm) ? 1 : row.length;
  if (!Number.isInteger(length) || length < lengthMin || length > row.lengthMax) {
    throw new QuorumgateError("CRYPTO_LENGTH_INVALID", `${algorithm} gives ${lengthMin} to ${row.lengthMax} bytes`);
  }
  // OpenSSL offers BLAKE2b in its full length only.
  if (algorithm === "blake2b" && length !== row.length) return blake2b(data, { dkLen: length });
  const outputLength = row.lengthMax > 64 ? { outputLength: length } : {};
  return createHash(row.openssl, outputLength).update(data).digest();
}

function bytesOfBinary(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function rowOf(algorithm: HashAlgorithm): AlgorithmRow {
  // Callers from JavaScript can pass any text, "constructor" included.
  const row = Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined;
  if (row === undefined) throw new QuorumgateError("CRYPTO_ALGORITHM_UNKNOWN", "the hash algorithm is not known");
  return row;
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  if (typeof data !== "string") return data;
  // Node writes U+FFFD for a lone surrogate: two texts would share one hash.
  if (!isWellFormed(data)) throw new QuorumgateError("FORMAT_NOT_CANONICAL", "lone surrogate");
  return Buffer.from(data, "utf8");
}
