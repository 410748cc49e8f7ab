import { QuorumgateError } from "./errors.ts";
import { type JsonValue, parseJsonText } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { decodeUtf8, encodeUtf8, isWellFormed } from "./utf8.ts";

/** A value that the canonical encoding can carry: JSON without null and fractions. */
export type CanonicalValue = boolean | number | string | readonly CanonicalValue[] | CanonicalObject;

/** An object of the canonical encoding. Absent fields are absent, never null. */
export interface CanonicalObject {
  readonly [key: string]: CanonicalValue;
}

interface Profile {
  readonly restricted: boolean;
  readonly depthMax: number;
}

const RESTRICTED: Profile = { restricted: true, depthMax: LIMITS.canonicalDepthMax };
const UNRESTRICTED: Profile = { restricted: false, depthMax: 1_000 };

/** Characters that a JSON string may hold as they are; anything else goes through the slow path. */
const PLAIN_STRING = /^[ !#-[\]-~]*$/;

/**
 * Encodes a value in the one encoding that is hashed and signed: RFC 8785 restricted to integers within ±(2^53−1),
 * without null, `__proto__`, lone surrogates or nesting beyond 16.
 * @throws {QuorumgateError} FORMAT_NOT_CANONICAL, FORMAT_TOO_DEEP
 */
export function encodeCanonical(value: CanonicalValue): Uint8Array {
  return encodeUtf8(write(value, RESTRICTED, 0));
}

/** The same as text. @throws {QuorumgateError} FORMAT_NOT_CANONICAL, FORMAT_TOO_DEEP */
export function encodeCanonicalText(value: CanonicalValue): string {
  return write(value, RESTRICTED, 0);
}

/**
 * Unrestricted RFC 8785, for what must carry fractions or null and is only ever digested.
 * @throws {QuorumgateError} FORMAT_NOT_CANONICAL for NaN, infinities and lone surrogates
 */
export function encodeJcs(value: JsonValue): Uint8Array {
  return encodeUtf8(write(value, UNRESTRICTED, 0));
}

/**
 * Reads canonical bytes and refuses any that `encodeCanonical` would not have written.
 * @throws {QuorumgateError} FORMAT_UTF8_INVALID, FORMAT_JSON_INVALID, FORMAT_NOT_CANONICAL, FORMAT_TOO_DEEP
 */
export function parseCanonical(bytes: Uint8Array): CanonicalValue {
  const text = decodeUtf8(bytes);
  const value = parseJsonText(text) as CanonicalValue;
  // Writing it again catches duplicate keys, order, spacing, escapes, exponents and minus zero at once. Strict UTF-8 has one form
  // for each text, so that equal texts are equal bytes.
  if (encodeCanonicalText(value) !== text) throw notCanonical("the bytes are not what the encoder writes");
  return value;
}

/** Reads canonical bytes that must hold an object. */
export function parseCanonicalObject(bytes: Uint8Array): CanonicalObject {
  const value = parseCanonical(bytes);
  if (!isObject(value)) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "an object was expected");
  return value;
}

/** True for an object that is neither null nor an array. */
export function isObject(value: JsonValue | CanonicalValue | undefined): value is CanonicalObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function write(value: JsonValue, profile: Profile, depth: number): string {
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      return writeNumber(value, profile);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      return writeComposite(value, profile, depth + 1);
    default:
      throw notCanonical(`a ${typeof value} has no encoding`);
  }
}

function writeComposite(value: JsonValue & (object | null), profile: Profile, depth: number): string {
  if (value === null) {
    if (profile.restricted) throw notCanonical("null has no encoding: leave the field out");
    return "null";
  }
  if (depth > profile.depthMax) throw new QuorumgateError("FORMAT_TOO_DEEP", "the value is nested too deeply");
  if (Array.isArray(value)) {
    let items = "";
    for (const item of value as readonly JsonValue[]) items += (items === "" ? "" : ",") + write(item, profile, depth);
    return `[${items}]`;
  }
  const object = value as { readonly [key: string]: JsonValue | undefined };
  let fields = "";
  // The default order compares UTF-16 code units, as RFC 8785, section 3.2.3 asks.
  for (const key of Object.keys(object).sort()) {
    const field = object[key];
    if (field === undefined) continue;
    if (key === "__proto__") throw notCanonical("the key __proto__ is refused");
    fields += `${fields === "" ? "" : ","}${writeString(key)}:${write(field, profile, depth)}`;
  }
  return `{${fields}}`;
}

function writeString(text: string): string {
  if (PLAIN_STRING.test(text)) return `"${text}"`;
  if (!isWellFormed(text)) throw notCanonical("lone surrogate");
  return JSON.stringify(text);
}

function writeNumber(value: number, profile: Profile): string {
  if (!Number.isFinite(value)) throw notCanonical("not a finite number");
  if (profile.restricted && !Number.isSafeInteger(value)) throw notCanonical("numbers are integers within ±(2^53−1)");
  return Object.is(value, -0) ? "0" : String(value);
}

function notCanonical(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_NOT_CANONICAL", reason);
}
