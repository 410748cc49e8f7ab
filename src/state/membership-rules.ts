import {
  checkMembership,
  type ErrorCode,
  errorCode,
  findMember,
  type Genesis,
  LIMITS,
  type Member,
  type Membership,
  type NodeId,
} from "#base";
import type { Change, GovernanceBody, LearnerAddition, LearnerRemoval, MembershipChange, WeightChanges } from "./governance.ts";
import type { LedgerStore } from "./ledger-store.ts";
import { inOrder, withWeight } from "./nodes.ts";
import { renewedMember } from "./renewals.ts";

/** Where a change runs. */
export interface ChangeContext {
  readonly store: LedgerStore;
  readonly height: number;
  readonly timeUs: number;
  /** Id of the operator whose command it is. */
  readonly issuer: string;
}

/**
 * Applies a change of who takes part, or says why not (docs/protocols/membership.md). Signatures of approvals and proofs of possession were
 * verified before the vote (see commandClaims); here counts whose they are.
 */
export function applyChange(context: ChangeContext, body: GovernanceBody): ErrorCode | "OK" {
  const { store, timeUs, height } = context;
  const { change } = body;
  const unapproved = approvalFailure(context, body);
  if (unapproved !== "OK") return unapproved;
  if (timeUs >= change.expiresAtUs || change.epoch !== store.nodes.epochAt(height).membership.epoch) return "MEMBERSHIP_STALE";
  return applyByKind(context, change);
}

/** The change that the cluster proposes because of evidence against a node. */
export interface ProposedRemoval {
  readonly node: NodeId;
  /** Name of the newest evidence. */
  readonly evidence: string;
  readonly change: WeightChanges;
  /** What the change would be refused with, were it approved now. */
  readonly code: ErrorCode | "OK";
}

/** Proposals that have not expired, against nodes that are members still (docs/protocols/evidence.md, rule E8). */
export function proposedRemovals(store: LedgerStore, at: { readonly height: number; readonly timeUs: number }): readonly ProposedRemoval[] {
  const { epoch } = store.nodes.epochAt(at.height).membership;
  const { membership, firstHeight } = store.nodes.newest;
  return store.evidence.proposals().flatMap(({ node, evidence, expiresAtUs }) => {
    if (expiresAtUs <= at.timeUs || findMember(membership, node) === undefined) return [];
    const change: WeightChanges = { kind: "membership.change", epoch, expiresAtUs, add: [], remove: [node], reweight: [] };
    return [{ node, evidence, change, code: firstHeight > at.height ? "MEMBERSHIP_IN_FLIGHT" : removalFailure(store, change) }];
  });
}

function removalFailure(store: LedgerStore, change: WeightChanges): ErrorCode | "OK" {
  const { membership } = store.nodes.newest;
  const members = nextMembers(store, membership, { ...change, renew: [] });
  return typeof members === "string" ? members : membershipFailure({ epoch: membership.epoch + 1, members }, store.genesis);
}

function applyByKind(context: ChangeContext, change: Change): ErrorCode | "OK" {
  switch (change.kind) {
    case "membership.change":
      return changeMembers(context, change);
    case "learner.add":
      return addLearner(context, change);
    default:
      return removeLearner(context, change);
  }
}

/** More than half of genesis's operators, the issuer among them. */
function approvalFailure({ store, issuer }: ChangeContext, { approvals }: GovernanceBody): ErrorCode | "OK" {
  const isOperator = (id: string): boolean => store.operator(id)?.roles.includes("operator") === true;
  if (!isOperator(issuer)) return "IDENTITY_ROLE_MISSING";
  // An id that genesis does not name gave no signature to verify, so nothing is known of it.
  if (approvals.some(({ operator }) => !isOperator(operator))) return "IDENTITY_ROLE_MISSING";
  const approving = new Set([issuer, ...approvals.map(({ operator }) => operator as string)]);
  return 2 * approving.size > operatorCount(store.genesis) ? "OK" : "MEMBERSHIP_APPROVALS";
}

