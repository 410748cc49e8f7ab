import { QuorumgateError } from "./errors.ts";
import { decodeUtf8 } from "./utf8.ts";

/** A JSON value as of RFC 8259. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * Parses strict UTF-8 JSON of any shape. A byte order mark is refused.
 * For signed or hashed bytes use `parseCanonical`, which refuses much more.
 * @throws {QuorumgateError} FORMAT_UTF8_INVALID, FORMAT_JSON_INVALID
 */
export function parseJson(bytes: Uint8Array): JsonValue {
  return parseJsonText(decodeUtf8(bytes));
}

/** The same of a text. @throws {QuorumgateError} FORMAT_JSON_INVALID */
export function parseJsonText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new QuorumgateError("FORMAT_JSON_INVALID", "not a JSON text", { cause });
  }
}
