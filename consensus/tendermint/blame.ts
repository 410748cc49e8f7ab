import { type Hash, type NodeId, VOTE_TYPE, type VoteType } from "#base";
import type { BallotVote } from "../ballot.ts";
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
 * makes that one valid, which its prevote names. A prevote for another value that names an older round, or none, contradicts the precommit.
 * Source: accountable Tendermint, the valid round in the prevote.
 */
export function suspectAmnesia(state: TendermintState, round: number, prevote: BallotVote & { readonly validRound: number }): void {
  const { node, digest, validRound } = prevote;
  if (isNil(digest)) return;
  for (const [earlier, { precommits }] of state.rounds()) {
    if (earlier >= round || earlier <= validRound) continue;
    const precommit = precommits.for(undefined).find((vote) => vote.node === node);
    if (precommit === undefined || isNil(precommit.digest) || precommit.digest === digest) continue;
    const before = signed(state, { node, round: earlier, type: VOTE_TYPE.tendermintPrecommit }, { ...precommit, validRound: -1 });
    const after = signed(state, { node, round, type: VOTE_TYPE.tendermintPrevote }, prevote);
    blame(state, "amnesia", node, [before, after]);
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
  const blamed = state.at(second.round)?.blamed;
  const key = `${kind}/${offender}/${first.round}/${second.vote.body.type}`;
  if (blamed === undefined || blamed.has(key) || first.claim === undefined || second.claim === undefined) return;
  state.verify([first.claim, second.claim], (genuine) => {
    if (!genuine || blamed.has(key)) return;
    blamed.add(key);
    state.emit({ type: "evidence", evidence: { kind, offender, first: first.vote, second: second.vote } });
  });
}