function operatorCount({ operators }: Genesis): number {
  return operators.filter(({ roles }) => roles.includes("operator")).length;
}

function addLearner({ store, height }: ChangeContext, { node }: LearnerAddition): ErrorCode | "OK" {
  const { member, trustDomain } = node;
  const { nodes, genesis } = store;
  if (trustDomain !== genesis.trustDomain) return "MEMBERSHIP_INVALID";
  if (store.rules.retiresIds) {
    if (store.isReserved(member.id) || store.service(member.id) !== undefined) return "IDENTITY_EXISTS";
    if (Object.values(member.keys).some((key: string) => store.isKeyUsed(key))) return "IDENTITY_KEY_REUSED";
  }
  // Two roles with one key: found by the rules of a membership of one.
  const failure = membershipFailure({ epoch: 0, members: [member] }, { ...genesis, zeroFaultTolerance: true });
  if (failure !== "OK") return failure;
  if (nodes.learners().length >= LIMITS.learnersMax) return "MEMBERSHIP_INVALID";
  nodes.put({ member, standing: "learner", height });
  return "OK";
}

function removeLearner({ store, height }: ChangeContext, { id }: LearnerRemoval): ErrorCode | "OK" {
  const record = store.nodes.get(id);
  if (record?.standing !== "learner") return "MEMBERSHIP_NODE_UNKNOWN";
  store.nodes.put({ ...record, standing: "retired", height });
  return "OK";
}

function changeMembers({ store, height }: ChangeContext, change: MembershipChange): ErrorCode | "OK" {
  const { nodes, genesis, rules } = store;
  const { firstHeight, membership } = nodes.newest;
  if (firstHeight > height && rules.oneChangeAtATime) return "MEMBERSHIP_IN_FLIGHT";
  const next = nextMembers(store, membership, change);
  if (typeof next === "string") return next;
  if (next.length > LIMITS.membersMax) return "MEMBERSHIP_INVALID";
  const nextMembership = { epoch: membership.epoch + 1, members: next };
  const failure = rules.checksMembers ? membershipFailure(nextMembership, genesis) : "OK";
  if (failure !== "OK") return failure;
  for (const member of next) if (nodes.get(member.id)?.standing === "learner") nodes.put({ member, standing: "member", height });
  for (const member of membership.members) {
    if (change.remove.includes(member.id)) nodes.put({ member, standing: "retired", height });
  }
  nodes.begin({ firstHeight: rules.firstHeightOf(height, genesis.activationDelay), membership: nextMembership });
  return "OK";
}

/** The members after the change in ascending id; or why there are none. */
function nextMembers(store: LedgerStore, before: Membership, change: MembershipChange): readonly Member[] | ErrorCode {
  const members = new Map<string, Member>(before.members.map((member) => [member.id, member]));
  for (const id of change.remove) if (!members.delete(id)) return "MEMBERSHIP_NODE_UNKNOWN";
  for (const { id, weight } of change.reweight) {
    const member = members.get(id);
    if (member === undefined) return "MEMBERSHIP_NODE_UNKNOWN";
    members.set(id, withWeight(member, weight));
  }
  for (const { id, weight } of change.add) {
    const record = store.nodes.get(id);
    if (record?.standing !== "learner") return "MEMBERSHIP_NODE_UNKNOWN";
    members.set(id, withWeight(record.member, weight));
  }
  for (const renewal of change.renew) {
    const renewed = renewedMember(store, members.get(renewal.node.member.id), renewal);
    if (typeof renewed === "string") return renewed;
    members.set(renewed.id, renewed);
  }
  return inOrder(members.values());
}

function membershipFailure(membership: Membership, genesis: Parameters<typeof checkMembership>[1]): ErrorCode | "OK" {
  try {
    checkMembership(membership, genesis);
    return "OK";
  } catch (error) {
    return errorCode(error);
  }
}
