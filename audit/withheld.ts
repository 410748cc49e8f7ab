import {
  type CanonicalObject,
  decodeUtf8,
  type EntryDraft,
  type Hash,
  type Hasher,
  isObject,
  parseHash,
  parseJson,
  QuorumgateError,
  toHash,
} from "#base";
import { parseEntry } from "./entry.ts";
import { LOG_KEYS, type StoreReader } from "./log-store.ts";

/** Fields of an entry without a bound of their own, in the order in which they make room. */
export const REPLACEABLE = ["content", "capability", "personal"] as const;

type Replaceable = Pick<EntryDraft, (typeof REPLACEABLE)[number]>;

/** A field that was replaced for want of room, and what it names: the bytes (RFC 8785) that stand beside the log. */
export interface Withheld {
  readonly field: (typeof REPLACEABLE)[number];
  readonly bytes: number;
  readonly hash: Hash;
}

/** What stands in an entry in the place of a field that did not fit. */
export function withheldMark({ bytes, hash }: Omit<Withheld, "field">): CanonicalObject {
  return { withheld: { bytes, sha256: hash } };
}

/** The fields of an entry that did not fit. No draft's field looks like that by itself: each holds other names beside. */
export function withheldIn(entry: Replaceable): readonly Withheld[] {
  return REPLACEABLE.flatMap((field) => {
    const value = entry[field];
    const named = value === undefined || Object.keys(value).join() !== "withheld" ? undefined : readMark(value["withheld"]);
    return named === undefined ? [] : [{ field, ...named }];
  });
}

/** The bytes that a stored entry names, in the order of `withheldIn`. @throws {QuorumgateError} STORAGE_CORRUPT and format errors */
export function objectsOf(entry: Uint8Array, read: StoreReader): Uint8Array[] {
  // Nearly all name none, and a look at the text costs a tenth of reading it.
  if (!decodeUtf8(entry).includes('{"withheld":{')) return [];
  return withheldIn(parseEntry(entry)).map(({ hash }) => storedObject(hash, read));
}

/** The entry with all that its draft said. @throws {QuorumgateError} STORAGE_CORRUPT */
export function wholeEntry<T extends Replaceable>(entry: T, read: StoreReader): T {
  const fields = withheldIn(entry).map(({ field, hash }) => [field, parseStored(storedObject(hash, read))] as const);
  return fields.length === 0 ? entry : { ...entry, ...Object.fromEntries(fields) };
}

/** Whether these are the bytes that an entry names. */
export function isNamed(hasher: Hasher, { bytes, hash }: Withheld, object: Uint8Array): boolean {
  return object.length === bytes && toHash(hasher.sha256(object)) === hash;
}

function readMark(mark: CanonicalObject[string] | undefined): Omit<Withheld, "field"> | undefined {
  if (!isObject(mark) || Object.keys(mark).sort().join() !== "bytes,sha256") return undefined;
  const { bytes, sha256 } = mark;
  if (typeof bytes !== "number" || typeof sha256 !== "string") return undefined;
  return { bytes, hash: parseHash(sha256) };
}

function storedObject(hash: Hash, read: StoreReader): Uint8Array {
  const object = read(LOG_KEYS.object(hash));
  if (object === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "bytes that an entry names are missing");
  return object;
}

function parseStored(object: Uint8Array): CanonicalObject {
  try {
    return parseJson(object) as CanonicalObject;
  } catch (cause) {
    throw new QuorumgateError("STORAGE_CORRUPT", "bytes that an entry names do not read", { cause });
  }
}
