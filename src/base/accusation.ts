import { fromBase64Url, fromHex, toBase64Url, toHex } from "./bytes.ts";
import type { CanonicalObject, CanonicalValue } from "./canonical.ts";
import { verifyConsistency } from "./consistency.ts";
import { QuorumgateError } from "./errors.ts";
import { FieldReader } from "./fields.ts";
import { portableHasher } from "./hasher.ts";
import { type Hash, type NodeId, type PublicKey, parseHash, parseNodeId, parsePublicKey } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import type { SignatureClaim } from "./signed-command.ts";
import { checkpointText, encodeVoteBody, logSignatureMessage, signedBytes, VOTE_TYPE, type VoteType } from "./signing.ts";

/** Kinds of misbehaviour that signed bytes alone prove (docs/protocols/evidence.md, rule E1). */
export const ACCUSATION_KINDS = ["double-vote", "double-proposal", "amnesia", "conflicting-checkpoints", "false-endorsement"] as const;

/** See ACCUSATION_KINDS. */
export type AccusationKind = (typeof ACCUSATION_KINDS)[number];

/** Who is accused, and under which key of which epoch it signed. */
interface Accused {
  readonly epoch: number;
  readonly node: NodeId;
  /** The vote key, or of checkpoints the L key. Whether it is the node's is decided at commit. */
  readonly key: PublicKey;
}

/** A vote or proposal as it was signed, without what both statements share. */
export interface VoteStatement {
  readonly type: VoteType;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** −1 where it has no meaning. */
  readonly validRound: number;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Two votes or proposals of one node. */
export interface VoteAccusation extends Accused {
  readonly kind: "double-vote" | "double-proposal" | "amnesia";
  readonly first: VoteStatement;
  readonly second: VoteStatement;
}

/** A root of the log, as an L key signed it. */
export interface RootStatement {
  readonly size: number;
  readonly root: Hash;
  /** 64 bytes over the checkpoint's text. */
  readonly signature: Uint8Array;
}

/** Two roots of one log by one node. */
export interface CheckpointAccusation extends Accused {
  readonly kind: "conflicting-checkpoints";
  /** First line of the checkpoints: which log they are of. */
  readonly origin: string;
  readonly first: RootStatement;
  readonly second: RootStatement;
}

/** A member's signature under its L key. */
export interface Endorser {
  readonly node: NodeId;
  readonly key: PublicKey;
  readonly signature: Uint8Array;
}

/** A root by one node, and another by a quorum. */
export interface EndorsementAccusation extends Accused {
  readonly kind: "false-endorsement";
  readonly origin: string;
  readonly first: RootStatement;
  /** What a quorum signed: the same size, or a larger one with `prefix`. */
  readonly certified: { readonly size: number; readonly root: Hash; readonly endorsers: readonly Endorser[] };
  /** What the certified log has at the size of the first statement: its root, and the proof of consistency (RFC 9162, section 2.1.4). */
  readonly prefix?: Prefix;
}

/** The root of a shorter log, and the proof that a longer one extends it. */
export interface Prefix {
  readonly root: Hash;
  readonly path: readonly Uint8Array[];
}

/** Self-contained evidence against one node, as the ledger records it. */
export type Accusation = VoteAccusation | CheckpointAccusation | EndorsementAccusation;

const MAX = Number.MAX_SAFE_INTEGER;
/** Hashes of a proof of consistency: two for each level of a tree of 2^53 leaves. */
const PATH_MAX = 106;
const ORIGIN = /^[a-z0-9._-]{1,255}\/audit\/[0-9a-f]{8}\/[0-9]{4}h[12]$/;

/** The slot of a vote type: a vote and its nil form stand in one. */
export function phaseOf(type: VoteType): number {
  if (type === VOTE_TYPE.tendermintPrevoteNil) return VOTE_TYPE.tendermintPrevote;
  return type === VOTE_TYPE.tendermintPrecommitNil ? VOTE_TYPE.tendermintPrecommit : type;
}

/** The purpose under which a vote of the type is signed. */
export function votePurpose(type: VoteType): "proposal" | "vote" {
  return type === VOTE_TYPE.pbftPropose || type === VOTE_TYPE.tendermintPropose ? "proposal" : "vote";
}

/** True when no honest node makes both statements (rule E1). Signatures, keys and a quorum's weight are checked apart. */
export function contradicts(accusation: Accusation): boolean {
  switch (accusation.kind) {
    case "double-vote":
      return isDouble(accusation) && votePurpose(accusation.first.type) === "vote";
    case "double-proposal":
      return isDouble(accusation) && votePurpose(accusation.first.type) === "proposal";
    case "amnesia":
      return isAmnesia(accusation);
    case "conflicting-checkpoints":
      return isOtherRoot(accusation.first, accusation.second);
    case "false-endorsement":
      return accusation.prefix === undefined
        ? isOtherRoot(accusation.first, accusation.certified)
        : isOtherPrefix(accusation, accusation.prefix);
  }
}

/** What evidence is known by: a second piece with the same name adds nothing (rule E6). ASCII. */
export function accusationName(accusation: Accusation): string {
  const series = accusationSeries(accusation);
  if ("origin" in accusation) {
    const shard = accusation.origin.slice(accusation.origin.lastIndexOf("/") + 1);
    return `${series}/${shard}/${accusation.first.size}`;
  }
  const { height, view } = accusation.first;
  return `${series}/${height}/${view}`;
}

/** Epoch, node and kind: of each so many pieces are recorded and no more. */
export function accusationSeries({ epoch, node, kind }: Pick<Accusation, "epoch" | "node" | "kind">): string {
  return `${epoch}/${node}/${kind}`;
}

/**
 * Every signature that the evidence stands on, under the keys that it names itself: a function of its bytes, so that every replica verifies the same
 * before it votes.
 */
export function accusationClaims(cluster: Hash, accusation: Accusation): readonly SignatureClaim[] {
  const publicKey = fromBase64Url(accusation.key);
  switch (accusation.kind) {
    case "double-vote":
    case "double-proposal":
    case "amnesia":
      return [accusation.first, accusation.second].map(({ signature, ...vote }) => {
        const body = { ...vote, cluster: fromHex(cluster), epoch: accusation.epoch, digest: fromHex(vote.digest) };
        return { publicKey, message: signedBytes(votePurpose(vote.type), encodeVoteBody(body)), signature };
      });
    case "conflicting-checkpoints":
      return [accusation.first, accusation.second].map((said) => rootClaim(accusation.origin, said, { publicKey, ...said }));
    case "false-endorsement": {
      const { origin, first, certified } = accusation;
      const endorsed = certified.endorsers.map(({ key, signature }) =>
        rootClaim(origin, certified, { publicKey: fromBase64Url(key), signature }),
      );
      return [rootClaim(origin, first, { publicKey, ...first }), ...endorsed];
    }
  }
}

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
  if (kind === "conflicting-checkpoints") {
    return { kind, ...accused, origin: readOrigin(reader), first: readRoot(reader, "first"), second: readRoot(reader, "second") };
  }
  if (kind === "false-endorsement") {
    const said = { kind, ...accused, origin: readOrigin(reader), first: readRoot(reader, "first"), certified: readCertified(reader) };
    return reader.has("prefix") ? { ...said, prefix: readPrefix(reader.object("prefix")) } : said;
  }
  return { kind, ...accused, first: readVote(reader, "first"), second: readVote(reader, "second") };
}

