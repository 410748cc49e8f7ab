import type { Hash } from "#base";
import type { Batch, CommitCertificate } from "./block.ts";
import type { PbftMessage } from "./pbft/messages.ts";
import type { RaftMessage } from "./raft/messages.ts";
import type { TendermintMessage } from "./tendermint/messages.ts";

/** Asks for the body of a proposal that somebody proved to exist. */
export interface FetchProposal {
  readonly type: "fetch-proposal";
  readonly height: number;
  readonly digest: Hash;
}

/** Answers FetchProposal. Unsigned: the digest binds header and batch. */
export interface ProposalBody {
  readonly type: "proposal-body";
  readonly height: number;
  readonly headerBytes: Uint8Array;
  readonly certifiedProof: Uint8Array;
  readonly batch: Batch;
}

/** A decided block, for who is behind. */
export interface DecidedBlockMessage {
  readonly type: "block";
  readonly headerBytes: Uint8Array;
  readonly batch: Batch;
  readonly certificate: CommitCertificate;
}

/** What every engine understands. */
export type SharedMessage = FetchProposal | ProposalBody | DecidedBlockMessage;

/** Every message of every engine. A core ignores those of another engine: a peer that sends them gains nothing. */
export type ConsensusMessage = SharedMessage | PbftMessage | TendermintMessage | RaftMessage;
