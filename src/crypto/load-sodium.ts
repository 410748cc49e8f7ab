import { randomBytes } from "node:crypto";
import { equalBytes, fromHex, QuorumgateError } from "#base";
import type { Sodium, SodiumBackend } from "./sodium.ts";
import { loadNativeSodium } from "./sodium-native.ts";
import { loadWrappedSodium } from "./sodium-wrappers.ts";

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
