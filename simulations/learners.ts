import {
  type CanonicalObject,
  type Hasher,
  type KeyRole,
  type Member,
  type NodeId,
  nodeStatementToCanonical,
  type PublicKey,
  possessionMessages,
  toBase64Url,
} from "#base";
import { memberKeysOf, memberOf, TRUST_DOMAIN } from "./genesis.ts";
import { type KeyMill, RENEWALS_MAX, renewedKeyName } from "./keys.ts";

/** What statements are made with. */
interface Statements {
  readonly keys: KeyMill;
  readonly hasher: Hasher;
  readonly timeUs: number;
}

/**
 * An institution's word for a node, proved by every key that it names. The keys follow from a name: a node of another name is another node, under one
 * id too. Those of a node that runs are named by its id. A learner has no weight, so where none runs nobody waits for it.
 */
export function nodeFileOf(about: Statements, { id, named }: { readonly id: NodeId; readonly named: string }): CanonicalObject {
  const member = { ...memberOf(about.keys, id, 1), keys: memberKeysOf(about.keys, named) };
  return stated(about, member, (role) => `${named}/${role}`);
}

/** A member's word for itself with the L and W keys of its next renewal; none for one that was renewed too often. */
export function renewalOf(about: Statements, member: Member): readonly CanonicalObject[] {
  const { keys } = about;
  const name = (role: KeyRole, round: number): string => renewedKeyName(member.id, role, round);
  const rounds = Array.from({ length: RENEWALS_MAX }, (_, round) => round);
  const round = rounds.find((at) => keys.keyOf(name("log", at)).publicKey === member.keys.log);
  if (round === undefined) return [];
  const roundOf = (role: string): number => (role === "log" || role === "witness" ? round + 1 : 0);
  const keyOf = (role: KeyRole): PublicKey => keys.keyOf(name(role, round + 1)).publicKey;
  const renewed = { ...member, keys: { ...member.keys, log: keyOf("log"), witness: keyOf("witness") } };
  return [stated(about, renewed, (role) => (role === "tls" ? `${member.id}/tls` : name(role, roundOf(role))))];
}

/** Signs a statement with the keys of these names. */
function stated({ keys, hasher, timeUs }: Statements, member: Member, nameOf: (role: KeyRole | "tls") => string): CanonicalObject {
  const statement = { trustDomain: TRUST_DOMAIN, member, certificate: toBase64Url(new Uint8Array(3)), timeUs };
  const messages = possessionMessages(hasher, statement);
  const proof = (role: keyof typeof messages): string => toBase64Url(keys.keyOf(nameOf(role)).sign(messages[role]));
  const proofs = { vote: proof("vote"), log: proof("log"), witness: proof("witness"), gateway: proof("gateway"), tls: proof("tls") };
  return { ...nodeStatementToCanonical(statement), proofs };
}
