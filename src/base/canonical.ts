import { QuorumgateError } from "./errors.ts";
import { type JsonValue, parseJsonText } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { copyBytes } from "./slab.ts";
import { decodeUtf8, isWellFormed, UTF8_PER_CODE_UNIT_MAX, writeUtf8 } from "./utf8.ts";

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

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Writes canonical values one after the other into bytes. It is used again and again: what is encoded leaves no garbage but its result.
 * Every encoding of the formats goes through here.
 */
export class CanonicalWriter {
  readonly #profile: Profile;
  #bytes = new Uint8Array(4_096);
  #at = 0;

  constructor(profile: Profile = RESTRICTED) {
    this.#profile = profile;
  }

  /** Forgets what was written, also by a call that threw. */
  start(): this {
    this.#at = 0;
    return this;
  }

  /** ASCII that stands in the encoding as it is: punctuation, names of fields, texts without anything to escape. */
  ascii(text: string): this {
    const { length } = text;
    this.#reserve(length);
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i);
    this.#at = at;
    return this;
  }

  /**
   * A value, `depth` levels inside the outermost.
   * @throws {QuorumgateError} FORMAT_NOT_CANONICAL, FORMAT_TOO_DEEP
   */
  value(value: JsonValue, depth = 0): this {
    switch (typeof value) {
      case "string":
        return this.#string(value);
      case "number":
        return this.ascii(numberText(value, this.#profile));
      case "boolean":
        return this.ascii(value ? "true" : "false");
      case "object":
        return this.#composite(value, depth + 1);
      default:
        throw notCanonical(`a ${typeof value} has no encoding`);
    }
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return copyBytes(this.#bytes, this.#at);
  }

  /** True when exactly these bytes were written. */
  equals(bytes: Uint8Array): boolean {
    if (bytes.length !== this.#at) return false;
    const written = this.#bytes;
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== written[i]) return false;
    return true;
  }

  #composite(value: JsonValue & (object | null), depth: number): this {
    if (value === null) {
      if (this.#profile.restricted) throw notCanonical("null has no encoding: leave the field out");
      return this.ascii("null");
    }
    if (depth > this.#profile.depthMax) throw new QuorumgateError("FORMAT_TOO_DEEP", "the value is nested too deeply");
    if (!Array.isArray(value)) return this.#object(value as { readonly [key: string]: JsonValue | undefined }, depth);
    this.ascii("[");
    let first = true;
    for (const item of value as readonly JsonValue[]) {
      if (!first) this.#byte(COMMA);
      first = false;
      this.value(item, depth);
    }
    return this.ascii("]");
  }

  #object(object: { readonly [key: string]: JsonValue | undefined }, depth: number): this {
    this.ascii("{");
    let first = true;
    for (const key of sortedKeys(object)) {
      const field = object[key];
      if (field === undefined) continue;
      if (key === "__proto__") throw notCanonical("the key __proto__ is refused");
      if (!first) this.#byte(COMMA);
      first = false;
      this.#string(key).#byte(COLON);
      this.value(field, depth);
    }
    return this.ascii("}");
  }

  #string(text: string): this {
    const { length } = text;
    this.#reserve(length + 2);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) return this.#escaped(text);
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.#at = at;
    return this;
  }

  #escaped(text: string): this {
    if (!isWellFormed(text)) throw notCanonical("lone surrogate");
    const quoted = JSON.stringify(text);
    this.#reserve(UTF8_PER_CODE_UNIT_MAX * quoted.length);
    this.#at = writeUtf8(quoted, this.#bytes, this.#at);
    return this;
  }

  #byte(code: number): this {
    this.#reserve(1);
    this.#bytes[this.#at++] = code;
    return this;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + count));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

const canonical: CanonicalWriter = new CanonicalWriter();

/**
 * Encodes a value in the one encoding that is hashed and signed: RFC 8785 restricted to integers within ±(2^53−1),
 * without null, `__proto__`, lone surrogates or nesting beyond 16.
 * @throws {QuorumgateError} FORMAT_NOT_CANONICAL, FORMAT_TOO_DEEP
 */
export function encodeCanonical(value: CanonicalValue): Uint8Array {
  return canonical.start().value(value).finish();
}

/**
 * Unrestricted RFC 8785, for what must carry fractions or null and is only ever digested.
 * @throws {QuorumgateError} FORMAT_NOT_CANONICAL for NaN, infinities and lone surrogates
 */
