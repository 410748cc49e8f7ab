import { encodeVoteBody, fromHex, type Hash, type NodeId, signedBytes, VOTE_TYPE, type VoteType, ZERO_HASH } from "#base";
import type { ConsensusMessage, Precommit, Prevote, RoundProposal } from "#consensus";
import { CLUSTER, sign } from "./core-kit.ts";

type RoundCertificate = Extract<ConsensusMessage, { type: "round-certificate" }>;

interface Slot {
  readonly view: number;
  readonly digest: Hash;
  readonly validRound?: number;
}

function signatureOf(node: NodeId, type: VoteType, { view, digest, validRound = -1 }: Slot): Uint8Array {
  const body = encodeVoteBody({ cluster: fromHex(CLUSTER), epoch: 0, height: 1, view, type, digest: fromHex(digest), validRound });
  return sign(node, signedBytes("vote", body));
}

/** A genuine prevote of the first height, nil where the digest is zeros. */
export function prevote(node: NodeId, slot: Slot): Prevote {
  const type = slot.digest === ZERO_HASH ? VOTE_TYPE.tendermintPrevoteNil : VOTE_TYPE.tendermintPrevote;
  return { type: "prevote", epoch: 0, height: 1, validRound: -1, ...slot, signature: signatureOf(node, type, slot) };
}

/** A genuine precommit of the first height, nil where the digest is zeros. */
export function precommit(node: NodeId, { view, digest }: Slot): Precommit {
  const type = digest === ZERO_HASH ? VOTE_TYPE.tendermintPrecommitNil : VOTE_TYPE.tendermintPrecommit;
  return { type: "precommit", epoch: 0, height: 1, view, digest, signature: signatureOf(node, type, { view, digest }) };
}

/** A value that is proposed again in another round, or by another valid round, under the proposer's signature. */
export function proposedAgain(said: RoundProposal, by: NodeId, slot: Slot & { readonly validRound: number }): RoundProposal {
  const { view, digest, validRound } = slot;
  const type = VOTE_TYPE.tendermintPropose;
  const body = encodeVoteBody({ cluster: fromHex(CLUSTER), epoch: 0, height: 1, view, type, digest: fromHex(digest), validRound });
  return { ...said, view, validRound, signature: sign(by, signedBytes("proposal", body)) };
}

/** Nil precommits of these in a round, in ascending id: whoever sees them goes there where one of them is honest. */
export function roundAhead(nodes: readonly NodeId[], view: number): RoundCertificate {
  return { ...roundEnd(nodes, view), view };
}

/** Nil precommits of these, in ascending id: the round is over where they have a quorum. */
export function roundEnd(nodes: readonly NodeId[], view: number): RoundCertificate {
  const votes = nodes.map((node) => {
    const { signature } = precommit(node, { view, digest: ZERO_HASH });
    return { node, round: view, step: "precommit" as const, digest: ZERO_HASH, validRound: -1, signature };
  });
  return { type: "round-certificate", epoch: 0, height: 1, view: view + 1, votes };
}
