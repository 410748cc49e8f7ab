import { QuorumgateError } from "#base";

/** @throws {QuorumgateError} CRYPTO_LENGTH_INVALID unless the bytes have the length. */
export function checkLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) throw new QuorumgateError("CRYPTO_LENGTH_INVALID", `${what} has ${length} bytes`);
}

/** Bounds that both builds of Argon2id share. @throws {QuorumgateError} CRYPTO_LENGTH_INVALID */
export function checkArgon2id(options: {
  readonly salt: Uint8Array;
  readonly operations: number;
  readonly memoryBytes: number;
  readonly length: number;
}): void {
  checkLength(options.salt, 16, "a salt");
  const fits = (value: number, min: number, max: number): boolean => Number.isInteger(value) && value >= min && value <= max;
  // A gibibyte is the most that is sensible here; more would let a stored number take the machine down.
  const memoryFits = fits(options.memoryBytes, 8_192, 1_073_741_824) && options.memoryBytes % 1_024 === 0;
  if (!fits(options.operations, 1, 64) || !memoryFits || !fits(options.length, 16, 64)) {
    throw new QuorumgateError("CRYPTO_LENGTH_INVALID", "1 to 64 passes, 8 KiB to 1 GiB of memory, 16 to 64 bytes of output");
  }
}

/** Runs an operation of libsodium that fails for one reason only, and names that reason. */
export function namingFailure<T>(code: "CRYPTO_KEY_REJECTED" | "CRYPTO_DECRYPTION_FAILED", message: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new QuorumgateError(code, message, { cause });
  }
}
