import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes } from "#base";

/** Decides whether a signature is good. Must be libsodium's predicate. */
export type Ed25519Predicate = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;

/**
 * libsodium's predicate for Ed25519, as its releases up to 1.0.22 have it: S below the group order, A canonical and not of small order, R
 * not of small order, and sB − hA encoded equal to R byte for byte (without the cofactor).
 *
 * Written over point arithmetic because libraries differ on mixed-order points and non-canonical encodings: a receipt that the cluster
 * took must verify here, and one that it refused must not.
 */
export const verifyEd25519: Ed25519Predicate = (publicKey, message, signature) => {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const encodedR = signature.subarray(0, 32);
  const scalar = littleEndian(signature.subarray(32));
  const keyPoint = decodePoint(publicKey);
  if (scalar >= ORDER || keyPoint === undefined || keyPoint.isSmallOrder()) return false;
  const challenge = littleEndian(sha512(concatBytes(encodedR, publicKey, message))) % ORDER;
  const expected = Point.BASE.multiplyUnsafe(scalar).subtract(keyPoint.multiplyUnsafe(challenge));
  // The encoding of `expected` is canonical, so a non-canonical R cannot equal it.
  return !expected.isSmallOrder() && equalBytes(expected.toBytes(), encodedR);
};

type CurvePoint = typeof Point.BASE;

function decodePoint(bytes: Uint8Array): CurvePoint | undefined {
  try {
    // The library checks the encoding in place.
    return Point.fromBytes(bytes.slice(), false);
  } catch {
    return undefined;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}
