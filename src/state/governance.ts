import {
  type CanonicalObject,
  type CanonicalValue,
  type Command,
  encodeCanonical,
  FieldReader,
  fromBase64Url,
  type Hash,
  type Hasher,
  isObject,
  LIMITS,
  type NodeId,
  type NodeStatement,
  type PerKey,
  parseNodeId,
  parseSubjectId,
  QuorumgateError,
  readNodeStatement,
  type SubjectId,
  toHex,
} from "#base";
import { shapeError } from "./vocabulary.ts";

/** Kinds of commands that change who takes part. Each holds a change and the approvals of operators. */
export const GOVERNANCE_KINDS = ["membership.change", "learner.add", "learner.remove"] as const;
/** See GOVERNANCE_KINDS. */
export type GovernanceKind = (typeof GOVERNANCE_KINDS)[number];

/** A node and the weight that it is to have. */
export interface WeightChange {
  readonly id: NodeId;
  readonly weight: number;
}

/** What every change says: against which epoch it was made, and when its approvals end, microseconds since 1970. */
interface ChangeFrame {
  readonly epoch: number;
  readonly expiresAtUs: number;
}

/** What a change of members says of weights. */
export interface WeightChanges extends ChangeFrame {
  readonly kind: "membership.change";
  readonly add: readonly WeightChange[];
  readonly remove: readonly NodeId[];
  readonly reweight: readonly WeightChange[];
}

/** A member's new statement, with keys or addresses that take the place of its present ones. */
export interface Renewal {
  readonly node: NodeStatement;
  readonly proofs: PerKey;
}

/** A change of members: learners that become members, members that leave, members whose weight, keys or addresses change. */
export interface MembershipChange extends WeightChanges {
  readonly renew: readonly Renewal[];
}

/** A node that is to replicate without weight, by its signed statement. */
export interface LearnerAddition extends ChangeFrame {
  readonly kind: "learner.add";
  readonly node: NodeStatement;
  readonly proofs: PerKey;
}

/** A learner that is to leave. */
export interface LearnerRemoval extends ChangeFrame {
  readonly kind: "learner.remove";
  readonly id: NodeId;
}

/** See GOVERNANCE_KINDS. */
export type Change = MembershipChange | LearnerAddition | LearnerRemoval;

/** An operator's word for a change: Ed25519 over `approvalBytes`, purpose `approval`, 64 bytes. */
export interface Approval {
  readonly operator: SubjectId;
  readonly signature: Uint8Array;
}

/** The body of a governance command. */
export interface GovernanceBody {
  readonly kind: GovernanceKind;
  readonly change: Change;
  /** The change as it stands in the command: what is hashed and approved. */
  readonly canonical: CanonicalObject;
  readonly approvals: readonly Approval[];
}

/** A change as operators make and approve it; `cluster` and `v` are put in by `changeToCanonical`. */
export type ChangeDraft =
  | (WeightChanges & { readonly renew?: readonly CanonicalObject[] })
  | LearnerRemoval
  | (ChangeFrame & { readonly kind: "learner.add"; readonly nodeFile: CanonicalObject });

/** The canonical form of a change: what operators approve. */
export function changeToCanonical(cluster: Hash, change: ChangeDraft): CanonicalObject {
  const frame = { v: 1, cluster, epoch: change.epoch, expiresAt: String(change.expiresAtUs) };
  switch (change.kind) {
    case "membership.change": {
      const weights = (changes: readonly WeightChange[]): CanonicalObject[] => changes.map(({ id, weight }) => ({ id, weight }));
      const { renew = [] } = change;
      const weighed = { ...frame, add: weights(change.add), remove: [...change.remove], reweight: weights(change.reweight) };
      return renew.length === 0 ? weighed : { ...weighed, renew };
    }
    case "learner.add":
      return { ...frame, node: change.nodeFile };
    default:
      return { ...frame, id: change.id };
  }
}

/** What an operator signs under purpose `approval`: {v, cluster, kind, change: SHA-256 of the change's canonical bytes}. */
export function approvalBytes(
  hasher: Hasher,
  approved: { readonly cluster: Hash; readonly kind: GovernanceKind; readonly change: CanonicalObject },
): Uint8Array {
  const { cluster, kind, change } = approved;
  return encodeCanonical({ v: 1, cluster, kind, change: toHex(hasher.sha256(encodeCanonical(change))) });
}

