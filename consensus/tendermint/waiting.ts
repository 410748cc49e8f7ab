import { type Hash, holdsOneHonest, VOTE_TYPE, type VoteType, weightOf, ZERO_HASH } from "#base";
import type { Ballot, BallotVote } from "../ballot.ts";
import type { TendermintState } from "./state.ts";

/** What waiting needs from voting. */
export interface WaitingPorts {
  verifyVotes(ballot: Ballot, type: VoteType, round: number, votes: readonly BallotVote[]): void;
  /** A wait of the step begins, once in a round. */
  onWait(step: "prevote" | "precommit"): void;
  giveUpProposal(): void;
  /** The present round's proposal never came, and these prevoted for it. */
  fetchProposal(digest: Hash, votes: readonly BallotVote[]): void;
  giveUpPrevotes(): void;
  enterNext(): void;
}

/** When votes of a round are waited for, and when there is nothing left to wait for (T4, T7, T15). */
export class Waiting {
  readonly #state: TendermintState;
  readonly #ports: WaitingPorts;

  constructor(state: TendermintState, ports: WaitingPorts) {
    this.#state = state;
    this.#ports = ports;
  }

  /**
   * What members with one honest among them prevoted for can be had of them (T20); what they passed over gets no quorum, so nobody else waits
   * for it (T15).
   */
  forProposal(): void {
    const state = this.#state;
    const { prevotes, proposal } = state.current();
    if (state.step !== "propose" || state.proposer === state.settings.self) return;
    for (const digest of prevotes.digests()) {
      if (digest !== ZERO_HASH && proposal !== undefined) continue;
      const votes = prevotes.for(digest);
      const good = votes.filter(({ verdict }) => verdict === "good");
      if (this.#holdsOneHonest(good)) {
        if (digest === ZERO_HASH) return this.#ports.giveUpProposal();
        this.#ports.fetchProposal(digest, good);
      } else if (this.#holdsOneHonest(votes)) {
        const unknown = votes.filter(({ verdict }) => verdict === "unknown");
        this.#ports.verifyVotes(prevotes, VOTE_TYPE.tendermintPrevote, state.round, unknown);
      }
    }
  }

  /** T4 and T7: a quorum voted, but not alike. */
  forVotes(): void {
    const state = this.#state;
    const { prevotes, precommits } = state.current();
    if (state.step === "prevote" && this.#hasQuorum(prevotes, VOTE_TYPE.tendermintPrevote)) {
      this.#ports.onWait("prevote");
      if (this.#isSplit(prevotes, VOTE_TYPE.tendermintPrevote)) this.#ports.giveUpPrevotes();
    }
    if (!this.#hasQuorum(precommits, VOTE_TYPE.tendermintPrecommit)) return undefined;
    this.#ports.onWait("precommit");
    return this.#isSplit(precommits, VOTE_TYPE.tendermintPrecommit) ? this.#ports.enterNext() : undefined;
  }

  #hasQuorum(ballot: Ballot, type: VoteType): boolean {
    if (ballot.quorum(undefined) !== undefined) return true;
    this.#ports.verifyVotes(ballot, type, this.#state.round, ballot.toVerify(undefined));
    return false;
  }

  /** T15: no value can get a quorum any more. The votes that show it may be those that the quorum did not need, so all are verified. */
  #isSplit(ballot: Ballot, type: VoteType): boolean {
    const { pace, punctuality } = this.#state;
    if (ballot.isSplit(ZERO_HASH, (node) => pace === undefined || punctuality.isTrusted(node, pace))) return true;
    this.#ports.verifyVotes(ballot, type, this.#state.round, ballot.unknown());
    return false;
  }

  #holdsOneHonest(votes: readonly BallotVote[]): boolean {
    const nodes = votes.map(({ node }) => node);
    return holdsOneHonest(weightOf(this.#state.settings.membership, nodes), this.#state.total);
  }
}
