import { findMember, type Membership, type NodeId, toHash, type VoteAccusation, type VoteBody, type VoteStatement } from "#base";

/** One signed statement of a vote or proposal. */
export interface SignedVote {
  readonly body: VoteBody;
  readonly purpose: "proposal" | "vote";
  readonly signature: Uint8Array;
}

/**
 * Two statements that no honest node signs both. Anyone with the membership can check it. `amnesia` is a tendermint precommit and a later prevote
 * for another value that no polka in between could have allowed.
 */
export interface Evidence {
  readonly kind: "double-proposal" | "double-vote" | "amnesia";
  readonly offender: NodeId;
  readonly first: SignedVote;
  readonly second: SignedVote;
}

/** The evidence as the ledger records it; undefined for a stranger, and when the statements are of different epochs. */
export function accusationOf({ kind, offender, first, second }: Evidence, membership: Membership): VoteAccusation | undefined {
  const key = findMember(membership, offender)?.keys.vote;
  const { epoch } = first.body;
  if (key === undefined || epoch !== second.body.epoch) return undefined;
  return { kind, epoch, node: offender, key, first: statementOf(first), second: statementOf(second) };
}

function statementOf({ body, signature }: SignedVote): VoteStatement {
  const { type, height, view, digest, validRound } = body;
  return { type, height, view, digest: toHash(digest), validRound, signature };
}
