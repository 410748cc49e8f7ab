import { type Hash, type NodeId, VOTE_TYPE, type VoteType } from "#base";
import { voteBodyOf, votePurpose } from "../certificates.ts";
import type { SignedVote } from "../evidence.ts";
import { isNil, type TendermintState, typeOf } from "./state.ts";

/** What somebody said in a slot. */
interface Statement {
  readonly digest: Hash;
  readonly signature: Uint8Array;
  readonly validRound: number;
}

interface Slot {
  readonly node: NodeId;
  readonly round: number;
  readonly type: VoteType;
}

/** Two statements of one member in one slot: evidence once both signatures are genuine, and not before. */
export function accuse(state: TendermintState, slot: Slot, [first, second]: readonly [Statement, Statement]): void {
  const kind = slot.type === VOTE_TYPE.tendermintPropose ? "double-proposal" : "double-vote";
  blame(state, kind, slot.node, [signed(state, slot, first), signed(state, slot, second)]);
}

/**
 * Amnesia: whoever precommitted a value in round r is locked on it, and prevotes another one later only when a polka of round r or later
 * makes that one valid, which its prevote names. A prevote for another value that names an older round, or none, contradicts the precommit,
 * in whatever order the two came. Source: accountable Tendermint, the valid round in the prevote.
 */
export function suspectAmnesia(
  state: TendermintState,
  news: { readonly node: NodeId; readonly round: number; readonly isPrevote: boolean },
): void {
  const { node, isPrevote } = news;
  const rounds = state.rounds();
  const early = isPrevote ? rounds.filter(([round]) => round < news.round) : rounds.filter(([round]) => round === news.round);
  const late = isPrevote ? rounds.filter(([round]) => round === news.round) : rounds.filter(([round]) => round > news.round);
  for (const [before, { precommits }] of early) {
    const precommit = precommits.of(node);
    if (precommit === undefined || isNil(precommit.digest)) continue;
    for (const [after, { prevotes }] of late) {
      const prevote = prevotes.of(node);
      if (prevote === undefined || isNil(prevote.digest) || prevote.digest === precommit.digest) continue;
      const { validRound = -1 } = prevote;
      if (validRound >= before) continue;
      blame(state, "amnesia", node, [
        signed(state, { node, round: before, type: VOTE_TYPE.tendermintPrecommit }, { ...precommit, validRound: -1 }),
        signed(state, { node, round: after, type: VOTE_TYPE.tendermintPrevote }, { ...prevote, validRound }),
      ]);
    }
  }
}

interface Checked {
  readonly vote: SignedVote;
  readonly round: number;
  readonly claim: ReturnType<TendermintState["claimOf"]>;
}

function signed(state: TendermintState, { node, round, type }: Slot, { digest, signature, validRound }: Statement): Checked {
  const { epoch, height, settings } = state;
  const body = voteBodyOf(settings.cluster, { epoch, height, view: round, digest, validRound }, typeOf(type, digest));
  const claim = state.claimOf({ node, digest, signature, validRound }, round, type);
  return { vote: { body, purpose: votePurpose(type), signature }, round, claim };
}

function blame(
  state: TendermintState,
  kind: "double-proposal" | "double-vote" | "amnesia",
  offender: NodeId,
  [first, second]: readonly [Checked, Checked],
): void {
  const blamed = state.known(second.round)?.blamed;
  const key = `${kind}/${offender}/${first.round}/${second.vote.body.type}`;
  if (blamed === undefined || blamed.has(key) || first.claim === undefined || second.claim === undefined) return;
  state.verify([first.claim, second.claim], (genuine) => {
    if (!genuine || blamed.has(key)) return;
    blamed.add(key);
    state.emit({ type: "evidence", evidence: { kind, offender, first: first.vote, second: second.vote } });
  });
}
