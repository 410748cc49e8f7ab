import { QuorumgateError } from "./errors.ts";
import { newBytes } from "./slab.ts";

interface Utf8Decoder {
  decode(bytes: Uint8Array): string;
}

/**
 * The runtime's strict decoder where it has one (Node and browsers do): ten times as fast on what the log and the wire carry. It takes and
 * refuses what the decoder below does, which stays for runtimes without one and says where the bytes are wrong.
 */
const NATIVE: Utf8Decoder | undefined = nativeDecoder();

/**
 * Encodes well-formed UTF-16 as UTF-8.
 * @throws {QuorumgateError} FORMAT_NOT_CANONICAL for a lone surrogate
 */
export function encodeUtf8(text: string): Uint8Array {
  return encodeAscii(text) ?? encodeAny(text);
}

/** Most of what is encoded is ASCII: one pass, and no counting before. */
function encodeAscii(text: string): Uint8Array | undefined {
  const out = newBytes(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return undefined;
    out[i] = code;
  }
  return out;
}

function encodeAny(text: string): Uint8Array {
  const out = newBytes(utf8Length(text));
  writeUtf8(text, out, 0);
  return out;
}

/** A UTF-16 unit takes three bytes at most; the two of a pair take four together. */
export const UTF8_PER_CODE_UNIT_MAX = 3;

/**
 * Writes a text's UTF-8 from `start` on, where there has to be room for it. Returns where it ends.
 * @throws {QuorumgateError} FORMAT_NOT_CANONICAL for a lone surrogate
 */
export function writeUtf8(text: string, out: Uint8Array, start: number): number {
  let at = start;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      out[at++] = code;
      continue;
    }
    if (code < 0x800) {
      out[at++] = 0xc0 | (code >> 6);
    } else {
      if (isSurrogate(code)) code = joinSurrogates(code, text.charCodeAt(++i));
      if (code < 0x10000) {
        out[at++] = 0xe0 | (code >> 12);
      } else {
        out[at++] = 0xf0 | (code >> 18);
        out[at++] = 0x80 | ((code >> 12) & 0x3f);
      }
      out[at++] = 0x80 | ((code >> 6) & 0x3f);
    }
    out[at++] = 0x80 | (code & 0x3f);
  }
  return at;
}

/** Number of UTF-8 bytes of a text; a lone surrogate counts as three. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    length += code < 0x800 ? 1 : 2;
    // A pair of surrogates has four bytes in all; its second half adds nothing more.
    if (code >= 0xd800 && code <= 0xdbff && isLowSurrogate(text.charCodeAt(i + 1))) i++;
  }
  return length;
}

/**
 * Decodes strict UTF-8: overlong forms, surrogates, values above U+10FFFF and cut sequences are refused.
 *
 * Source: RFC 3629, section 4.
 * @throws {QuorumgateError} FORMAT_UTF8_INVALID
 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (NATIVE === undefined) return decodePortable(bytes);
  try {
    return NATIVE.decode(bytes);
  } catch {
    return decodePortable(bytes);
  }
}

/** `decodeUtf8` without help of the runtime. @throws {QuorumgateError} FORMAT_UTF8_INVALID with the offset */
export function decodePortable(bytes: Uint8Array): string {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const end = asciiEnd(bytes, at);
    // Most of what is read is ASCII: one call for a run of it takes half the time of one for each byte.
    if (end > at) text += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, end));
    at = end;
    if (at < bytes.length && (bytes[at] ?? 0) >= 0x80) {
      const { code, size } = decodeSequence(bytes, at);
      text += String.fromCodePoint(code);
      at += size;
    }
  }
  return text;
}

/** Where a run of ASCII ends; after 4,096 bytes at the latest, because arguments go over the stack. */
function asciiEnd(bytes: Uint8Array, start: number): number {
  const endMax = Math.min(bytes.length, start + 4_096);
  let at = start;
  while (at < endMax && (bytes[at] ?? 0) < 0x80) at++;
  return at;
}

function decodeSequence(bytes: Uint8Array, at: number): { code: number; size: number } {
  const first = bytes[at] ?? 0;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > bytes.length) throw invalidUtf8(at);
  let code = first & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) {
    const next = bytes[at + i] ?? 0;
    if ((next & 0xc0) !== 0x80) throw invalidUtf8(at + i);
    code = (code << 6) | (next & 0x3f);
  }
  const overlong = (size === 3 && code < 0x800) || (size === 4 && code < 0x10000);
  if (overlong || code > 0x10ffff || isSurrogate(code)) throw invalidUtf8(at);
  return { code, size };
}

/** True when every surrogate of the text has its partner. */
export function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!isSurrogate(code)) continue;
    if (code >= 0xdc00) return false;
    if (!isLowSurrogate(text.charCodeAt(++i))) return false;
  }
  return true;
}

/** Pure rooms are compiled without the runtime's names: what is there is looked up by hand. */
function nativeDecoder(): Utf8Decoder | undefined {
  const { TextDecoder } = globalThis as {
    TextDecoder?: new (label: string, options: { fatal: boolean; ignoreBOM: boolean }) => Utf8Decoder;
  };
  return TextDecoder === undefined ? undefined : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

function joinSurrogates(high: number, low: number): number {
  if (high >= 0xdc00 || !isLowSurrogate(low)) throw new QuorumgateError("FORMAT_NOT_CANONICAL", "lone surrogate");
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

function invalidUtf8(offset: number): QuorumgateError {
  return new QuorumgateError("FORMAT_UTF8_INVALID", "not strict UTF-8", { data: { offset } });
}
