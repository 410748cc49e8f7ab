import type { Hash } from "#base";
import type { Body } from "../wire.ts";

/** What every message of raft says: for which epoch, and the sender's term (or, in a pre-vote, the term that it would begin). */
interface Termed {
  readonly epoch: number;
  readonly term: number;
}

/** Asks for a vote, or whether one would be given (`pre`). */
export interface VoteRequest extends Termed {
  readonly type: "vote-request";
  readonly pre: boolean;
  /** The leader itself asked for this election: stickiness does not apply. */
  readonly transfer: boolean;
  readonly lastHeight: number;
  readonly lastTerm: number;
}

/** A granted pre-vote names the term that was asked for; a refusal names the voter's own. */
export interface VoteReply extends Termed {
  readonly type: "vote-reply";
  readonly pre: boolean;
  readonly granted: boolean;
}

/** Heartbeat, commit notice, and at most one entry: one frame carries one block. */
export interface Append extends Termed {
  readonly type: "append";
  readonly prevHeight: number;
  readonly prevDigest: Hash;
  readonly commit: number;
  /** Echoed by the answer: confirms leadership for the reads that began before it. */
  readonly round: number;
  readonly entry?: Body;
}

/** The answer to Append. */
export interface AppendReply extends Termed {
  readonly type: "append-reply";
  readonly accepted: boolean;
  /** Accepted: the log equals the leader's up to here. Refused: the highest height at which it may. */
  readonly height: number;
  /** Term of the entry at `height`. */
  readonly heightTerm: number;
  readonly round: number;
  /** False while the sender's memory is in question: it follows, and counts for nothing. */
  readonly counts: boolean;
  /** Names the sender's memory (rule M3). */
  readonly incarnation: number;
}

/** The leader hands over: campaign at once. */
export interface TimeoutNow extends Termed {
  readonly type: "timeout-now";
}

/** A follower asks where it may read. */
export interface ReadRequest extends Termed {
  readonly type: "read-request";
  /** Of the asker's core: different at each start, so that an answer to an earlier life is none. */
  readonly life: number;
  readonly id: number;
}

/** The leader's answer to ReadRequest. */
export interface ReadReply extends Termed {
  readonly type: "read-reply";
  readonly life: number;
  readonly id: number;
  readonly height: number;
}

/** A node without memory asks how far the others are; from then on its earlier acknowledgements count no more. */
export interface RecallRequest extends Termed {
  readonly type: "recall-request";
  readonly incarnation: number;
}

/** The answer to RecallRequest. */
export interface RecallReply extends Termed {
  readonly type: "recall-reply";
  readonly incarnation: number;
  /** The last height in the sender's log, decided or not. */
  readonly height: number;
}

/** Every message of raft. */
export type RaftMessage =
  | VoteRequest
  | VoteReply
  | Append
  | AppendReply
  | TimeoutNow
  | ReadRequest
  | ReadReply
  | RecallRequest
  | RecallReply;
