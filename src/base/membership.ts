import { fromBase64Url } from "./bytes.ts";
import { type CanonicalObject, type CanonicalValue, encodeCanonical } from "./canonical.ts";
import { QuorumgateError } from "./errors.ts";
import { FieldReader } from "./fields.ts";
import type { Hasher } from "./hasher.ts";
import { type NodeId, type PublicKey, parseNodeId, parsePublicKey } from "./ids.ts";
import { invariant } from "./invariant.ts";
import { LIMITS } from "./limits.ts";
import { type EngineName, faultModelOf } from "./quorum.ts";

/**
 * A member's public keys, one per role, all distinct across the cluster (FORMATS, Keys and signatures).
 * `tls` is the SubjectPublicKeyInfo of its TLS key as base64url DER, the others are Ed25519.
 */
export interface MemberKeys {
  /** Consensus votes, proposals, view changes and sync replies. */
  readonly vote: PublicKey;
  /** L: signs checkpoints as a note of type 0x01. */
  readonly log: PublicKey;
  /** W: cosigns checkpoints, type 0x04. */
  readonly witness: PublicKey;
  /** Signs commands and decisions of the node's gateway. */
  readonly gateway: PublicKey;
  readonly tls: string;
}

/** One member of an epoch. Addresses are hints: a node's configuration may override them. */
export interface Member {
  readonly id: NodeId;
  readonly weight: number;
  readonly keys: MemberKeys;
  /** `host:port` of the listener for peers. */
  readonly peerAddress: string;
  /** Base URL of the HTTP API. */
  readonly httpUrl: string;
  /** Certificate authority that issued the node's TLS certificate, base64url DER. */
  readonly tlsAuthority: string;
}

/** The members of one epoch, in ascending id. Weights come from committed governance only. */
export interface Membership {
  readonly epoch: number;
  readonly members: readonly Member[];
}

/** Longer lists of ids are made a set before they are looked through for each member. */
const SEARCHED_MAX = 8;

/** Sum of all weights. */
export function totalWeight(membership: Membership): number {
  let sum = 0;
  for (const { weight } of membership.members) sum += weight;
  return sum;
}

/** The member of that id, if it is one. */
export function findMember(membership: Membership, id: string): Member | undefined {
  for (const member of membership.members) if (member.id === id) return member;
  return undefined;
}

/** The keys of a member that sign statements of the cluster. */
export type MemberKeyRole = "vote" | "log" | "witness";

const KEY_BYTES = new WeakMap<MemberKeys, Record<MemberKeyRole, Uint8Array>>();

/** A member's public key as 32 bytes, decoded once: every vote and cosignature is checked against one. */
export function memberKey({ keys }: Member, role: MemberKeyRole): Uint8Array {
  let known = KEY_BYTES.get(keys);
  if (known === undefined) {
    known = { vote: fromBase64Url(keys.vote), log: fromBase64Url(keys.log), witness: fromBase64Url(keys.witness) };
    KEY_BYTES.set(keys, known);
  }
  return known[role];
}

/** Sum of the weights of distinct members; unknown ids count nothing. */
export function weightOf(membership: Membership, ids: Iterable<string>): number {
  // A handful of ids is searched sooner than a set is made of them; an id that stands twice counts once either way.
  const few: readonly string[] | undefined = Array.isArray(ids) && ids.length <= SEARCHED_MAX ? ids : undefined;
  const many = few === undefined ? new Set(ids) : undefined;
  let sum = 0;
  for (const { id, weight } of membership.members) if (few?.includes(id) ?? many?.has(id)) sum += weight;
  return sum;
}

/** The leader of a view: members take turns in ascending id. */
export function leaderOf(membership: Membership, view: number): NodeId {
  const member = membership.members[view % membership.members.length];
  invariant(member !== undefined, "a membership has members");
  return member.id;
}

/** SHA-256 of the membership's canonical bytes. */
export function membershipHash(hasher: Hasher, membership: Membership): Uint8Array {
  return hasher.sha256(encodeCanonical(membershipToCanonical(membership)));
}

