import {
  concatBytes,
  encodeVoteBody,
  findMember,
  fromBase64Url,
  fromHex,
  type Hash,
  isByzantineQuorum,
  leaderOf,
  type Member,
  type Membership,
  type NodeId,
  type SignatureClaim,
  signedBytes,
  totalWeight,
  VOTE_TYPE,
  type VoteBody,
  type VoteType,
  weightOf,
} from "#base";
import type { CertificateVote, CommitCertificate } from "../block.ts";
import type { Evidence, SignedVote } from "../evidence.ts";
import { newViewBody, viewChangeBody } from "./codec.ts";
import type { NewView, PreparedCertificate, ViewChange } from "./messages.ts";

/** Whose votes they are. */
export interface VoteContext {
  readonly cluster: Hash;
  readonly membership: Membership;
}

/** Slot and digest that a vote is about. */
export interface VoteSlot {
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
}

const KEYS = new WeakMap<Member, Uint8Array>();

/** The body of a vote of a type. */
export function voteBodyOf(cluster: Hash, slot: VoteSlot, type: VoteType): VoteBody {
  const { epoch, height, view, digest } = slot;
  return { cluster: fromHex(cluster), epoch, height, view, type, digest: fromHex(digest), validRound: -1 };
}

/** The check of one vote or proposal signature; undefined for a stranger. */
export function voteClaim(
  context: VoteContext,
  vote: { readonly node: NodeId; readonly slot: VoteSlot; readonly type: VoteType; readonly signature: Uint8Array },
): SignatureClaim | undefined {
  const publicKey = voteKey(context.membership, vote.node);
  if (publicKey === undefined) return undefined;
  const body = encodeVoteBody(voteBodyOf(context.cluster, vote.slot, vote.type));
  return { publicKey, message: signedBytes(purposeOf(vote.type), body), signature: vote.signature };
}

/** The shape of a commit certificate: members only, distinct, ascending, a quorum, and none too many. Signatures are checked apart. */
export function checkCommitCertificate(certificate: CommitCertificate, membership: Membership): boolean {
  return certificate.epoch === membership.epoch && isMinimalQuorum(membership, certificate.votes);
}

/** The signatures that a commit certificate stands on. Check its shape first. */
export function commitCertificateClaims(certificate: CommitCertificate, context: VoteContext): SignatureClaim[] {
  return certificate.votes.flatMap(
    ({ node, signature }) => voteClaim(context, { node, slot: certificate, type: VOTE_TYPE.pbftCommit, signature }) ?? [],
  );
}

/** The shape of a prepared certificate: the leader of its view and prepares of others, together a minimal quorum. */
export function checkPreparedCertificate(certificate: PreparedCertificate, membership: Membership): boolean {
  const leader = leaderOf(membership, certificate.view);
  if (certificate.epoch !== membership.epoch || !isAscending(certificate.votes)) return false;
  if (certificate.votes.some(({ node }) => node === leader || findMember(membership, node) === undefined)) return false;
  const nodes = certificate.votes.map(({ node }) => node);
  return isByzantineQuorum(weightOf(membership, [leader, ...nodes]), totalWeight(membership));
}

/** The signatures that a prepared certificate stands on. Check its shape first. */
export function preparedCertificateClaims(certificate: PreparedCertificate, context: VoteContext): SignatureClaim[] {
  const leader = leaderOf(context.membership, certificate.view);
  const proposal = { node: leader, slot: certificate, type: VOTE_TYPE.pbftPropose, signature: certificate.proposalSignature };
  const prepares = certificate.votes.map(({ node, signature }) => ({ node, slot: certificate, type: VOTE_TYPE.pbftPrepare, signature }));
  return [proposal, ...prepares].flatMap((vote) => voteClaim(context, vote) ?? []);
}

/** The bytes that a view change signs, without the purpose. */
export function viewChangeSignedBody(cluster: Hash, message: Omit<ViewChange, "signature" | "tip">): Uint8Array {
  return concatBytes(fromHex(cluster), viewChangeBody(message));
}

/** The bytes that a new-view signs, without the purpose. */
export function newViewSignedBody(cluster: Hash, message: Omit<NewView, "signature" | "type">): Uint8Array {
  return concatBytes(fromHex(cluster), newViewBody(message));
}

