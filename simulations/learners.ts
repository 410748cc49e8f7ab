import { type CanonicalObject, type Hasher, type NodeId, nodeStatementToCanonical, possessionMessages, toBase64Url } from "#base";
import { memberKeysOf, memberOf, TRUST_DOMAIN } from "./cluster.ts";
import type { KeyMill } from "./keys.ts";

/**
 * An institution's word for a node, proved by every key that it names. The keys follow from the name and the turn: a node of another turn is
 * another node. Nothing runs behind it: a learner has no weight, so nobody waits for it.
 */
export function nodeFileOf(
  about: { readonly keys: KeyMill; readonly hasher: Hasher; readonly timeUs: number },
  { id, turn }: { readonly id: NodeId; readonly turn: number },
): CanonicalObject {
  const { keys, hasher, timeUs } = about;
  const named = `${id} turn ${turn}`;
  const member = { ...memberOf(keys, id, 1), keys: memberKeysOf(keys, named) };
  const statement = { trustDomain: TRUST_DOMAIN, member, certificate: toBase64Url(new Uint8Array(3)), timeUs };
  const messages = possessionMessages(hasher, statement);
  const proof = (role: keyof typeof messages): string => toBase64Url(keys.keyOf(`${named}/${role}`).sign(messages[role]));
  const proofs = { vote: proof("vote"), log: proof("log"), witness: proof("witness"), gateway: proof("gateway"), tls: proof("tls") };
  return { ...nodeStatementToCanonical(statement), proofs };
}
