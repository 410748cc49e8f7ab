import { QuorumgateError } from "./errors.ts";
import type { Hash } from "./ids.ts";
import { newBytes } from "./slab.ts";
import { decodeUtf8 } from "./utf8.ts";

const HEX_DIGITS = charCodes("0123456789abcdef");
const PADDING = "=".charCodeAt(0);
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64_CODES = charCodes(BASE64);
const BASE64URL_CODES = charCodes(BASE64URL);
const BASE64_VALUES = valuesOf(BASE64);
const BASE64URL_VALUES = valuesOf(BASE64URL);

/** Joins byte strings into one new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = newBytes(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** True when both hold the same bytes. Not constant-time: never for secrets (see HashingUtils.compare). */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** Lowercase hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  const codes = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    codes[2 * i] = HEX_DIGITS[byte >> 4] ?? 0;
    codes[2 * i + 1] = HEX_DIGITS[byte & 15] ?? 0;
  }
  return decodeUtf8(codes);
}

/** Strict lowercase hexadecimal. @throws {QuorumgateError} FORMAT_ENCODING_INVALID */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0) throw encodingError("hexadecimal");
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = (nibble(text.charCodeAt(2 * i)) << 4) | nibble(text.charCodeAt(2 * i + 1));
  return out;
}

/** A 32-byte digest as a branded hash. */
export function toHash(digest: Uint8Array): Hash {
  if (digest.length !== 32) throw new QuorumgateError("FORMAT_HASH_INVALID", "a digest has 32 bytes");
  return toHex(digest) as Hash;
}

/** Unpadded base64url (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return encode64(bytes, BASE64URL_CODES, Math.ceil((bytes.length * 4) / 3));
}

/** Strict unpadded base64url: what `toBase64Url` would not have written is refused. @throws {QuorumgateError} FORMAT_ENCODING_INVALID */
export function fromBase64Url(text: string): Uint8Array {
  return decode64(text, BASE64URL_VALUES);
}

/** Padded base64 (RFC 4648, section 4), as in signed notes. */
export function toBase64(bytes: Uint8Array): string {
  return encode64(bytes, BASE64_CODES, Math.ceil(bytes.length / 3) * 4);
}

/** Strict padded base64. @throws {QuorumgateError} FORMAT_ENCODING_INVALID */
export function fromBase64(text: string): Uint8Array {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if (text.length % 4 !== 0) throw encodingError("base64");
  const bytes = decode64(text.slice(0, text.length - padding), BASE64_VALUES);
  if (bytes.length % 3 !== (3 - padding) % 3) throw encodingError("base64");
  return bytes;
}

/** Big-endian unsigned 64-bit integer of a safe integer. */
export function u64be(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new QuorumgateError("FORMAT_INTEGER_RANGE", "not an unsigned safe integer");
  const high = Math.floor(value / 0x1_0000_0000);
  const out = new Uint8Array(8);
  for (let i = 0; i < 4; i++) {
    out[i] = high >>> (24 - 8 * i);
    out[4 + i] = value >>> (24 - 8 * i);
  }
  return out;
}

function nibble(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  throw encodingError("hexadecimal");
}

/** As many characters as asked for: what the bytes do not fill stays padding. */
function encode64(bytes: Uint8Array, alphabet: Uint8Array, length: number): string {
  const codes = newBytes(length).fill(PADDING);
  let at = 0;
  // Beyond the end of the bytes a group is filled with zeros; characters of zeros alone lie beyond the length or are put back to padding.
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    codes[at] = alphabet[group >> 18] ?? 0;
    codes[at + 1] = alphabet[(group >> 12) & 63] ?? 0;
    codes[at + 2] = alphabet[(group >> 6) & 63] ?? 0;
    codes[at + 3] = alphabet[group & 63] ?? 0;
    at += 4;
  }
  const missing = (3 - (bytes.length % 3)) % 3;
  return decodeUtf8(missing === 0 ? codes : codes.fill(PADDING, at - missing));
}

function decode64(text: string, values: Int8Array): Uint8Array {
  const { length } = text;
  if (length % 4 === 1) throw encodingError("base64");
  const out = newBytes(Math.floor((length * 3) / 4));
  const whole = length - (length % 4);
  let at = 0;
  // Values of characters outside the alphabet are negative, and so is every group that holds one.
  let all = 0;
  for (let i = 0; i < whole; i += 4) {
    const group =
      (valueAt(text, i, values) << 18) |
      (valueAt(text, i + 1, values) << 12) |
      (valueAt(text, i + 2, values) << 6) |
      valueAt(text, i + 3, values);
    all |= group;
    out[at] = group >> 16;
    out[at + 1] = group >> 8;
    out[at + 2] = group;
    at += 3;
  }
  let rest = 0;
  for (let i = whole; i < length; i++) rest = (rest << 6) | valueAt(text, i, values);
  const bits = (6 * (length - whole)) % 8;
  // Bits left over must be zero, or two texts would decode to the same bytes.
  if (all < 0 || rest < 0 || (rest & ((1 << bits) - 1)) !== 0) throw encodingError("base64");
  for (let shift = 6 * (length - whole) - 8; shift >= 0; shift -= 8) out[at++] = rest >> shift;
  return out;
}

/** Negative for a character outside the alphabet. */
function valueAt(text: string, index: number, values: Int8Array): number {
  const code = text.charCodeAt(index);
  return code < 128 ? (values[code] ?? -1) : -1;
}

function charCodes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}

function encodingError(encoding: string): QuorumgateError {
  return new QuorumgateError("FORMAT_ENCODING_INVALID", `not strict ${encoding}`);
}
