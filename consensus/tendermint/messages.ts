import type { Hash, NodeId } from "#base";
import type { Batch } from "../block.ts";

/** The proposer's value for a round, a new one or one that a polka proves valid. */
export interface RoundProposal {
  readonly type: "round-proposal";
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  /** Round of the polka that makes the value valid; −1 for a new one. */
  readonly validRound: number;
  readonly headerBytes: Uint8Array;
  readonly certifiedProof: Uint8Array;
  readonly batch: Batch;
  /** Purpose `proposal`, over the vote body of type tendermintPropose, valid round included. */
  readonly signature: Uint8Array;
}

/** A proposal that its proposer said, from another member that was asked for it (T20). */
export interface PassedProposal extends Omit<RoundProposal, "type"> {
  readonly type: "passed-proposal";
}

/** A prevote; zeros for nil. The sender is the signer. */
export interface Prevote {
  readonly type: "prevote";
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** The valid round of the proposal that it answers; −1 for nil. */
  readonly validRound: number;
  readonly signature: Uint8Array;
}

/** A precommit; zeros for nil. The sender is the signer. */
export interface Precommit {
  readonly type: "precommit";
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  readonly signature: Uint8Array;
}

/** A prevote as a polka holds it. */
export interface PolkaVote {
  readonly node: NodeId;
  readonly validRound: number;
  readonly signature: Uint8Array;
}

/** Prevotes of a quorum for one value in one round: it may be proposed again, and it unlocks what was locked before. */
export interface Polka {
  readonly type: "polka";
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** In ascending id. */
  readonly votes: readonly PolkaVote[];
}

/** A vote as the proof of a round holds it. */
export interface RoundVote {
  readonly node: NodeId;
  readonly round: number;
  readonly step: "prevote" | "precommit";
  readonly digest: Hash;
  readonly validRound: number;
  readonly signature: Uint8Array;
}

/** Why a node is in its round: a quorum of precommits of the round before, or votes of one honest weight in this round or later. */
export interface RoundCertificate {
  readonly type: "round-certificate";
  readonly epoch: number;
  readonly height: number;
  /** The round that may be entered. */
  readonly view: number;
  /** In ascending id. */
  readonly votes: readonly RoundVote[];
}

/** Every message of Tendermint. */
export type TendermintMessage = RoundProposal | Prevote | Precommit | Polka | RoundCertificate | PassedProposal;
