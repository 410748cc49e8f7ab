import { type Hash, type NodeId, VOTE_TYPE, type VoteType } from "#base";
import { voteBodyOf, votePurpose } from "../certificates.ts";
import type { Slot } from "./slot.ts";
import type { PbftState } from "./state.ts";

/** What somebody said in a slot. */
interface Statement {
  readonly digest: Hash;
  readonly signature: Uint8Array;
}

/** Two statements of one member in one slot: evidence once both signatures are genuine, and not before. */
export function accuse(
  state: PbftState,
  slot: Slot,
  about: { readonly node: NodeId; readonly type: VoteType; readonly view: number },
  [first, second]: readonly [Statement, Statement],
): void {
  const { node, type, view } = about;
  const { height, blamed } = slot;
  // Once for each height: a liar may contradict itself in as many views as it likes.
  const blame = `${node}/${type}`;
  if (blamed.has(blame)) return;
  const where = { epoch: state.settings.membership.epoch, height, view };
  const signed = ({ digest, signature }: Statement) => ({
    body: voteBodyOf(state.settings.cluster, { ...where, digest }, type),
    purpose: votePurpose(type),
    signature,
  });
  state.verifyVote({ ...first, node, height, view }, type, (firstValid) => {
    if (!firstValid) return;
    state.verifyVote({ ...second, node, height, view }, type, (secondValid) => {
      if (!secondValid || blamed.has(blame)) return;
      blamed.add(blame);
      const kind = type === VOTE_TYPE.pbftPropose ? "double-proposal" : "double-vote";
      state.emit({ type: "evidence", evidence: { kind, offender: node, first: signed(first), second: signed(second) } });
    });
  });
}