export function encodeJcs(value: JsonValue): Uint8Array {
  return new CanonicalWriter(UNRESTRICTED).value(value).finish();
}

/**
 * Reads canonical bytes and refuses any that `encodeCanonical` would not have written.
 * @throws {QuorumgateError} FORMAT_UTF8_INVALID, FORMAT_JSON_INVALID, FORMAT_NOT_CANONICAL, FORMAT_TOO_DEEP
 */
export function parseCanonical(bytes: Uint8Array): CanonicalValue {
  const value = parseJsonText(decodeUtf8(bytes)) as CanonicalValue;
  // Writing it again catches duplicate keys, order, spacing, escapes, exponents and minus zero at once.
  if (matchValue(value, bytes, 0, 1) === bytes.length) return value;
  if (!canonical.start().value(value).equals(bytes)) throw notCanonical("the bytes are not what the encoder writes");
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

/** More keys than records of this project have are sorted by the runtime. */
const SHORT = 32;

/** By UTF-16 code unit, as RFC 8785, section 3.2.3 asks. By insertion, because a call of `sort` allocates; what was read is in order already. */
function sortedKeys(object: object): readonly string[] {
  const keys = Object.keys(object);
  if (keys.length > SHORT) return keys.sort();
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] ?? "";
    let at = i;
    for (; at > 0 && (keys[at - 1] ?? "") > key; at--) keys[at] = keys[at - 1] ?? "";
    keys[at] = key;
  }
  return keys;
}

/**
 * Where the value's encoding ends when it stands in the bytes from `at` on; -1 when it does not, or when only the writer can tell: what is not
 * ASCII, is escaped, or is wrong. Compares without writing, because everything that is read is compared.
 */
function matchValue(value: CanonicalValue, bytes: Uint8Array, at: number, depth: number): number {
  if (typeof value === "string") return matchString(value, bytes, at);
  if (typeof value === "number") return Number.isSafeInteger(value) ? matchAscii(String(value), bytes, at) : -1;
  if (typeof value === "boolean") return matchAscii(value ? "true" : "false", bytes, at);
  if (value === null || depth > LIMITS.canonicalDepthMax) return -1;
  return Array.isArray(value) ? matchArray(value, bytes, at, depth) : matchObject(value as CanonicalObject, bytes, at, depth);
}

function matchArray(items: readonly CanonicalValue[], bytes: Uint8Array, at: number, depth: number): number {
  if (bytes[at] !== OPEN_BRACKET) return -1;
  let end = at + 1;
  for (let i = 0; i < items.length; i++) {
    if (i > 0 && bytes[end++] !== COMMA) return -1;
    end = matchValue(items[i] ?? false, bytes, end, depth + 1);
    if (end < 0) return -1;
  }
  return bytes[end] === CLOSE_BRACKET ? end + 1 : -1;
}

function matchObject(object: CanonicalObject, bytes: Uint8Array, at: number, depth: number): number {
  if (bytes[at] !== OPEN_BRACE) return -1;
  let end = at + 1;
  let previous: string | undefined;
  for (const key of Object.keys(object)) {
    const field = object[key];
    if (field === undefined || key === "__proto__" || (previous !== undefined && previous >= key)) return -1;
    if (previous !== undefined && bytes[end++] !== COMMA) return -1;
    previous = key;
    end = matchString(key, bytes, end);
    if (end < 0 || bytes[end] !== COLON) return -1;
    end = matchValue(field, bytes, end + 1, depth + 1);
    if (end < 0) return -1;
  }
  return bytes[end] === CLOSE_BRACE ? end + 1 : -1;
}

function matchString(text: string, bytes: Uint8Array, at: number): number {
  const { length } = text;
  if (bytes[at] !== QUOTE || bytes[at + length + 1] !== QUOTE) return -1;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (bytes[at + 1 + i] !== code || code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) return -1;
  }
  return at + length + 2;
}

function matchAscii(text: string, bytes: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return -1;
  return at + text.length;
}

function numberText(value: number, profile: Profile): string {
  if (!Number.isFinite(value)) throw notCanonical("not a finite number");
  if (profile.restricted && !Number.isSafeInteger(value)) throw notCanonical("numbers are integers within ±(2^53−1)");
  return Object.is(value, -0) ? "0" : String(value);
}

function notCanonical(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_NOT_CANONICAL", reason);
}
