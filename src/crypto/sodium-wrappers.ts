import { argon2idAsync } from "@noble/hashes/argon2.js";
import sodium from "libsodium-wrappers";
import { checkArgon2id, checkLength, namingFailure } from "./lengths.ts";
import type { Sodium } from "./sodium.ts";

/** libsodium compiled to WebAssembly, behind the common interface. It runs wherever Node runs. */
export async function loadWrappedSodium(): Promise<Sodium> {
  await sodium.ready;
  return { backend: "libsodium-wrappers", ...signatures, ...agreement, ...boxes, ...secrets };
}

const signatures: Pick<Sodium, "generateKeyPair" | "sign" | "verify"> = {
  generateKeyPair(seed = sodium.randombytes_buf(32)) {
    checkLength(seed, 32, "a seed");
    const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed);
    return { publicKey, secretKey: privateKey };
  },
  sign(secretKey, message) {
    checkLength(secretKey, 64, "a secret key");
    return sodium.crypto_sign_detached(message, secretKey);
  },
  verify(publicKey, message, signature) {
    return publicKey.length === 32 && signature.length === 64 && sodium.crypto_sign_verify_detached(signature, message, publicKey);
  },
};

const agreement: Pick<Sodium, "generateAgreementKeyPair" | "agree"> = {
  generateAgreementKeyPair(seed = sodium.randombytes_buf(32)) {
    checkLength(seed, 32, "a seed");
    const { publicKey, privateKey } = sodium.crypto_box_seed_keypair(seed);
    return { publicKey, secretKey: privateKey };
  },
  agree(secretKey, publicKey) {
    checkKeys(secretKey, publicKey);
    return namingFailure("CRYPTO_KEY_REJECTED", "the public key is of small order", () => sodium.crypto_scalarmult(secretKey, publicKey));
  },
};

const boxes: Pick<Sodium, "secretBox" | "openSecretBox" | "box" | "openBox"> = {
  secretBox({ key, nonce, message }) {
    checkLength(key, 32, "a key");
    checkLength(nonce, 24, "a nonce");
    return sodium.crypto_secretbox_easy(message, nonce, key);
  },
  openSecretBox({ key, nonce, ciphertext }) {
    checkLength(key, 32, "a key");
    checkLength(nonce, 24, "a nonce");
    return opened(() => sodium.crypto_secretbox_open_easy(ciphertext, nonce, key));
  },
  box({ secretKey, publicKey, nonce, message }) {
    checkKeys(secretKey, publicKey);
    checkLength(nonce, 24, "a nonce");
    return namingFailure("CRYPTO_KEY_REJECTED", "the public key is of small order", () =>
      sodium.crypto_box_easy(message, nonce, publicKey, secretKey),
    );
  },
  openBox({ secretKey, publicKey, nonce, ciphertext }) {
    checkKeys(secretKey, publicKey);
    checkLength(nonce, 24, "a nonce");
    return opened(() => sodium.crypto_box_open_easy(ciphertext, nonce, publicKey, secretKey));
  },
};

const secrets: Pick<Sodium, "argon2id" | "memzero"> = {
  // The plain wrappers leave Argon2 out; the sumo build would double the download for this one function.
  async argon2id(options) {
    checkArgon2id(options);
    const { password, salt, operations, memoryBytes, length } = options;
    return argon2idAsync(password, salt, { t: operations, m: memoryBytes / 1_024, p: 1, dkLen: length, maxmem: 2 ** 31 });
  },
  memzero(secret) {
    sodium.memzero(secret);
  },
};

function opened(open: () => Uint8Array): Uint8Array {
  return namingFailure("CRYPTO_DECRYPTION_FAILED", "the ciphertext does not authenticate", open);
}

function checkKeys(secretKey: Uint8Array, publicKey: Uint8Array): void {
  checkLength(secretKey, 32, "a secret key");
  checkLength(publicKey, 32, "a public key");
}