/** True for a kind of command that operators approve. */
export function isGovernanceKind(kind: string): kind is GovernanceKind {
  return (GOVERNANCE_KINDS as readonly string[]).includes(kind);
}

/** Reads {change, approvals} of a governance command. @throws {QuorumgateError} format errors, COMMAND_CLUSTER, MEMBERSHIP_INVALID */
export function readGovernanceBody(
  reader: FieldReader,
  command: Pick<Command, "cluster"> & { readonly kind: GovernanceKind },
): GovernanceBody {
  const { kind, cluster } = command;
  const canonical = reader.value("change");
  if (!isObject(canonical)) throw shapeError("a change is an object");
  const change = readChange(kind, canonical, cluster);
  const approvals = reader.list("approvals", LIMITS.approvalsMax).map(readApproval);
  reader.end();
  if (new Set(approvals.map(({ operator }) => operator)).size !== approvals.length) throw shapeError("an operator approves once");
  return { kind, change, canonical, approvals };
}

/** Reads a change by its kind. @throws {QuorumgateError} format errors, COMMAND_CLUSTER, MEMBERSHIP_INVALID */
export function readChange(kind: GovernanceKind, canonical: CanonicalObject, cluster: Hash): Change {
  const reader = new FieldReader(canonical, "change");
  reader.integer("v", { min: 1, max: 1 });
  if (reader.text("cluster") !== cluster) throw new QuorumgateError("COMMAND_CLUSTER", "the change names another cluster");
  const frame: ChangeFrame = {
    epoch: reader.integer("epoch", { min: 0, max: Number.MAX_SAFE_INTEGER }),
    expiresAtUs: reader.decimal("expiresAt"),
  };
  const change = readChangeOf(kind, reader, frame);
  reader.end();
  return change;
}

function readChangeOf(kind: GovernanceKind, reader: FieldReader, frame: ChangeFrame): Change {
  if (kind === "learner.remove") return { kind, ...frame, id: parseNodeId(reader.text("id")) };
  if (kind === "learner.add") {
    const { statement, proofs } = readNodeStatement(reader.value("node"));
    return { kind, ...frame, node: statement, proofs };
  }
  const change: MembershipChange = {
    kind,
    ...frame,
    add: reader.list("add", LIMITS.membersMax).map(readWeight),
    remove: reader.texts("remove", { countMax: LIMITS.membersMax, lengthMax: 63 }).map(parseNodeId),
    reweight: reader.list("reweight", LIMITS.membersMax).map(readWeight),
    renew: readRenewals(reader),
  };
  const renewed = change.renew.map(({ node }) => node.member.id);
  const ids = [...change.add.map(({ id }) => id), ...change.remove, ...change.reweight.map(({ id }) => id), ...renewed];
  if (ids.length === 0) throw shapeError("a change changes something");
  if (new Set(ids).size !== ids.length) throw shapeError("a change names a node once");
  return change;
}

/** Absent where nothing is renewed: an empty list has another form already. */
function readRenewals(reader: FieldReader): readonly Renewal[] {
  if (!reader.has("renew")) return [];
  const renewals = reader.list("renew", LIMITS.renewalsMax).map((value): Renewal => {
    const { statement, proofs } = readNodeStatement(value);
    return { node: statement, proofs };
  });
  if (renewals.length === 0) throw shapeError("a list of renewals is absent or holds one");
  return renewals;
}

function readWeight(value: CanonicalValue): WeightChange {
  const reader = new FieldReader(value, "weight");
  const change = { id: parseNodeId(reader.text("id")), weight: reader.integer("weight", { min: 1, max: LIMITS.totalWeightMax }) };
  reader.end();
  return change;
}

function readApproval(value: CanonicalValue): Approval {
  const reader = new FieldReader(value, "approval");
  const approval = { operator: parseSubjectId(reader.text("operator")), signature: fromBase64Url(reader.text("signature", 86)) };
  reader.end();
  if (approval.signature.length !== 64) throw shapeError("an approval's signature has 64 bytes");
  return approval;
}
