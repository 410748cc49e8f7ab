import { holdsOneHonest, LIMITS, type NodeId, VOTE_TYPE, type VoteType, weightOf } from "#base";
import type { Ballot, BallotVote } from "../ballot.ts";
import type { RoundCertificate, RoundVote } from "./messages.ts";
import { isNil, type TendermintState } from "./state.ts";

const STEPS: Readonly<Record<RoundVote["step"], VoteType>> = {
  prevote: VOTE_TYPE.tendermintPrevote,
  precommit: VOTE_TYPE.tendermintPrecommit,
};

/** When this node goes to a later round because others are there (T9, T14), and the proof by which it takes others along. */
export class RoundSkip {
  readonly #state: TendermintState;
  readonly #verifyVotes: (ballot: Ballot, type: VoteType, round: number, votes: readonly BallotVote[]) => void;
  /** Whose proof is being checked, with its height. */
  readonly #checking = new Map<NodeId, number>();

  constructor(state: TendermintState, verifyVotes: (ballot: Ballot, type: VoteType, round: number, votes: readonly BallotVote[]) => void) {
    this.#state = state;
    this.#verifyVotes = verifyVotes;
  }

  /** T9: the proof of the highest round that members of one honest weight are in, or above it. */
  find(): RoundCertificate | undefined {
    const state = this.#state;
    const ahead = state
      .rounds()
      .filter(([number]) => number > state.round)
      .reverse();
    const seen = new Set<NodeId>();
    const genuine = new Map<NodeId, RoundVote>();
    for (const [round, ballots] of ahead) {
      for (const vote of [...votesOf(round, "prevote", ballots.prevotes), ...votesOf(round, "precommit", ballots.precommits)]) {
        seen.add(vote.node);
        if (vote.verdict === "good" && !genuine.has(vote.node)) genuine.set(vote.node, vote);
      }
      if (this.#holdsOneHonest([...genuine.keys()])) return this.#certificate(round, [...genuine.values()]);
    }
    if (!this.#holdsOneHonest([...seen])) return undefined;
    for (const [number, { prevotes, precommits }] of ahead) {
      this.#verifyVotes(prevotes, VOTE_TYPE.tendermintPrevote, number, prevotes.unknown());
      this.#verifyVotes(precommits, VOTE_TYPE.tendermintPrecommit, number, precommits.unknown());
    }
    return undefined;
  }

  /** The proof that the present round is over: precommits with a quorum, whatever they say. */
  next(): RoundCertificate {
    const { round } = this.#state;
    const good = this.#state.current().precommits.quorum(undefined) ?? [];
    return this.#certificate(
      round + 1,
      good.map(({ node, digest, signature }) => ({ node, round, step: "precommit", digest, validRound: -1, signature })),
    );
  }

  /** T14: a proof that somebody shows; the round may be any number ahead. */
  check(from: NodeId, message: RoundCertificate, then: () => void): void {
    const state = this.#state;
    const { height } = state;
    // All show the same at the same time: of so many one is honest.
    const underway = [...this.#checking.values()].filter((checked) => checked === height).length;
    if (underway > state.liarsMax || this.#checking.get(from) === height) return;
    if (message.view <= state.round || !state.mayVote() || !this.#proves(message)) return;
    const claims = message.votes.flatMap((vote) => state.claimOf(vote, vote.round, STEPS[vote.step]) ?? []);
    if (claims.length !== message.votes.length) return;
    const begun = state.verify(claims, (genuine) => {
      this.#checking.delete(from);
      if (genuine && message.view > state.round) then();
    });
    if (begun) this.#checking.set(from, height);
  }

  #proves({ view, votes }: RoundCertificate): boolean {
    const isOrdered = votes.every(({ node }, index) => index === 0 || (votes[index - 1]?.node ?? "") < node);
    const isShaped = votes.every(
      ({ round, step, digest, validRound }) => validRound < round && (validRound === -1 || (step === "prevote" && !isNil(digest))),
    );
    if (!isOrdered || !isShaped || votes.length > LIMITS.membersMax) return false;
    const nodes = votes.map(({ node }) => node);
    const isOver = votes.every(({ round, step }) => step === "precommit" && round === view - 1) && this.#state.isQuorum(nodes);
    return isOver || (votes.every(({ round }) => round >= view) && this.#holdsOneHonest(nodes));
  }

  #certificate(view: number, votes: readonly RoundVote[]): RoundCertificate {
    const { epoch, height } = this.#state;
    return { type: "round-certificate", epoch, height, view, votes: [...votes].sort((a, b) => (a.node < b.node ? -1 : 1)) };
  }

  #holdsOneHonest(nodes: readonly NodeId[]): boolean {
    return holdsOneHonest(weightOf(this.#state.settings.membership, nodes), this.#state.total);
  }
}

function votesOf(round: number, step: RoundVote["step"], ballot: Ballot): (RoundVote & Pick<BallotVote, "verdict">)[] {
  return ballot
    .for(undefined)
    .map(({ node, digest, validRound = -1, signature, verdict }) => ({ node, round, step, digest, validRound, signature, verdict }));
}
