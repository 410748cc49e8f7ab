import {
  type CanonicalObject,
  type EntryDraft,
  encodeJcs,
  encodeUtf8,
  type Hash,
  type Hasher,
  invariant,
  type JsonValue,
  LIMITS,
  QuorumgateError,
  toHash,
} from "#base";
import { DELEGATION_MAX, ENTRY_TEXT_MAX, type EntryBlock, type EntryPlace, encodeEntry } from "./entry.ts";
import { REPLACEABLE, withheldMark } from "./withheld.ts";

/** Bytes that an entry names by their hash: `objects/<sha256>` of an export. */
export interface WithheldObject {
  readonly hash: Hash;
  readonly bytes: Uint8Array;
}

/** An encoded entry and what did not fit into it. */
export interface FittedEntry {
  readonly bytes: Uint8Array;
  readonly objects: readonly WithheldObject[];
}

/**
 * Encodes an entry and never refuses one: a command was ordered already, and a log that throws here would stop every replica at once.
 *
 * What would not fit into 65,535 bytes, or is nested too deeply, is replaced field by field by `{withheld: {bytes, sha256}}`, and its bytes
 * (RFC 8785) are stored beside the log. A pure function of the draft, so all replicas write the same entry.
 */
export function encodeFitted(hasher: Hasher, draft: EntryDraft, block: EntryBlock, place: EntryPlace): FittedEntry {
  let candidate = withBoundedTexts(hasher, draft);
  const objects: WithheldObject[] = [];
  for (const field of [undefined, ...REPLACEABLE]) {
    const value = field === undefined ? undefined : candidate[field];
    if (field !== undefined && value !== undefined) {
      const object = withhold(hasher, value);
      objects.push(object);
      candidate = { ...candidate, [field]: withheldMark({ bytes: object.bytes.length, hash: object.hash }) };
    }
    const bytes = tryEncode(candidate, block, place);
    if (bytes !== undefined) return { bytes, objects };
  }
  invariant(false, "an entry of bounded fields fits");
}

function tryEncode(draft: EntryDraft, block: EntryBlock, place: EntryPlace): Uint8Array | undefined {
  try {
    const bytes = encodeEntry(draft, block, place);
    return bytes.length <= LIMITS.entryBytesMax ? bytes : undefined;
  } catch (error) {
    if (error instanceof QuorumgateError && error.code === "FORMAT_TOO_DEEP") return undefined;
    throw error;
  }
}

function withhold(hasher: Hasher, value: CanonicalObject): WithheldObject {
  const bytes = encodeJcs(value as JsonValue);
  return { hash: toHash(hasher.sha256(bytes)), bytes };
}

function withBoundedTexts(hasher: Hasher, draft: EntryDraft): EntryDraft {
  const { actor, subject, session, delegation } = draft;
  invariant(delegation.length <= DELEGATION_MAX, "a delegation chain has at most 16 tokens");
  if (actor.length <= ENTRY_TEXT_MAX && subject.length <= ENTRY_TEXT_MAX && (session?.length ?? 0) <= ENTRY_TEXT_MAX) return draft;
  const bounded = (text: string): string => (text.length <= ENTRY_TEXT_MAX ? text : `sha256:${toHash(hasher.sha256(encodeUtf8(text)))}`);
  return { ...draft, actor: bounded(actor), subject: bounded(subject), ...(session === undefined ? {} : { session: bounded(session) }) };
}
