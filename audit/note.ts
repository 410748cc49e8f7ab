import { concatBytes, encodeUtf8, fromBase64, fromHex, type Hasher, QuorumgateError, toBase64, toHex } from "#base";

/** Signature types of C2SP signed-note that quorumgate writes: L lines and W lines. */
export const SIGNATURE_TYPE = { ed25519: 0x01, cosignature: 0x04 } as const;

/** See SIGNATURE_TYPE. */
export type SignatureType = (typeof SIGNATURE_TYPE)[keyof typeof SIGNATURE_TYPE];

/** Signature lines that a reader looks at: a full cluster signs twice, and outside witnesses come on top. */
const SIGNATURES_MAX = 256;
/** A note's length: 256 lines of Ed25519 signatures under long names. */
const NOTE_LENGTH_MAX = 131_072;
const DASH = "\u2014";
// Unicode spaces and plus signs may not stand in a name: they separate the parts of lines and of verifier keys.
const NAME = /^[^\s+]{1,1024}$/u;

/** One signature line. */
export interface NoteSignature {
  readonly name: string;
  /** First 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key), as 8 hex characters. */
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** A signed note (C2SP signed-note). The text ends with a newline. */
export interface SignedNote {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A key that signs notes under a name. */
export interface NoteKey {
  readonly name: string;
  readonly type: SignatureType;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** Key id as 8 hex characters: first 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key). */
export function noteKeyId(hasher: Hasher, { name, type, publicKey }: NoteKey): string {
  return toHex(hasher.sha256(concatBytes(encodeUtf8(`${name}\n`), Uint8Array.of(type), publicKey)).subarray(0, 4));
}

/** Verifier key: `name+hex8+base64(type ‖ key)`. */
export function formatVerifierKey(hasher: Hasher, key: NoteKey): string {
  return `${key.name}+${noteKeyId(hasher, key)}+${toBase64(concatBytes(Uint8Array.of(key.type), key.publicKey))}`;
}

/** Reads a verifier key strictly, its id included. @throws {QuorumgateError} VERIFY_MALFORMED */
export function parseVerifierKey(hasher: Hasher, text: string): NoteKey {
  // Base64 has `+` in it, so only the first two separate.
  const first = text.indexOf("+");
  const second = text.indexOf("+", first + 1);
  const bytes = second < 0 ? new Uint8Array(0) : strictBase64(text.slice(second + 1));
  const type = Object.values(SIGNATURE_TYPE).find((known) => known === bytes[0]);
  if (type === undefined || bytes.length !== 33) throw malformed("a verifier key names an Ed25519 key of type 1 or 4");
  const key: NoteKey = { name: text.slice(0, first), type, publicKey: bytes.slice(1) };
  if (!NAME.test(key.name) || noteKeyId(hasher, key) !== text.slice(first + 1, second))
    throw malformed("a verifier key's id does not follow");
  return key;
}

/** `— <name> base64(keyId ‖ signature)\n`. */
export function formatSignatureLine({ name, keyId, signature }: NoteSignature): string {
  return `${DASH} ${name} ${toBase64(concatBytes(fromHex(keyId), signature))}\n`;
}

/** Text, empty line, signature lines. */
export function formatNote(note: SignedNote): string {
  return `${note.text}\n${note.signatures.map(formatSignatureLine).join("")}`;
}

/** Reads a signed note strictly; says nothing of its signatures. @throws {QuorumgateError} VERIFY_MALFORMED */
export function parseNote(note: string): SignedNote {
  if (note.length > NOTE_LENGTH_MAX) throw malformed("the note is too long");
  if (hasControlCharacter(note)) throw malformed("the note holds a control character");
  // The text itself may hold empty lines: the signatures follow the last one.
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n") || split + 2 === note.length) throw malformed("a note is text, an empty line and signature lines");
  const lines = note.slice(split + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) throw malformed("the note has too many signature lines");
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

function parseSignatureLine(line: string): NoteSignature {
  const [dash, name = "", encoded = "", ...rest] = line.split(" ");
  if (dash !== DASH || !NAME.test(name) || rest.length > 0) throw malformed("a signature line is a dash, a name and base64");
  const bytes = strictBase64(encoded);
  if (bytes.length <= 4) throw malformed("a signature line holds a key id and a signature");
  return { name, keyId: toHex(bytes.subarray(0, 4)), signature: bytes.slice(4) };
}

function strictBase64(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new QuorumgateError("VERIFY_MALFORMED", "not strict base64", { cause });
  }
}

function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x0a) || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}

function malformed(reason: string): QuorumgateError {
  return new QuorumgateError("VERIFY_MALFORMED", reason);
}
