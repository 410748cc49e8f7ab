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
