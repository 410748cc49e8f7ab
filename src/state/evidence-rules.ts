import {
  type Accusation,
  accusationName,
  type ErrorCode,
  faultModelOf,
  findMember,
  type Hash,
  isQuorum,
  LIMITS,
  type Membership,
  type NodeId,
  parseNodeId,
  totalWeight,
  weightOf,
} from "#base";
import type { LedgerStore } from "./ledger-store.ts";

/** Where evidence is recorded. */
export interface EvidenceContext {
  readonly store: LedgerStore;
  readonly cluster: Hash;
  readonly height: number;
  readonly timeUs: number;
  /** Id of the member whose command it is. */
  readonly issuer: string;
  /** The command's hash. */
  readonly command: Hash;
}

/**
 * Records evidence, or says why not (docs/protocols/evidence.md, rule E5). The signatures verified before the vote (see commandClaims); here counts
 * whose keys they are, and whether the statements contradict each other.
 */
export function recordEvidence(context: EvidenceContext, accusation: Accusation): ErrorCode | "OK" {
  const { store, height, timeUs, issuer, command } = context;
  const code = evidenceFailure(context, accusation);
  if (code !== "OK") return code;
  const { kind, epoch, node } = accusation;
  const name = accusationName(accusation);
  const about = "origin" in accusation ? accusation.first.size : accusation.first.height;
  store.evidence.add({ name, kind, epoch, node, about, command, by: parseNodeId(issuer), height, timeUs });
  if (findMember(store.nodes.newest.membership, node) !== undefined)
    store.evidence.propose({ node, evidence: name, height, expiresAtUs: timeUs + LIMITS.removalProposalUs });
  return "OK";
}

/** True when a report of this evidence at the height would add nothing, or come too late (rules E5, E6). */
export function isSettled(store: LedgerStore, height: number, accusation: Accusation): boolean {
  return store.evidence.isSettled(accusation) || accusation.epoch < store.nodes.epochAt(height).membership.epoch - 1;
}

/** Why evidence is refused, by rules E5 and, in an engine that tolerates crashes only, E9. */
function evidenceFailure({ store, cluster, height }: EvidenceContext, accusation: Accusation): ErrorCode | "OK" {
  const { genesis, nodes, rules } = store;
  const { epoch, node, key } = accusation;
  if (faultModelOf(genesis.engine) !== "byzantine") return "EVIDENCE_INVALID";
  const present = nodes.epochAt(height).membership.epoch;
  // A retired key may be stolen long after its node has left: what it signs then convicts nobody.
  if (epoch < present - 1) return "EVIDENCE_STALE";
  const membership = epoch <= present ? nodes.epoch(epoch)?.membership : undefined;
  const keys = membership === undefined ? undefined : findMember(membership, node)?.keys;
  if (membership === undefined || keys === undefined || !rules.convicts(accusation, genesis.window)) return "EVIDENCE_INVALID";
  const isTheirs = !rules.checksAccusedKey || key === ("origin" in accusation ? keys.log : keys.vote);
  if (!("origin" in accusation)) return isTheirs ? "OK" : "EVIDENCE_INVALID";
  if (!isTheirs || !accusation.origin.startsWith(`${genesis.trustDomain}/audit/${cluster.slice(0, 8)}/`)) return "EVIDENCE_INVALID";
  return accusation.kind !== "false-endorsement" || isEndorsedByQuorum(accusation, membership) ? "OK" : "EVIDENCE_INVALID";
}

/** Distinct members of a quorum's weight, each under its own L key. */
function isEndorsedByQuorum(accusation: Extract<Accusation, { kind: "false-endorsement" }>, membership: Membership): boolean {
  const { endorsers } = accusation.certified;
  const isMember = ({ node, key }: { readonly node: NodeId; readonly key: string }): boolean =>
    findMember(membership, node)?.keys.log === key;
  const nodes = new Set(endorsers.map(({ node }) => node));
  if (nodes.size !== endorsers.length || !endorsers.every(isMember)) return false;
  return isQuorum(weightOf(membership, nodes), totalWeight(membership), "byzantine");
}