/** The canonical form in which a membership is hashed and handed over. */
export function membershipToCanonical(membership: Membership): CanonicalObject {
  return { epoch: membership.epoch, members: membership.members.map(memberToCanonical) };
}

/** The canonical form of one member. */
export function memberToCanonical(member: Member): CanonicalObject {
  const { vote, log, witness, gateway, tls } = member.keys;
  return {
    id: member.id,
    weight: member.weight,
    keys: { vote, log, witness, gateway, tls },
    peerAddress: member.peerAddress,
    httpUrl: member.httpUrl,
    tlsAuthority: member.tlsAuthority,
  };
}

/** Reads one member. @throws {QuorumgateError} FORMAT_SHAPE_INVALID, FORMAT_KEY_INVALID, MEMBERSHIP_INVALID */
export function parseMember(value: CanonicalValue): Member {
  const reader = new FieldReader(value, "member");
  const keys = reader.object("keys");
  const member: Member = {
    id: parseNodeId(reader.text("id")),
    weight: reader.integer("weight", { min: 1, max: LIMITS.totalWeightMax }),
    keys: {
      vote: parsePublicKey(keys.text("vote")),
      log: parsePublicKey(keys.text("log")),
      witness: parsePublicKey(keys.text("witness")),
      gateway: parsePublicKey(keys.text("gateway")),
      tls: strictBase64Url(keys.text("tls", 1_024)),
    },
    peerAddress: reader.text("peerAddress"),
    httpUrl: reader.text("httpUrl", 512),
    tlsAuthority: strictBase64Url(reader.text("tlsAuthority", 8_192)),
  };
  keys.end();
  reader.end();
  return member;
}

/** Reads and checks a membership. @throws {QuorumgateError} MEMBERSHIP_INVALID and the shape errors of parseMember */
export function parseMembership(value: CanonicalValue, options: FaultDeclaration): Membership {
  const reader = new FieldReader(value, "membership");
  const epoch = reader.integer("epoch", { min: 0, max: Number.MAX_SAFE_INTEGER });
  const members = reader.list("members", LIMITS.membersMax).map(parseMember);
  reader.end();
  const membership = { epoch, members };
  checkMembership(membership, options);
  return membership;
}

/** What genesis says about the faults that a membership has to tolerate. */
export interface FaultDeclaration {
  /** One member's fault may be fatal (1 to 3 nodes, or 1 to 2 under crash faults). */
  readonly zeroFaultTolerance: boolean;
  /** Decides how much weight is too much for one member: a third, or in raft a half. Byzantine when absent. */
  readonly engine?: EngineName;
}

/**
 * Checks ids, keys and weights. A weight of a third or more (raft: a half or more) makes one member's fault fatal: refused unless
 * genesis declares zero fault tolerance.
 * @throws {QuorumgateError} MEMBERSHIP_INVALID
 */
export function checkMembership(membership: Membership, options: FaultDeclaration): void {
  const { members } = membership;
  const total = totalWeight(membership);
  const byzantine = faultModelOf(options.engine ?? "pbft") === "byzantine";
  if (members.length === 0) throw invalid("it has no members");
  if (total > LIMITS.totalWeightMax) throw invalid("the sum of weights is too large");
  const keys = new Set<string>();
  let previous = "";
  for (const member of members) {
    if (member.id <= previous) throw invalid("members must be in ascending, distinct ids");
    previous = member.id;
    for (const key of Object.values(member.keys)) {
      if (keys.has(key)) throw invalid(`a key of ${member.id} has another role already`);
      keys.add(key);
    }
    const isFatal = (byzantine ? 3 : 2) * member.weight >= total;
    if (!options.zeroFaultTolerance && isFatal) throw invalid(`the weight of ${member.id} is a ${byzantine ? "third" : "half"} or more`);
  }
}

function strictBase64Url(text: string): string {
  fromBase64Url(text);
  return text;
}

function invalid(reason: string): QuorumgateError {
  return new QuorumgateError("MEMBERSHIP_INVALID", reason);
}