function isDouble({ first, second }: VoteAccusation): boolean {
  const sameSlot = first.height === second.height && first.view === second.view && phaseOf(first.type) === phaseOf(second.type);
  return sameSlot && (first.type !== second.type || first.digest !== second.digest || first.validRound !== second.validRound);
}

/** A precommit of a value, and in a later round a prevote for another one whose proof is older than the precommit. */
function isAmnesia({ first, second }: VoteAccusation): boolean {
  const areVotes = first.type === VOTE_TYPE.tendermintPrecommit && second.type === VOTE_TYPE.tendermintPrevote;
  const isLater = first.height === second.height && second.view > first.view;
  return areVotes && isLater && second.validRound < first.view && first.digest !== second.digest;
}

function isOtherRoot(left: { readonly size: number; readonly root: Hash }, right: { readonly size: number; readonly root: Hash }): boolean {
  return left.size === right.size && left.root !== right.root;
}

/** The certified log is longer, and where it had the first statement's size it had another root. */
function isOtherPrefix({ first, certified }: EndorsementAccusation, { root, path }: Prefix): boolean {
  if (first.size >= certified.size || first.root === root) return false;
  const from = { size: first.size, root: fromHex(root) };
  return verifyConsistency(portableHasher, { from, to: { size: certified.size, root: fromHex(certified.root) }, path });
}

function rootClaim(
  origin: string,
  { size, root }: { readonly size: number; readonly root: Hash },
  { publicKey, signature }: { readonly publicKey: Uint8Array; readonly signature: Uint8Array },
): SignatureClaim {
  return { publicKey, message: logSignatureMessage(checkpointText({ origin, size, root })), signature };
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

function readSignature(fields: FieldReader): Uint8Array {
  const signature = fromBase64Url(fields.text("signature", 86));
  if (signature.length !== 64) throw shapeError("a signature has 64 bytes");
  return signature;
}

function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === text);
  if (found === undefined) throw shapeError(`the kind is one of ${allowed.join(", ")}`);
  return found;
}

function shapeError(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_SHAPE_INVALID", `evidence: ${reason}`);
}