/** Every signature of a view change, or undefined when its shape is wrong: rule V5. */
export function viewChangeClaims(message: ViewChange, context: VoteContext): SignatureClaim[] | undefined {
  const publicKey = voteKey(context.membership, message.sender);
  const { prepared } = message;
  if (publicKey === undefined || message.epoch !== context.membership.epoch) return undefined;
  if (prepared !== undefined) {
    const fits = prepared.height === message.height && prepared.view < message.view;
    if (!fits || !checkPreparedCertificate(prepared, context.membership)) return undefined;
  }
  const body = viewChangeSignedBody(context.cluster, message);
  const own = { publicKey, message: signedBytes("view-change", body), signature: message.signature };
  return [own, ...(prepared === undefined ? [] : preparedCertificateClaims(prepared, context))];
}

/** Every signature of a new-view and of its view changes, or undefined when its shape is wrong: rule V5. */
export function newViewClaims(message: NewView, context: VoteContext): SignatureClaim[] | undefined {
  const { membership, cluster } = context;
  const leader = leaderOf(membership, message.view);
  const publicKey = voteKey(membership, leader);
  const senders = message.viewChanges.map((viewChange) => viewChange.sender);
  if (publicKey === undefined || message.epoch !== membership.epoch || new Set(senders).size !== senders.length) return undefined;
  if (!senders.includes(leader) || !isByzantineQuorum(weightOf(membership, senders), totalWeight(membership))) return undefined;
  const claims = [{ publicKey, message: signedBytes("new-view", newViewSignedBody(cluster, message)), signature: message.signature }];
  for (const viewChange of message.viewChanges) {
    if (viewChange.height !== message.height || viewChange.view !== message.view) return undefined;
    const own = viewChangeClaims(viewChange, context);
    if (own === undefined) return undefined;
    claims.push(...own);
  }
  return claims;
}

/** The two signatures that evidence stands on; undefined when the statements do not contradict each other. */
export function evidenceClaims(evidence: Evidence, context: VoteContext): readonly SignatureClaim[] | undefined {
  const publicKey = voteKey(context.membership, evidence.offender);
  const { first, second } = evidence;
  const sameSlot = encodeSlot(first) === encodeSlot(second);
  if (publicKey === undefined || !sameSlot || encodeDigest(first) === encodeDigest(second)) return undefined;
  return [first, second].map(({ body, purpose, signature }) => ({
    publicKey,
    message: signedBytes(purpose, encodeVoteBody(body)),
    signature,
  }));
}

/** The fewest votes, in ascending id, that still make a quorum with what is counted already: dropping any one breaks it. */
export function minimalVotes(
  membership: Membership,
  votes: readonly CertificateVote[],
  options: { readonly counted?: NodeId; readonly isQuorum: (nodes: readonly NodeId[]) => boolean },
): CertificateVote[] {
  const counted = options.counted === undefined ? [] : [options.counted];
  const heaviest = [...votes].sort((a, b) => weightOf(membership, [b.node]) - weightOf(membership, [a.node]) || compare(a.node, b.node));
  const chosen: CertificateVote[] = [];
  for (const vote of heaviest) {
    if (options.isQuorum([...counted, ...chosen.map((item) => item.node)])) break;
    chosen.push(vote);
  }
  return chosen.sort((a, b) => compare(a.node, b.node));
}

function isMinimalQuorum(membership: Membership, votes: readonly CertificateVote[]): boolean {
  const total = totalWeight(membership);
  const nodes = votes.map(({ node }) => node);
  if (!isAscending(votes) || nodes.some((node) => findMember(membership, node) === undefined)) return false;
  const weight = weightOf(membership, nodes);
  return isByzantineQuorum(weight, total) && nodes.every((node) => !isByzantineQuorum(weight - weightOf(membership, [node]), total));
}

function isAscending(votes: readonly CertificateVote[]): boolean {
  return votes.every((vote, index) => index === 0 || (votes[index - 1]?.node ?? "") < vote.node);
}

function voteKey(membership: Membership, node: NodeId): Uint8Array | undefined {
  const member = findMember(membership, node);
  if (member === undefined) return undefined;
  const known = KEYS.get(member) ?? fromBase64Url(member.keys.vote);
  KEYS.set(member, known);
  return known;
}

function purposeOf(type: VoteType): "proposal" | "vote" {
  return type === VOTE_TYPE.pbftPropose ? "proposal" : "vote";
}

function encodeSlot({ body, purpose }: SignedVote): string {
  return [purpose, body.epoch, body.height, body.view, body.type, body.cluster].join(" ");
}

function encodeDigest({ body }: SignedVote): string {
  return body.digest.join(" ");
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
