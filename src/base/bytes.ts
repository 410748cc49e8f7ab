import { QuorumgateError } from "./errors.ts";
import type { Hash } from "./ids.ts";

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64_VALUES = valuesOf(BASE64);
const BASE64URL_VALUES = valuesOf(BASE64URL);

/** Joins byte strings into one new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
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
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
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
  return encode64(bytes, BASE64URL);
}

/** Strict unpadded base64url: what `toBase64Url` would not have written is refused. @throws {QuorumgateError} FORMAT_ENCODING_INVALID */
export function fromBase64Url(text: string): Uint8Array {
  return decode64(text, BASE64URL_VALUES);
}

/** Padded base64 (RFC 4648, section 4), as in signed notes. */
export function toBase64(bytes: Uint8Array): string {
  const text = encode64(bytes, BASE64);
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
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
  const out = new Uint8Array(8);
  const view = new DataView(out.buffer);
  view.setUint32(0, Math.floor(value / 0x1_0000_0000));
  view.setUint32(4, value >>> 0);
  return out;
}

function nibble(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  throw encodingError("hexadecimal");
}

function encode64(bytes: Uint8Array, alphabet: string): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += alphabet.charAt(group >> 18) + alphabet.charAt((group >> 12) & 63);
    if (left > 1) text += alphabet.charAt((group >> 6) & 63);
    if (left > 2) text += alphabet.charAt(group & 63);
  }
  return text;
}

function decode64(text: string, values: Int8Array): Uint8Array {
  if (text.length % 4 === 1) throw encodingError("base64");
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let buffer = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (values[code] ?? -1) : -1;
    if (value < 0) throw encodingError("base64");
    buffer = ((buffer << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = (buffer >> bits) & 0xff;
    }
  }
  // Bits left over must be zero, or two texts would decode to the same bytes.
  if ((buffer & ((1 << bits) - 1)) !== 0) throw encodingError("base64");
  return out;
}

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}

function encodingError(encoding: string): QuorumgateError {
  return new QuorumgateError("FORMAT_ENCODING_INVALID", `not strict ${encoding}`);
}
