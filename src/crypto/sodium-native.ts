import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { checkArgon2id, checkLength, namingFailure } from "./lengths.ts";
import type { KeyPair, Sodium } from "./sodium.ts";

/** The functions of sodium-native that are used here. It has no types of its own: outputs come first, and failures throw or answer false. */
interface NativeLibrary {
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  crypto_box_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  crypto_scalarmult(shared: Uint8Array, secretKey: Uint8Array, publicKey: Uint8Array): void;
  crypto_secretbox_easy(ciphertext: Uint8Array, message: Uint8Array, nonce: Uint8Array, key: Uint8Array): void;
  crypto_secretbox_open_easy(message: Uint8Array, ciphertext: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean;
  crypto_box_easy(ciphertext: Uint8Array, message: Uint8Array, nonce: Uint8Array, publicKey: Uint8Array, secretKey: Uint8Array): void;
  crypto_box_open_easy(
    message: Uint8Array,
    ciphertext: Uint8Array,
    nonce: Uint8Array,
    publicKey: Uint8Array,
    secretKey: Uint8Array,
  ): boolean;
  crypto_pwhash_async(
    output: Uint8Array,
    password: Uint8Array,
    salt: Uint8Array,
    operations: number,
    memoryBytes: number,
    algorithm: number,
  ): Promise<void>;
  sodium_memzero(bytes: Uint8Array): void;
  readonly crypto_pwhash_ALG_ARGON2ID13: number;
}

const FUNCTIONS = [
  "crypto_sign_seed_keypair",
  "crypto_sign_detached",
  "crypto_sign_verify_detached",
  "crypto_box_seed_keypair",
  "crypto_scalarmult",
  "crypto_secretbox_easy",
  "crypto_secretbox_open_easy",
  "crypto_box_easy",
  "crypto_box_open_easy",
  "crypto_pwhash_async",
  "sodium_memzero",
] as const satisfies readonly (keyof NativeLibrary)[];

/** sodium-native behind the common interface, or undefined where the optional dependency is not installed or does not load. */
export function loadNativeSodium(): Sodium | undefined {
  let library: unknown;
  try {
    library = createRequire(import.meta.url)("sodium-native");
  } catch {
    // An optional dependency: which build answers is told by `backend`, and the other one is as right.
    return undefined;
  }
  return isNativeLibrary(library) ? wrap(library) : undefined;
}

function isNativeLibrary(value: unknown): value is NativeLibrary {
  if (typeof value !== "object" || value === null) return false;
  const library = value as Readonly<Record<string, unknown>>;
  return FUNCTIONS.every((name) => typeof library[name] === "function") && typeof library["crypto_pwhash_ALG_ARGON2ID13"] === "number";
}

function wrap(library: NativeLibrary): Sodium {
  return { backend: "sodium-native", ...signatures(library), ...agreement(library), ...boxes(library), ...secrets(library) };
}

function signatures(library: NativeLibrary): Pick<Sodium, "generateKeyPair" | "sign" | "verify"> {
  return {
    generateKeyPair(seed = randomBytes(32)): KeyPair {
      checkLength(seed, 32, "a seed");
      const pair = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) };
      library.crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, seed);
      return pair;
    },
    sign(secretKey, message) {
      checkLength(secretKey, 64, "a secret key");
      const signature = new Uint8Array(64);
      library.crypto_sign_detached(signature, message, secretKey);
      return signature;
    },
    verify(publicKey, message, signature) {
      return publicKey.length === 32 && signature.length === 64 && library.crypto_sign_verify_detached(signature, message, publicKey);
    },
  };
}

function agreement(library: NativeLibrary): Pick<Sodium, "generateAgreementKeyPair" | "agree"> {
  return {
    generateAgreementKeyPair(seed = randomBytes(32)): KeyPair {
      checkLength(seed, 32, "a seed");
      const pair = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(32) };
      library.crypto_box_seed_keypair(pair.publicKey, pair.secretKey, seed);
      return pair;
    },
    agree(secretKey, publicKey) {
      checkKeys(secretKey, publicKey);
      const shared = Buffer.alloc(32);
      namingFailure("CRYPTO_KEY_REJECTED", "the public key is of small order", () =>
        library.crypto_scalarmult(shared, secretKey, publicKey),
      );
      return shared;
    },
  };
}

function boxes(library: NativeLibrary): Pick<Sodium, "secretBox" | "openSecretBox" | "box" | "openBox"> {
  return {
    secretBox({ key, nonce, message }) {
      checkLength(key, 32, "a key");
      checkLength(nonce, 24, "a nonce");
      const ciphertext = Buffer.alloc(message.length + 16);
      library.crypto_secretbox_easy(ciphertext, message, nonce, key);
      return ciphertext;
    },
    openSecretBox({ key, nonce, ciphertext }) {
      checkLength(key, 32, "a key");
      checkLength(nonce, 24, "a nonce");
      return opened(ciphertext, (message) => library.crypto_secretbox_open_easy(message, ciphertext, nonce, key));
    },
    box({ secretKey, publicKey, nonce, message }) {
      checkKeys(secretKey, publicKey);
      checkLength(nonce, 24, "a nonce");
      const ciphertext = Buffer.alloc(message.length + 16);
      namingFailure("CRYPTO_KEY_REJECTED", "the public key is of small order", () =>
        library.crypto_box_easy(ciphertext, message, nonce, publicKey, secretKey),
      );
      return ciphertext;
    },
    openBox({ secretKey, publicKey, nonce, ciphertext }) {
      checkKeys(secretKey, publicKey);
      checkLength(nonce, 24, "a nonce");
      return opened(ciphertext, (message) => library.crypto_box_open_easy(message, ciphertext, nonce, publicKey, secretKey));
    },
  };
}

function secrets(library: NativeLibrary): Pick<Sodium, "argon2id" | "memzero"> {
  return {
    async argon2id(options) {
      checkArgon2id(options);
      const key = Buffer.alloc(options.length);
      const { password, salt, operations, memoryBytes } = options;
      await library.crypto_pwhash_async(key, password, salt, operations, memoryBytes, library.crypto_pwhash_ALG_ARGON2ID13);
      return key;
    },
    memzero(secret) {
      library.sodium_memzero(secret);
    },
  };
}

function opened(ciphertext: Uint8Array, open: (message: Uint8Array) => boolean): Uint8Array {
  const reason = "the ciphertext does not authenticate";
  return namingFailure("CRYPTO_DECRYPTION_FAILED", reason, () => {
    const message = Buffer.alloc(ciphertext.length - 16);
    if (!open(message)) throw new Error(reason);
    return message;
  });
}

function checkKeys(secretKey: Uint8Array, publicKey: Uint8Array): void {
  checkLength(secretKey, 32, "a secret key");
  checkLength(publicKey, 32, "a public key");
}
