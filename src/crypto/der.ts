import { concatBytes, decodeUtf8, encodeUtf8, QuorumgateError } from "#base";

/** Tags of the Distinguished Encoding Rules that X.509 uses here. Source: X.690, section 8. */
export const DER_TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: its tag, its content and the bytes of both with the length between. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly raw: Uint8Array;
}

/** The tag of a context-specific field. Constructed ones hold elements, the others bytes. */
export function contextTag(number: number, form: "constructed" | "primitive"): number {
  return (form === "constructed" ? 0xa0 : 0x80) | number;
}

/** tag ‖ shortest length ‖ content. */
export function derElement(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...parts);
  return concatBytes(Uint8Array.of(tag, ...lengthBytes(content.length)), content);
}

/** A SEQUENCE of elements. */
export function derSequence(...parts: readonly Uint8Array[]): Uint8Array {
  return derElement(DER_TAG.sequence, ...parts);
}

/** A non-negative INTEGER of big-endian bytes, in the fewest bytes that keep it positive. */
export function derInteger(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const shortest = bytes.subarray(from);
  return derElement(DER_TAG.integer, ...((shortest[0] ?? 0) >= 0x80 ? [Uint8Array.of(0), shortest] : [shortest]));
}

/** A BIT STRING; `unusedBits` of the last byte do not count. */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return derElement(DER_TAG.bitString, Uint8Array.of(unusedBits), bytes);
}

/** A UTF8String. */
export function derText(text: string): Uint8Array {
  return derElement(DER_TAG.utf8String, encodeUtf8(text));
}

/** An OBJECT IDENTIFIER in dotted form. */
export function derObjectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return derElement(DER_TAG.objectIdentifier, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** A time in milliseconds since 1970, cut to seconds: UTCTime through 2049, GeneralizedTime after. Source: RFC 5280, section 4.1.2.5. */
export function derTime(timeMs: number): Uint8Array {
  const text = `${new Date(timeMs).toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`;
  const year = Number(text.slice(0, 4));
  return year < 2050 ? derElement(DER_TAG.utcTime, encodeUtf8(text.slice(2))) : derElement(DER_TAG.generalizedTime, encodeUtf8(text));
}

/**
 * Reads the elements of a content one after the other; every length is checked before it is used.
 * Refuses what DER does not write: long forms of short lengths, indefinite lengths, tags of several bytes.
 * @throws {QuorumgateError} FORMAT_TRUNCATED, FORMAT_NOT_CANONICAL, FORMAT_SHAPE_INVALID
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** True when nothing is left. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next element of any tag. */
  any(): DerElement {
    const start = this.#at;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw shape("a tag of one byte was expected");
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) throw new QuorumgateError("FORMAT_TRUNCATED", "an element ends too early");
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { tag, content, raw: this.#bytes.subarray(start, this.#at) };
  }

  /** The next element, which must have the tag. */
  element(tag: number): DerElement {
    const element = this.any();
    if (element.tag !== tag) throw shape(`tag ${tag} was expected`);
    return element;
  }

  /** The next element when it has the tag. */
  optional(tag: number): DerElement | undefined {
    return this.#bytes[this.#at] === tag ? this.any() : undefined;
  }

  /** A reader of the next element's content. */
  inside(tag: number = DER_TAG.sequence): DerReader {
    return new DerReader(this.element(tag).content);
  }

  /** Refuses trailing bytes. */
  end(): void {
    if (!this.done) throw new QuorumgateError("FORMAT_NOT_CANONICAL", "trailing bytes");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new QuorumgateError("FORMAT_TRUNCATED", "bytes end too early");
    this.#at += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw notCanonical("a length has one to three more bytes");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw notCanonical("a length is not in its shortest form");
    return length;
  }
}

/** Dotted form of an OBJECT IDENTIFIER's content. @throws {QuorumgateError} FORMAT_NOT_CANONICAL */
export function readObjectIdentifier(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  let open = false;
  for (const byte of content) {
    if (!open && byte === 0x80) throw notCanonical("an arc begins with a zero");
    arc = arc * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(arc)) throw notCanonical("an arc is too large");
    open = byte >= 0x80;
    if (open) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [head, ...rest] = arcs;
  if (head === undefined || open) throw notCanonical("an object identifier ends too early");
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join(".");
}

/** A BOOLEAN's content: DER knows 0x00 and 0xff only. @throws {QuorumgateError} FORMAT_NOT_CANONICAL */
export function readBoolean(content: Uint8Array): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw notCanonical("not a boolean");
  return content[0] === 0xff;
}

/** Milliseconds since 1970 of a UTCTime or GeneralizedTime in the forms of RFC 5280. @throws {QuorumgateError} FORMAT_NOT_CANONICAL */
export function readTime(element: DerElement): number {
  const text = decodeUtf8(element.content);
  const digits = element.tag === DER_TAG.utcTime ? /^[0-9]{12}Z$/ : element.tag === DER_TAG.generalizedTime ? /^[0-9]{14}Z$/ : /^(?!)/;
  if (!digits.test(text)) throw notCanonical("not a time in the form of RFC 5280");
  // RFC 5280: two digits from 50 on are of the twentieth century.
  const full = element.tag === DER_TAG.utcTime ? `${Number(text.slice(0, 2)) >= 50 ? "19" : "20"}${text}` : text;
  const iso = `${full.slice(0, 4)}-${full.slice(4, 6)}-${full.slice(6, 8)}T${full.slice(8, 10)}:${full.slice(10, 12)}:${full.slice(12, 14)}.000Z`;
  const timeMs = Date.parse(iso);
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== iso) throw notCanonical("no such time");
  return timeMs;
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(arc: number): readonly number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}

function notCanonical(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_NOT_CANONICAL", `not DER: ${reason}`);
}

function shape(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_SHAPE_INVALID", `not the expected DER: ${reason}`);
}
