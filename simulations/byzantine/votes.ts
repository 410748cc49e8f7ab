import { encodeVoteBody, fromHex, type Hash, signedBytes } from "#base";
import {
  type ConsensusMessage,
  type NewView,
  newViewSignedBody,
  type SeenVote,
  seenVoteOf,
  type ViewChange,
  viewChangeSignedBody,
  votePurpose,
} from "#consensus";
import type { ActorPorts } from "./actor.ts";

/** What signing needs: whose key it is, and which cluster it speaks of. */
export type SigningPorts = Pick<ActorPorts, "cluster" | "keys" | "node" | "hasher">;

/** What of a vote is changed before it is signed anew. */
export interface VoteChange {
  readonly height?: number;
  readonly view?: number;
  readonly digest?: Hash;
  readonly validRound?: number;
}

/** The vote that a message is, changed and properly signed by the node's own key; undefined for what is no vote. */
export function resign(ports: SigningPorts, message: ConsensusMessage, change: VoteChange): ConsensusMessage | undefined {
  const vote = seenVoteOf(message, ports.hasher);
  if (vote === undefined) return undefined;
  const changed = { ...vote, ...change };
  const fields: Record<string, unknown> = { ...message, signature: signVote(ports, changed) };
  for (const name of ["height", "view", "round", "digest"]) {
    if (!(name in message)) continue;
    if (name === "height") fields[name] = changed.height;
    else fields[name] = name === "digest" ? changed.digest : changed.view;
  }
  if ("validRound" in message) fields["validRound"] = changed.validRound;
  return fields as unknown as ConsensusMessage;
}

/** A view change under the node's own good signature. */
export function signedViewChange(said: Omit<ViewChange, "signature">, ports: SigningPorts): ViewChange {
  const body = viewChangeSignedBody(ports, said);
  return { ...said, signature: ports.keys.keyOf(`${ports.node}/vote`).sign(signedBytes("view-change", body)) };
}

/** A new-view under the node's own good signature. */
export function signedNewView(said: Omit<NewView, "signature">, ports: SigningPorts): NewView {
  const body = newViewSignedBody(ports.cluster, said);
  return { ...said, signature: ports.keys.keyOf(`${ports.node}/vote`).sign(signedBytes("new-view", body)) };
}

/** A vote's signature by the node's own key. */
export function signVote({ cluster, keys, node }: SigningPorts, vote: Omit<SeenVote, "signature">): Uint8Array {
  const body = encodeVoteBody({ ...vote, cluster: fromHex(cluster), digest: fromHex(vote.digest) });
  return keys.keyOf(`${node}/vote`).sign(signedBytes(votePurpose(vote.type), body));
}
