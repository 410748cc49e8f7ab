import { type NodeId, parseNodeId } from "#base";
import type { Ed25519 } from "#crypto";
import { createNodeIdentity, type NodeIdentity, type NodeIdentityOptions } from "#identity";

/** When the nodes of these tests were made, milliseconds since 1970. */
export const NOW_MS: number = Date.UTC(2026, 5, 1);

/** A production node of weight 1 in `bank.example`, with what is given changed. */
export function makeNode(ed25519: Ed25519, name: string, change: Partial<NodeIdentityOptions> = {}): NodeIdentity {
  const nodeId: NodeId = parseNodeId(name);
  return createNodeIdentity(ed25519, {
    nodeId,
    trustDomain: "bank.example",
    weight: 1,
    peerAddress: `${name}.bank.example:7500`,
    httpUrl: `https://${name}.bank.example:7400`,
    nowMs: NOW_MS,
    ...change,
  });
}
