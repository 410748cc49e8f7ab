import { randomBytes } from "node:crypto";
import { equalBytes, fromHex, QuorumgateError } from "#base";
import { loadNativeSodium } from "./sodium-native.ts";
import { loadWrappedSodium } from "./sodium-wrappers.ts";

/** Which build of libsodium answers. Both are the same C code; sodium-native is two to three times as fast. */
export type SodiumBackend = "sodium-native" | "libsodium-wrappers";

/** A public key and the secret key that belongs to it. The secret key is to be wiped with `memzero` when it is no longer needed. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** Ed25519 by libsodium's predicate, the only one by which this system verifies. Source: RFC 8032; libsodium refuses small-order keys and R, and S ≥ L. */
export interface Ed25519 {
  readonly backend: SodiumBackend;
  /** A key pair: 32 and 64 bytes; from a seed of 32 bytes, or a random one. @throws {QuorumgateError} CRYPTO_LENGTH_INVALID */
  generateKeyPair(seed?: Uint8Array): KeyPair;
  /** 64 bytes. Deterministic. @throws {QuorumgateError} CRYPTO_LENGTH_INVALID */
  sign(secretKey: Uint8Array, message: Uint8Array): Uint8Array;
  /** False for anything that is not a valid signature, wrong lengths included. Never throws. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** Overwrites a secret. Copies that the runtime made elsewhere stay. */
  memzero(secret: Uint8Array): void;
}

/** Cost of an Argon2id derivation, one lane. Source: RFC 9106, section 4. */
export interface Argon2idOptions {
  readonly password: Uint8Array;
  /** 16 bytes, random, kept beside what the key protects. */
  readonly salt: Uint8Array;
  /** Passes over the memory. */
  readonly operations: number;
  /** At least 8,192; a multiple of 1,024. */
  readonly memoryBytes: number;
  /** Bytes of output, 16 to 64. */
  readonly length: number;
}

/** Everything that the two builds share. Lengths are checked; nonces are the caller's (see `sealSecret` for random ones). */
export interface Sodium extends Ed25519 {
  /** X25519 key pair, 32 bytes each, from a seed of 32 bytes or a random one. @throws {QuorumgateError} CRYPTO_LENGTH_INVALID */
  generateAgreementKeyPair(seed?: Uint8Array): KeyPair;
  /**
   * The raw X25519 shared point, to be put through a key derivation before use. Source: RFC 7748, section 6.1.
   * @throws {QuorumgateError} CRYPTO_KEY_REJECTED for a public key of small order; CRYPTO_LENGTH_INVALID
   */
  agree(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array;
  /** XSalsa20-Poly1305: 16 bytes longer than the message. Key 32 bytes, nonce 24. @throws {QuorumgateError} CRYPTO_LENGTH_INVALID */
  secretBox(options: { readonly key: Uint8Array; readonly nonce: Uint8Array; readonly message: Uint8Array }): Uint8Array;
  /** @throws {QuorumgateError} CRYPTO_DECRYPTION_FAILED, CRYPTO_LENGTH_INVALID */
  openSecretBox(options: { readonly key: Uint8Array; readonly nonce: Uint8Array; readonly ciphertext: Uint8Array }): Uint8Array;
  /** The same under a key agreed between two X25519 keys. @throws {QuorumgateError} CRYPTO_KEY_REJECTED, CRYPTO_LENGTH_INVALID */
  box(options: {
    readonly secretKey: Uint8Array;
    readonly publicKey: Uint8Array;
    readonly nonce: Uint8Array;
    readonly message: Uint8Array;
  }): Uint8Array;
  /** @throws {QuorumgateError} CRYPTO_DECRYPTION_FAILED, CRYPTO_LENGTH_INVALID */
  openBox(options: {
    readonly secretKey: Uint8Array;
    readonly publicKey: Uint8Array;
    readonly nonce: Uint8Array;
    readonly ciphertext: Uint8Array;
  }): Uint8Array;
  /** Key from a password. @throws {QuorumgateError} CRYPTO_LENGTH_INVALID */
  argon2id(options: Argon2idOptions): Promise<Uint8Array>;
}

/**
 * Loads libsodium: sodium-native when it is installed and works, else libsodium-wrappers; or the one that is named.
 * `backend` of what is returned says which it was. Each is tried on a known answer before it is trusted.
 * @throws {QuorumgateError} CRYPTO_UNAVAILABLE
 */
export async function loadSodium(backend?: SodiumBackend): Promise<Sodium> {
  if (backend !== "libsodium-wrappers") {
    const native = loadNativeSodium();
    if (native !== undefined) return checked(native);
    if (backend === "sodium-native") throw new QuorumgateError("CRYPTO_UNAVAILABLE", "sodium-native is not installed or does not load");
  }
  return checked(await loadWrappedSodium());
}

/** XSalsa20-Poly1305 under a random nonce, which is put in front: nonce(24) ‖ ciphertext. 192 bits are enough for random nonces; see README. */
export function sealSecret(sodium: Sodium, key: Uint8Array, message: Uint8Array): Uint8Array {
  const nonce = randomBytes(24);
  return Buffer.concat([nonce, sodium.secretBox({ key, nonce, message })]);
}

/** Opens what `sealSecret` made. @throws {QuorumgateError} CRYPTO_DECRYPTION_FAILED, CRYPTO_LENGTH_INVALID */
export function openSecret(sodium: Sodium, key: Uint8Array, sealed: Uint8Array): Uint8Array {
  return sodium.openSecretBox({ key, nonce: sealed.subarray(0, 24), ciphertext: sealed.subarray(24) });
}

/** RFC 8032, section 7.1, test 2. */
const KNOWN_ANSWER = {
  seed: fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
  message: Uint8Array.of(0x72),
  signature: fromHex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ),
};

function checked(sodium: Sodium): Sodium {
  const { publicKey, secretKey } = sodium.generateKeyPair(KNOWN_ANSWER.seed);
  const signature = sodium.sign(secretKey, KNOWN_ANSWER.message);
  const refusesOther = !sodium.verify(publicKey, Uint8Array.of(0x73), signature);
  if (!equalBytes(signature, KNOWN_ANSWER.signature) || !sodium.verify(publicKey, KNOWN_ANSWER.message, signature) || !refusesOther) {
    throw new QuorumgateError("CRYPTO_UNAVAILABLE", `${sodium.backend} fails its known answer`);
  }
  return sodium;
}
