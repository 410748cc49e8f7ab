import type { NodeId, VoteBody } from "#base";

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
