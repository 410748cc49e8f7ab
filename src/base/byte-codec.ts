import { QuorumgateError } from "./errors.ts";
import { copyBytes } from "./slab.ts";
import { decodeUtf8, UTF8_PER_CODE_UNIT_MAX, writeUtf8 } from "./utf8.ts";

/** Buffers of writers that have finished: making and collecting one costs more than most of what is written into it. */
const idle: Uint8Array[] = [];
const IDLE_MAX = 4;
/** Longer ones are given back. */
const IDLE_BYTES_MAX = 1_048_576;
const FIRST_BYTES = 4_096;
const EMPTY = new Uint8Array(0);

/** Writes the fixed big-endian layouts of votes, records and frames. */
export class ByteWriter {
  #buffer: Uint8Array = idle.pop() ?? new Uint8Array(FIRST_BYTES);
  #length = 0;

  u8(value: number): this {
    checkUnsigned(value, 0xff);
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    checkUnsigned(value, 0xffff);
    this.#reserve(2);
    this.#buffer[this.#length++] = value >>> 8;
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    checkUnsigned(value, 0xffffffff);
    return this.#word(value);
  }

  /** Unsigned 64-bit, restricted to safe integers. */
  u64(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw rangeError();
    this.u32(Math.floor(value / 0x1_0000_0000));
    return this.u32(value >>> 0);
  }

  /** Signed 64-bit in two's complement, restricted to safe integers. */
  i64(value: number): this {
    if (!Number.isSafeInteger(value)) throw rangeError();
    return this.#word(Math.floor(value / 0x1_0000_0000)).#word(value);
  }

  /** Bytes whose length the reader knows. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Bytes behind their length as u32. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Text as UTF-8 behind its length as u32. */
  text(text: string): this {
    const { length } = text;
    this.#reserve(4 + length);
    const buffer = this.#buffer;
    const start = this.#length + 4;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      // Nearly all texts here are ASCII and go straight into the buffer.
      if (code >= 0x80) return this.#anyText(text);
      buffer[start + i] = code;
    }
    this.#word(length);
    this.#length = start + length;
    return this;
  }

  /** A copy of what was written. The writer is of no use afterwards. */
  finish(): Uint8Array {
    const written = copyBytes(this.#buffer, this.#length);
    if (idle.length < IDLE_MAX && this.#buffer.length <= IDLE_BYTES_MAX) idle.push(this.#buffer);
    this.#buffer = EMPTY;
    this.#length = 0;
    return written;
  }

  #anyText(text: string): this {
    this.#reserve(4 + UTF8_PER_CODE_UNIT_MAX * text.length);
    const start = this.#length + 4;
    const end = writeUtf8(text, this.#buffer, start);
    this.#word(end - start);
    this.#length = end;
    return this;
  }

  /** The low 32 bits of a number. */
  #word(value: number): this {
    this.#reserve(4);
    this.#buffer[this.#length++] = value >>> 24;
    this.#buffer[this.#length++] = value >>> 16;
    this.#buffer[this.#length++] = value >>> 8;
    this.#buffer[this.#length++] = value;
    return this;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + count));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

/**
 * Reads what ByteWriter wrote; every length is checked against its bound and the bytes that are there before it is used.
 * @throws {QuorumgateError} FORMAT_TRUNCATED, FORMAT_INTEGER_RANGE or FORMAT_TOO_LARGE
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#byte(this.#take(1));
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#byte(at) << 8) | this.#byte(at + 1);
  }

  u32(): number {
    return this.#word() >>> 0;
  }

  u64(): number {
    const value = this.u32() * 0x1_0000_0000 + this.u32();
    if (!Number.isSafeInteger(value)) throw rangeError();
    return value;
  }

  i64(): number {
    const value = this.#word() * 0x1_0000_0000 + this.u32();
    if (!Number.isSafeInteger(value)) throw rangeError();
    return value;
  }

  /** A view into the source, not a copy. */
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(lengthMax: number): Uint8Array {
    return this.raw(this.count(lengthMax));
  }

  text(lengthMax: number): string {
    return decodeUtf8(this.bytes(lengthMax));
  }

  /** A u32 count that must not exceed its bound. */
  count(max: number): number {
    const count = this.u32();
    if (count > max) throw new QuorumgateError("FORMAT_TOO_LARGE", "a count exceeds its bound", { data: { count, max } });
    return count;
  }

  /** Refuses trailing bytes: two encodings of one value must not exist. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new QuorumgateError("FORMAT_NOT_CANONICAL", "trailing bytes");
  }

  /** Signed. */
  #word(): number {
    const at = this.#take(4);
    return (this.#byte(at) << 24) | (this.#byte(at + 1) << 16) | (this.#byte(at + 2) << 8) | this.#byte(at + 3);
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #take(count: number): number {
    const at = this.#at;
    if (!(count >= 0)) throw rangeError();
    if (count > this.#bytes.length - at) throw new QuorumgateError("FORMAT_TRUNCATED", "bytes end too early");
    this.#at = at + count;
    return at;
  }
}

/** DataView would cut a number that does not fit, and two values would have one encoding. */
function checkUnsigned(value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) throw rangeError();
}

function rangeError(): QuorumgateError {
  return new QuorumgateError("FORMAT_INTEGER_RANGE", "integer outside the safe range");
}
