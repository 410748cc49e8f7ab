import { invariant, isByzantineQuorum, type Membership, type NodeId, totalWeight } from "#base";
import type { VotingRules } from "../voting-state.ts";

/** Waiting times of the core, in milliseconds. */
export interface TendermintTiming {
  /** First wait for a proposal; each round waits `roundDeltaMs` longer. */
  readonly proposeMs: number;
  /** Wait for the proposal of a trusted member at the fastest pace (T17). */
  readonly briskMs: number;
  /** The fastest pace: a proposal that takes longer in a first round is late, and who was late before is waited for no longer (T17). */
  readonly punctualMs: number;
  /** Wait after a quorum of prevotes, or precommits, that does not agree. */
  readonly voteMs: number;
  readonly roundDeltaMs: number;
  readonly timeoutMaxMs: number;
  /** Own messages are sent again after this long without a decision. */
  readonly retransmitMs: number;
}

/** Defaults for a local network. */
export const TENDERMINT_TIMING: TendermintTiming = {
  proposeMs: 600,
  briskMs: 150,
  punctualMs: 60,
  voteMs: 200,
  roundDeltaMs: 250,
  timeoutMaxMs: 10_000,
  retransmitMs: 300,
};

/** What a member that is locked knows when it answers a proposal. */
export interface LockView {
  /** −1 when nothing is locked. */
  readonly lockedRound: number;
  /** The proposal's valid round, whose polka was verified; −1 for a new value. */
  readonly validRound: number;
}

/** The decisions on which safety stands, in one place: a planted bug overrides one of them, production never does. */
export interface TendermintRules extends VotingRules {
  /** Whether a vote counts only after its signature verified. */
  readonly verifiesVotes: boolean;
  /** Whether a member may prevote for a proposal (T2, T3). */
  mayPrevote(lock: LockView): boolean;
  /** Whether a precommit locks (T5). */
  readonly locks: boolean;
  /** Whether a value that is proposed again needs the polka that it names (T3). */
  readonly needsPolka: boolean;
  /** Whether the newest polka is shown to those who missed its prevotes: with what is said again, and before its value is proposed again (T12). */
  readonly sharesPolkas: boolean;
  /** Whether a restart brings the lock back. */
  readonly restoresLocks: boolean;
  /** Who leads a round; a laboratory that enumerates leaders names its own. */
  proposerOf(membership: Membership, height: number, round: number): NodeId;
}

/** The rules as docs/protocols/tendermint.md states them. */
export const tendermintRules: TendermintRules = {
  isQuorum: isByzantineQuorum,
  verifiesVotes: true,
  mayPrevote: ({ lockedRound, validRound }) => lockedRound <= validRound,
  locks: true,
  needsPolka: true,
  checksCertificates: true,
  confirmsReads: true,
  sharesPolkas: true,
  restoresLocks: true,
  proposerOf,
};

/**
 * The proposer of a round. Over heights each member leads as often as its share of the weight, spread out by a stride of about 0.618 T; over the
 * rounds of a height the members take turns, so that a heavy member that is away is passed over at once.
 */
export function proposerOf(membership: Membership, height: number, round: number): NodeId {
  const { members } = membership;
  const total = totalWeight(membership);
  const target = ((height % total) * strideOf(total)) % total;
  let index = 0;
  for (let sum = members[0]?.weight ?? 0; sum <= target; sum += members[index]?.weight ?? total) index += 1;
  const member = members[(index + round) % members.length];
  invariant(member !== undefined, "a membership has members");
  return member.id;
}

/** The number next to 0.618 T that shares no divisor with T: multiples of it meet every remainder once in T heights. */
function strideOf(total: number): number {
  let stride = Math.max(1, Math.floor((total * 618) / 1_000));
  while (divisor(stride, total) !== 1) stride += 1;
  return stride;
}

function divisor(left: number, right: number): number {
  return right === 0 ? left : divisor(right, left % right);
}
