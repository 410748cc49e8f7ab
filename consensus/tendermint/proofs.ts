import type { Hash } from "#base";
import type { BallotVote } from "../ballot.ts";
import type { CommitCertificate } from "../block.ts";
import { minimalVotes } from "../certificates.ts";
import type { Polka } from "./messages.ts";
import type { TendermintState } from "./state.ts";

interface Decided {
  readonly view: number;
  readonly digest: Hash;
}

/** The proof of a decision, from precommits of a quorum. */
export function certificateOf(state: TendermintState, { view, digest }: Decided, quorum: readonly BallotVote[]): CommitCertificate {
  const { epoch, height } = state;
  return { epoch, height, view, digest, votes: minimal(state, quorum).map(({ node, signature }) => ({ node, signature })) };
}

/** The proof that a value is valid, from prevotes of a quorum. */
export function polkaOf(state: TendermintState, { view, digest }: Decided, quorum: readonly BallotVote[]): Polka {
  const { epoch, height } = state;
  const votes = minimal(state, quorum).map(({ node, signature, validRound = -1 }) => ({ node, signature, validRound }));
  return { type: "polka", epoch, height, view, digest, votes };
}

function minimal({ settings, total }: TendermintState, quorum: readonly BallotVote[]): readonly BallotVote[] {
  const chosen = minimalVotes(settings.membership, quorum, { isQuorum: (weight) => settings.rules.isQuorum(weight, total) });
  return chosen.flatMap(({ node }) => quorum.find((vote) => vote.node === node) ?? []);
}
