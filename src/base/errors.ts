import { describeError, type ErrorCode } from "./error-catalogue.ts";

/** What may be attached to an error: small, public, never a secret. */
export type ErrorData = Readonly<Record<string, string | number | boolean>>;

/**
 * Every error that bad input or a failed operation can cause. `code` is API and never changes its meaning;
 * `hint` says what to do. Refusals (denied, pending, unavailable) are values, not errors.
 */
export class QuorumgateError extends Error {
  override readonly name: string = "QuorumgateError";
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, options: { data?: ErrorData; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.data = options.data ?? {};
  }

  /** What the caller can do about it, from the catalogue. */
  get hint(): string {
    return describeError(this.code).hint;
  }

  /** The HTTP status with which the code is answered. */
  get status(): number {
    return describeError(this.code).status;
  }
}

/** What an error says and what it is about: its message, with its data in parentheses. */
export function fullMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const data = error instanceof QuorumgateError ? Object.entries(error.data).map(([name, value]) => `${name}: ${value}`) : [];
  return data.length === 0 ? message : `${message} (${data.join(", ")})`;
}

/**
 * Reads a file's content: what is wrong with it names the file, and where it is the format, `code` says what to do about the file.
 * @throws {QuorumgateError} `code`, and whatever else `read` throws
 */
export function inFile<T>(path: string, code: ErrorCode, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof QuorumgateError) || "path" in cause.data) throw cause;
    const isFormat = cause.code.startsWith("FORMAT_");
    const data = { ...cause.data, path };
    throw new QuorumgateError(isFormat ? code : cause.code, isFormat ? `the file does not read: ${cause.message}` : cause.message, {
      data,
      cause,
    });
  }
}

/** The code of an error, or INTERNAL_ERROR for what is not ours. */
export function errorCode(error: unknown): ErrorCode {
  return error instanceof QuorumgateError ? error.code : "INTERNAL_ERROR";
}
