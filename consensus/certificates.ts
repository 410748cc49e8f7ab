import {
  accusationClaims,
  contradicts,
  type EngineName,
  encodeVoteBody,
  faultModelOf,
  findMember,
  fromHex,
  type Hash,
  isQuorum,
  type Membership,
  memberKey,
  type NodeId,
  type SignatureClaim,
  signedBytes,
  totalWeight,
  VOTE_TYPE,
  type VoteBody,
  type VoteType,
  votePurpose,
  weightOf,
} from "#base";
import type { CertificateVote, CommitCertificate } from "./block.ts";
import { accusationOf, type Evidence, type SignedVote } from "./evidence.ts";

export { votePurpose } from "#base";

/** Whose votes they are. */
export interface VoteContext {
  readonly cluster: Hash;
  readonly membership: Membership;
}

/** Whose votes they are, and under which protocol they decide. */
export interface DecisionContext extends VoteContext {
  readonly engine: EngineName;
}

/** Slot and digest that a vote is about. */
export interface VoteSlot {
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** The round of the proof that a tendermint proposal or prevote refers to; −1 when absent. */
  readonly validRound?: number;
}

/** The votes that decide, by engine. Raft's followers sign nothing: a leader's word is its certificate, which only crashes leave true. */
const COMMIT_VOTE: Readonly<Record<EngineName, VoteType | undefined>> = {
  pbft: VOTE_TYPE.pbftCommit,
  tendermint: VOTE_TYPE.tendermintPrecommit,
  raft: undefined,
};

/** The body of a vote of a type. */
export function voteBodyOf(cluster: Hash, slot: VoteSlot, type: VoteType): VoteBody {
  const { epoch, height, view, digest, validRound = -1 } = slot;
  return { cluster: fromHex(cluster), epoch, height, view, type, digest: fromHex(digest), validRound };
}

/** The check of one vote or proposal signature; undefined for a stranger. */
export function voteClaim(
  context: VoteContext,
  vote: { readonly node: NodeId; readonly slot: VoteSlot; readonly type: VoteType; readonly signature: Uint8Array },
): SignatureClaim | undefined {
  const publicKey = voteKey(context.membership, vote.node);
  if (publicKey === undefined) return undefined;
  const message = signedBytes(votePurpose(vote.type), encodeVoteBody(voteBodyOf(context.cluster, vote.slot, vote.type)));
  return { publicKey, message, signature: vote.signature };
}

/**
 * The shape of a commit certificate: members only, distinct, ascending, a quorum, and none too many; in raft no votes at all. Signatures are
 * checked apart.
 */
export function checkCommitCertificate(certificate: CommitCertificate, context: Omit<DecisionContext, "cluster">): boolean {
  const { membership, engine } = context;
  if (certificate.epoch !== membership.epoch) return false;
  return COMMIT_VOTE[engine] === undefined ? certificate.votes.length === 0 : isMinimalQuorum(certificate.votes, context);
}

/** The signatures that a commit certificate stands on. Check its shape first. */
export function commitCertificateClaims(certificate: CommitCertificate, context: DecisionContext): SignatureClaim[] {
  const type = COMMIT_VOTE[context.engine];
  if (type === undefined) return [];
  return certificate.votes.flatMap(({ node, signature }) => voteClaim(context, { node, slot: certificate, type, signature }) ?? []);
}

/**
 * What two genuine certificates of one height and view for different blocks prove (docs/protocols/evidence.md, F3): whoever is in both voted
 * twice, and two quorums share a third of the weight. None where they are of different views: each member may have voted once in either.
 */
export function doubleVotes(first: CommitCertificate, second: CommitCertificate, context: DecisionContext): Evidence[] {
  const type = COMMIT_VOTE[context.engine];
  const isOneSlot = first.epoch === second.epoch && first.height === second.height && first.view === second.view;
  if (type === undefined || !isOneSlot || first.digest === second.digest) return [];
  const statement = (slot: CommitCertificate, signature: Uint8Array): SignedVote => {
    return { body: voteBodyOf(context.cluster, slot, type), purpose: votePurpose(type), signature };
  };
  return second.votes.flatMap(({ node: offender, signature }): Evidence[] => {
    const before = first.votes.find(({ node }) => node === offender);
    if (before === undefined) return [];
    return [{ kind: "double-vote", offender, first: statement(first, before.signature), second: statement(second, signature) }];
  });
}

/** The two signatures that evidence stands on; undefined when the statements do not contradict each other. */
export function evidenceClaims(evidence: Evidence, context: VoteContext): readonly SignatureClaim[] | undefined {
  const accusation = accusationOf(evidence, context.membership);
  return accusation === undefined || !contradicts(accusation) ? undefined : accusationClaims(context.cluster, accusation);
}

/** The fewest votes, in ascending id, that still make a quorum with what is counted already: dropping any one breaks it. */
export function minimalVotes(
  membership: Membership,
  votes: readonly CertificateVote[],
  options: { readonly counted?: NodeId; readonly isQuorum: (weight: number) => boolean },
): CertificateVote[] {
  const { counted, isQuorum: isEnough } = options;
  const weighed = weigh(membership, votes);
  const isLevel = weighed.every(({ weight }) => weight === weighed[0]?.weight);
  // Heaviest first, ascending id among equals.
  if (!isLevel) weighed.sort((a, b) => b.weight - a.weight);
  const chosen: CertificateVote[] = [];
  let sum = counted === undefined ? 0 : (findMember(membership, counted)?.weight ?? 0);
  for (const { vote, weight } of weighed) {
    if (isEnough(sum)) break;
    chosen.push(vote);
    if (vote.node !== counted) sum += weight;
  }
  return isLevel ? chosen : chosen.sort((a, b) => (a.node < b.node ? -1 : 1));
}

interface WeighedVote {
  readonly vote: CertificateVote;
  readonly weight: number;
}

/** The votes of members, in ascending id. */
function weigh(membership: Membership, votes: readonly CertificateVote[]): WeighedVote[] {
  const weighed: WeighedVote[] = [];
  for (const { id, weight } of membership.members) {
    const vote = votes.find(({ node }) => node === id);
    if (vote !== undefined) weighed.push({ vote, weight });
  }
  return weighed;
}

/** True when the votes are of distinct members in ascending id. */
export function isAscending(votes: readonly CertificateVote[]): boolean {
  return votes.every((vote, index) => index === 0 || (votes[index - 1]?.node ?? "") < vote.node);
}

/** A member's key for votes; undefined for a stranger. */
export function voteKey(membership: Membership, node: NodeId): Uint8Array | undefined {
  const member = findMember(membership, node);
  return member === undefined ? undefined : memberKey(member, "vote");
}

function isMinimalQuorum(votes: readonly CertificateVote[], { membership, engine }: Omit<DecisionContext, "cluster">): boolean {
  const total = totalWeight(membership);
  const model = faultModelOf(engine);
  const nodes = votes.map(({ node }) => node);
  if (!isAscending(votes) || nodes.some((node) => findMember(membership, node) === undefined)) return false;
  const weight = weightOf(membership, nodes);
  return isQuorum(weight, total, model) && nodes.every((node) => !isQuorum(weight - weightOf(membership, [node]), total, model));
}
