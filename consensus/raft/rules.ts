import { isMajority, type Membership } from "#base";

/** Waiting times of the core, in milliseconds. */
export interface RaftTiming {
  /** Between a leader's heartbeats. */
  readonly heartbeatMs: number;
  /** Silence after which a leader is given up; a campaign follows after up to as much again. Also how often a leader counts who answers. */
  readonly electionTimeoutMs: number;
}

/** Defaults for a local network: five heartbeats may be lost before a leader is given up. */
export const RAFT_TIMING: RaftTiming = { heartbeatMs: 80, electionTimeoutMs: 400 };

/** The end of a log, as candidates and voters compare it. */
export interface LogEnd {
  readonly lastTerm: number;
  readonly lastHeight: number;
}

/** Whose word counts while an epoch ends. */
export interface EndingEpoch {
  readonly present: Membership;
  /** The next epoch's members, as a decided block names them. */
  readonly next: Membership;
}

/** An entry that a quorum holds, as its leader sees it. */
export interface HeldEntry {
  readonly entryTerm: number;
  readonly leaderTerm: number;
  /** Whether it is the epoch's last height. */
  readonly isEnd: boolean;
}

/** The decisions on which safety stands, in one place: a planted bug overrides one of them, production never does. */
export interface RaftRules {
  /** Whether the weight elects and commits (E4, C1). */
  isQuorum(weight: number, total: number): boolean;
  /** Whether a candidate's log may lead over the voter's (E3). */
  isUpToDate(candidate: LogEnd, voter: LogEnd): boolean;
  /** Whether term and vote are written before anything leaves (E2). */
  readonly persistsVote: boolean;
  /** Whether a node votes once in a term (E3). */
  readonly votesOnce: boolean;
  /** Whether an entry commits by counting who holds it: one of the leader's own term alone (C2), also at the end of an epoch (J3). */
  mayCommit(held: HeldEntry): boolean;
  /** Whether a campaign asks first whether it could win (E1). */
  readonly asksBeforeCampaign: boolean;
  /** Whether a voter that hears its leader refuses others (E5). */
  readonly isSticky: boolean;
  /** Whether a leader of a lower term hears of the higher one from those that it appends to (E7). */
  readonly answersLowerTerms: boolean;
  /** Whether a leader that no quorum answers steps down (E6). */
  readonly checksQuorum: boolean;
  /** Whether only entries that contradict the leader's are cut off (L3). */
  readonly truncatesOnlyConflicts: boolean;
  /** Whether an append is refused that does not follow what is held (L2). */
  readonly matchesPrevious: boolean;
  /** Whether a read waits until a quorum confirmed the leader (R1). */
  readonly confirmsReads: boolean;
  /** The memberships that have to agree, each by its own majority, from the moment at which the end of the epoch is known (J1). */
  agreeing(ending: EndingEpoch): readonly Membership[];
  /** Whether a node without memory stays out until everybody told it how far they are (M2). */
  readonly recallsBeforeVoting: boolean;
}

/** The rules as docs/protocols/raft.md states them. */
export const raftRules: RaftRules = {
  isQuorum: isMajority,
  isUpToDate: (candidate, voter) =>
    candidate.lastTerm === voter.lastTerm ? candidate.lastHeight >= voter.lastHeight : candidate.lastTerm > voter.lastTerm,
  persistsVote: true,
  votesOnce: true,
  mayCommit: ({ entryTerm, leaderTerm }) => entryTerm === leaderTerm,
  asksBeforeCampaign: true,
  isSticky: true,
  answersLowerTerms: true,
  checksQuorum: true,
  truncatesOnlyConflicts: true,
  matchesPrevious: true,
  confirmsReads: true,
  agreeing: ({ present, next }) => [present, next],
  recallsBeforeVoting: true,
};
