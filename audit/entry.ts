import {
  type CanonicalObject,
  CanonicalWriter,
  type EntryDraft,
  type EntryKind,
  FieldReader,
  type Hash,
  LIMITS,
  type NodeId,
  parseCanonicalObject,
  parseHash,
  parseNodeId,
  QuorumgateError,
} from "#base";

const MAX = Number.MAX_SAFE_INTEGER;
/** Longest actor, subject or session: registered ids have at most 128 characters, SPIFFE paths are hashed. */
export const ENTRY_TEXT_MAX = 256;
/** Tokens in a delegation chain (FORMATS, Audit entry). */
export const DELEGATION_MAX = 16;

const KINDS: ReadonlySet<string> = new Set<EntryKind>([
  "decision",
  "registration",
  "revocation",
  "grant",
  "delegation",
  "policy",
  "approval",
  "session",
  "membership",
  "emergency",
  "evidence",
  "log.start",
  "log.read",
  "log.export",
  "log.verify",
  "log.anchor",
  "log.heartbeat",
  "privacy.erased",
  "block.sealed",
]);
const PROVENANCES = ["signed", "asserted", "cluster"] as const;
const DECISIONS = ["allowed", "denied"] as const;
const REASON = /^[A-Z][A-Z0-9_]{1,63}$/;
const writer: CanonicalWriter = new CanonicalWriter();
const ALGORITHM = /^[a-z][a-z0-9-]{0,31}$/;

/** What an entry takes from its block's header. Nothing here comes from a certificate: honest nodes hold different ones. */
export interface EntryBlock {
  readonly height: number;
  /** Agreed time, microseconds since 1970. */
  readonly timeUs: number;
  readonly proposer: NodeId;
  /** Digest of the header. */
  readonly digest: Hash;
  readonly originView: number;
  readonly algorithm: string;
}

/** Where an entry stands in the log. */
export interface EntryPlace {
  /** Global, over all shards; the first entry of a cluster has 0. */
  readonly seq: number;
  /** SHA-256 of the previous entry's bytes; zeros for the first. */
  readonly previousHash: Hash;
}

/** An audit entry as read back (FORMATS, Audit entry). `reason` is a code of the writer's catalogue, which may be newer than ours. */
export interface AuditEntry extends Omit<EntryDraft, "reason">, EntryPlace {
  readonly block: EntryBlock;
  readonly reason: string;
}

/**
 * Canonical bytes of an entry: the leaf of the log. Written field by field in the order of the canonical encoding, because this runs for
 * every entry on every replica; a test holds it equal to the general encoder.
 * @throws {QuorumgateError} FORMAT_NOT_CANONICAL, FORMAT_TOO_DEEP for values that no entry can carry
 */
export function encodeEntry(draft: EntryDraft, block: EntryBlock, place: EntryPlace): Uint8Array {
  // Values stand inside the entry's own object: one level deeper than they are by themselves.
  writer.start().ascii('{"actor":').value(draft.actor);
  if (draft.capability !== undefined) writer.ascii(',"capability":').value(draft.capability, 1);
  if (draft.command !== undefined) writer.ascii(',"command":"').ascii(draft.command).ascii('"');
  writer.ascii(`,"consensus":{"algorithm":"${block.algorithm}","digest":"${block.digest}","originView":${block.originView}}`);
  writer.ascii(',"content":').value(draft.content, 1);
  if (draft.decision !== undefined) writer.ascii(`,"decision":"${draft.decision}"`);
  writer.ascii(',"delegation":').value(draft.delegation, 1);
  writer.ascii(`,"height":${block.height},"kind":"${draft.kind}","node":"${block.proposer}"`);
  if (draft.personal !== undefined) writer.ascii(',"personal":').value(draft.personal, 1);
  if (draft.policy !== undefined) writer.ascii(`,"policy":"${draft.policy}"`);
  writer.ascii(',"previousHash":"').ascii(place.previousHash);
  writer.ascii(`","provenance":"${draft.provenance}","reason":"${draft.reason}","seq":${place.seq}`);
  if (draft.session !== undefined) writer.ascii(',"session":').value(draft.session);
  return writer.ascii(',"subject":').value(draft.subject).ascii(`,"time":"${block.timeUs}","v":1}`).finish();
}

