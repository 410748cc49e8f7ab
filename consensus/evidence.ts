import type { NodeId, VoteBody } from "#base";

/** One signed statement of a vote or proposal. */
export interface SignedVote {
  readonly body: VoteBody;
  readonly purpose: "proposal" | "vote";
  readonly signature: Uint8Array;
}

/** Two statements that no honest node signs both. Anyone with the membership can check it. */
export interface Evidence {
  readonly kind: "double-proposal" | "double-vote";
  readonly offender: NodeId;
  readonly first: SignedVote;
  readonly second: SignedVote;
}
