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

/** Asks how far a member's decided, durable chain goes: a read waits for the answer (engines with signed votes). */
export interface HeightRequest {
  readonly type: "height-request";
  /** Of the asker: different at each start, so that an answer to an earlier life is none. */
  readonly incarnation: number;
  readonly round: number;
}

/** Answers HeightRequest. */
export interface HeightReply {
  readonly type: "height-reply";
  readonly incarnation: number;
  /** Of the sender's next height. */
  readonly epoch: number;
  readonly round: number;
  /** Of the sender's tip: the height counts only where it proves it. Absent at genesis. */
  readonly certificate?: CommitCertificate;
}

/** What every engine understands. */
export type SharedMessage = FetchProposal | ProposalBody | DecidedBlockMessage | HeightRequest | HeightReply;

/** Every message of every engine. A core ignores those of another engine: a peer that sends them gains nothing. */
export type ConsensusMessage = SharedMessage | PbftMessage | TendermintMessage | RaftMessage;