/** The same entry as a canonical value, for views and for the test of `encodeEntry`. */
export function entryToCanonical(entry: AuditEntry): CanonicalObject {
  const { block } = entry;
  return {
    v: 1,
    kind: entry.kind,
    seq: entry.seq,
    height: block.height,
    time: String(block.timeUs),
    node: block.proposer,
    provenance: entry.provenance,
    ...(entry.command === undefined ? {} : { command: entry.command }),
    actor: entry.actor,
    subject: entry.subject,
    ...(entry.session === undefined ? {} : { session: entry.session }),
    ...(entry.capability === undefined ? {} : { capability: entry.capability }),
    ...(entry.decision === undefined ? {} : { decision: entry.decision }),
    reason: entry.reason,
    ...(entry.policy === undefined ? {} : { policy: entry.policy }),
    delegation: [...entry.delegation],
    consensus: { algorithm: block.algorithm, originView: block.originView, digest: block.digest },
    content: entry.content,
    ...(entry.personal === undefined ? {} : { personal: entry.personal }),
    previousHash: entry.previousHash,
  };
}

/**
 * Reads entry bytes: canonical, every field of its type and bound, none unknown.
 * @throws {QuorumgateError} AUDIT_ENTRY_TOO_LARGE and format errors
 */
export function parseEntry(bytes: Uint8Array): AuditEntry {
  if (bytes.length > LIMITS.entryBytesMax) throw new QuorumgateError("AUDIT_ENTRY_TOO_LARGE", "an entry has at most 65,535 bytes");
  const reader = new FieldReader(parseCanonicalObject(bytes), "entry");
  reader.integer("v", { min: 1, max: 1 });
  const provenance = oneOf(reader.text("provenance"), PROVENANCES);
  // What somebody asked for names the bytes in which it was asked; what the cluster writes of itself may.
  const command = provenance !== "cluster" || reader.has("command") ? { command: parseHash(reader.text("command")) } : {};
  const entry: AuditEntry = {
    kind: kindOf(reader.text("kind")),
    seq: reader.integer("seq", { min: 0, max: MAX }),
    provenance,
    ...command,
    actor: reader.text("actor", ENTRY_TEXT_MAX),
    subject: reader.text("subject", ENTRY_TEXT_MAX),
    ...optional(reader, "session", () => reader.text("session", ENTRY_TEXT_MAX)),
    ...optional(reader, "capability", () => objectOf(reader, "capability")),
    ...optional(reader, "decision", () => oneOf(reader.text("decision"), DECISIONS)),
    reason: matching(reader.text("reason"), REASON, "reason"),
    ...optional(reader, "policy", () => parseHash(reader.text("policy"))),
    delegation: reader.texts("delegation", { countMax: DELEGATION_MAX, lengthMax: 64 }).map(parseHash),
    content: objectOf(reader, "content"),
    ...optional(reader, "personal", () => objectOf(reader, "personal")),
    previousHash: parseHash(reader.text("previousHash")),
    block: blockOf(reader),
  };
  reader.end();
  return entry;
}

function blockOf(reader: FieldReader): EntryBlock {
  const consensus = reader.object("consensus");
  const block: EntryBlock = {
    height: reader.integer("height", { min: 1, max: MAX }),
    timeUs: reader.decimal("time"),
    proposer: parseNodeId(reader.text("node")),
    digest: parseHash(consensus.text("digest")),
    originView: consensus.integer("originView", { min: 0, max: MAX }),
    algorithm: matching(consensus.text("algorithm"), ALGORITHM, "consensus.algorithm"),
  };
  consensus.end();
  return block;
}

function optional<Name extends string, T>(reader: FieldReader, name: Name, read: () => T): { [key in Name]?: T } {
  return reader.has(name) ? ({ [name]: read() } as { [key in Name]?: T }) : {};
}

function objectOf(reader: FieldReader, name: string): CanonicalObject {
  reader.object(name);
  return reader.value(name) as CanonicalObject;
}

function kindOf(text: string): EntryKind {
  if (!KINDS.has(text)) throw shapeError("kind");
  return text as EntryKind;
}

function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === text);
  if (found === undefined) throw shapeError(allowed.join(" or "));
  return found;
}

function matching(text: string, pattern: RegExp, field: string): string {
  if (!pattern.test(text)) throw shapeError(field);
  return text;
}

function shapeError(what: string): QuorumgateError {
  return new QuorumgateError("FORMAT_SHAPE_INVALID", `entry: ${what} was expected`);
}
