import { encodeVoteBody, fromHex, type Hash, signedBytes } from "#base";
import { type ConsensusMessage, type SeenVote, seenVoteOf, votePurpose } from "#consensus";
import type { ActorPorts } from "./actor.ts";

/** What signing needs: whose key it is, and which cluster it speaks of. */
export type SigningPorts = Pick<ActorPorts, "cluster" | "keys" | "node" | "hasher">;

/** What of a vote is changed before it is signed anew. */
export interface VoteChange {
  readonly height?: number;
  readonly view?: number;
  readonly digest?: Hash;
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
  return fields as unknown as ConsensusMessage;
}

/** A vote's signature by the node's own key. */
export function signVote({ cluster, keys, node }: SigningPorts, vote: Omit<SeenVote, "signature">): Uint8Array {
  const body = encodeVoteBody({ ...vote, cluster: fromHex(cluster), digest: fromHex(vote.digest) });
  return keys.keyOf(`${node}/vote`).sign(signedBytes(votePurpose(vote.type), body));
}
