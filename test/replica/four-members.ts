import {
  type Accusation,
  accusationClaims,
  contradicts,
  type Hash,
  type Membership,
  type NodeId,
  parseHash,
  parseNodeId,
  toBase64Url,
} from "#base";
import { nodeHasher } from "#crypto";
import { type KeyMill, standInKeys } from "#simulations";

export const CLUSTER: Hash = parseHash("c".repeat(64));
export const keys: KeyMill = standInKeys(nodeHasher);
export const NODES: readonly [NodeId, NodeId, NodeId, NodeId] = [
  parseNodeId("node-1"),
  parseNodeId("node-2"),
  parseNodeId("node-3"),
  parseNodeId("node-4"),
];

/** Four members of weight 1, with the keys that the stand-in has for them. */
export const MEMBERSHIP: Membership = {
  epoch: 0,
  members: NODES.map((id) => {
    const key = (role: string) => keys.keyOf(`${id}/${role}`).publicKey;
    const own = {
      vote: key("vote"),
      log: key("log"),
      witness: key("witness"),
      gateway: key("gateway"),
      tls: toBase64Url(new Uint8Array(4)),
    };
    return { id, weight: 1, keys: own, peerAddress: "", httpUrl: "", tlsAuthority: "" };
  }),
};

/** Whether both statements are signed by whom they accuse, and do not go together. */
export function isGenuine(accusation: Accusation): boolean {
  let genuine = false;
  keys.verifier.verify(accusationClaims(CLUSTER, accusation), (verdicts) => {
    genuine = verdicts.every(Boolean);
  });
  return genuine && contradicts(accusation);
}
