import {
  ACCUSATION_KINDS,
  type Accusation,
  type AccusationKind,
  type Accused,
  type EndorsementAccusation,
  type Prefix,
  type RootStatement,
  type VoteStatement,
} from "./accusation.ts";
import { fromHex, toBase64Url, toHex } from "./bytes.ts";
import type { CanonicalObject, CanonicalValue } from "./canonical.ts";
import { QuorumgateError } from "./errors.ts";
import { FieldReader } from "./fields.ts";
import { type Hash, parseHash, parseNodeId, parsePublicKey } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import { VOTE_TYPE } from "./signing.ts";
import { readNewView, readSignature, readViewChange, writeNewView, writeViewChange } from "./view-statements.ts";

const MAX = Number.MAX_SAFE_INTEGER;
/** Hashes of a proof of consistency: two for each level of a tree of 2^53 leaves. */
const PATH_MAX = 106;
const ORIGIN = /^[a-z0-9._-]{1,255}\/audit\/[0-9a-f]{8}\/[0-9]{4}h[12]$/;

/** The canonical form, as it stands in a command's body. */
export function accusationToCanonical(accusation: Accusation): CanonicalObject {
  const { kind, epoch, node, key } = accusation;
  const accused = { v: 1, kind, epoch, node, key };
  switch (accusation.kind) {
    case "double-vote":
    case "double-proposal":
    case "amnesia":
      return { ...accused, first: writeVote(accusation.first), second: writeVote(accusation.second) };
    case "conflicting-checkpoints":
      return { ...accused, origin: accusation.origin, first: writeRoot(accusation.first), second: writeRoot(accusation.second) };
    case "false-endorsement": {
      const { origin, first, certified, prefix } = accusation;
      const { size, root, endorsers } = certified;
      const written = endorsers.map((endorser) => ({ ...endorser, signature: toBase64Url(endorser.signature) }));
      const base = { ...accused, origin, first: writeRoot(first), certified: { size, root, endorsers: written } };
      return prefix === undefined ? base : { ...base, prefix: { root: prefix.root, path: prefix.path.map(toHex) } };
    }
    case "hidden-certificate":
      return { ...accused, first: writeVote(accusation.first), second: writeViewChange(accusation.second) };
    case "double-view-change":
      return { ...accused, first: writeViewChange(accusation.first), second: writeViewChange(accusation.second) };
    case "double-new-view":
      return { ...accused, first: writeNewView(accusation.first), second: writeNewView(accusation.second) };
  }
}

/** Reads hostile bytes: shape and bounds. What they prove is asked of `contradicts` and of the claims. @throws {QuorumgateError} format errors */
export function readAccusation(value: CanonicalValue): Accusation {
  const reader = new FieldReader(value, "evidence");
  reader.integer("v", { min: 1, max: 1 });
  const kind = oneOf(reader.text("kind", 32), ACCUSATION_KINDS);
  const accused = {
    epoch: reader.integer("epoch", { min: 0, max: MAX }),
    node: parseNodeId(reader.text("node", 63)),
    key: parsePublicKey(reader.text("key")),
  };
  const accusation = readStatements(reader, kind, accused);
  reader.end();
  return accusation;
}

function readStatements(reader: FieldReader, kind: AccusationKind, accused: Accused): Accusation {
  switch (kind) {
    case "double-vote":
    case "double-proposal":
    case "amnesia":
      return { kind, ...accused, first: readVote(reader, "first"), second: readVote(reader, "second") };
    case "conflicting-checkpoints":
      return { kind, ...accused, origin: readOrigin(reader), first: readRoot(reader, "first"), second: readRoot(reader, "second") };
    case "false-endorsement": {
      const said = { kind, ...accused, origin: readOrigin(reader), first: readRoot(reader, "first"), certified: readCertified(reader) };
      return reader.has("prefix") ? { ...said, prefix: readPrefix(reader.object("prefix")) } : said;
    }
    case "hidden-certificate":
      return { kind, ...accused, first: readVote(reader, "first"), second: readViewChange(reader.object("second")) };
    case "double-view-change":
      return { kind, ...accused, first: readViewChange(reader.object("first")), second: readViewChange(reader.object("second")) };
    case "double-new-view":
      return { kind, ...accused, first: readNewView(reader.object("first")), second: readNewView(reader.object("second")) };
  }
}

function writeVote({ type, height, view, digest, validRound, signature }: VoteStatement): CanonicalObject {
  return { type, height, view, digest, validRound, signature: toBase64Url(signature) };
}

function writeRoot({ size, root, signature }: RootStatement): CanonicalObject {
  return { size, root, signature: toBase64Url(signature) };
}

function readVote(reader: FieldReader, name: string): VoteStatement {
  const fields = reader.object(name);
  const number = fields.integer("type", { min: 0, max: 0xff });
  const type = Object.values(VOTE_TYPE).find((known) => known === number);
  if (type === undefined) throw shapeError("the type of a vote is not known");
  const statement: VoteStatement = {
    type,
    height: fields.integer("height", { min: 0, max: MAX }),
    view: fields.integer("view", { min: 0, max: MAX }),
    digest: parseHash(fields.text("digest", 64)),
    validRound: fields.integer("validRound", { min: -1, max: MAX }),
    signature: readSignature(fields),
  };
  fields.end();
  return statement;
}

function readRoot(reader: FieldReader, name: string): RootStatement {
  const fields = reader.object(name);
  const statement = { ...readSizeAndRoot(fields), signature: readSignature(fields) };
  fields.end();
  return statement;
}

function readCertified(reader: FieldReader): EndorsementAccusation["certified"] {
  const fields = reader.object("certified");
  const endorsers = fields.list("endorsers", LIMITS.membersMax).map((value) => {
    const item = new FieldReader(value, "endorser");
    const endorser = {
      node: parseNodeId(item.text("node", 63)),
      key: parsePublicKey(item.text("key")),
      signature: readSignature(item),
    };
    item.end();
    return endorser;
  });
  const certified = { ...readSizeAndRoot(fields), endorsers };
  fields.end();
  return certified;
}

function readPrefix(fields: FieldReader): Prefix {
  const root = parseHash(fields.text("root", 64));
  const path = fields.texts("path", { countMax: PATH_MAX, lengthMax: 64 }).map((hash) => fromHex(parseHash(hash)));
  fields.end();
  return { root, path };
}

function readSizeAndRoot(fields: FieldReader): { readonly size: number; readonly root: Hash } {
  return { size: fields.integer("size", { min: 0, max: MAX }), root: parseHash(fields.text("root", 64)) };
}

function readOrigin(reader: FieldReader): string {
  const origin = reader.text("origin", 512);
  if (!ORIGIN.test(origin)) throw shapeError("the origin is no log's");
  return origin;
}

function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === text);
  if (found === undefined) throw shapeError(`the kind is one of ${allowed.join(", ")}`);
  return found;
}

function shapeError(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_SHAPE_INVALID", `evidence: ${reason}`);
}
