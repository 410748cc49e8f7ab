import { type CanonicalObject, type Hash, type JsonValue, membershipToCanonical, memberToCanonical } from "#base";
import { changeToCanonical, type GovernanceKind, type LedgerState } from "#state";

/** A change with the words of those who approved it. */
export interface ApprovedChange {
  readonly kind: GovernanceKind;
  /** Canonical form, as `changeToCanonical` gives it. */
  readonly change: CanonicalObject;
  readonly approvals: readonly { readonly operator: string; readonly signature: string }[];
}

/** Who takes part, as callers see it. */
export function membersView(state: LedgerState, cluster: Hash): JsonValue {
  const pending = state.pendingChange();
  return {
    ...membershipToCanonical(state.membership()),
    firstHeight: state.epochFirstHeight(),
    learners: state.learners().map((member) => ({ ...memberToCanonical(member) })),
    retired: state.nodeRecords().flatMap(({ member, standing, height }) => (standing === "retired" ? [{ id: member.id, height }] : [])),
    ...(pending === undefined ? {} : { pending: { lastHeight: pending.lastHeight, next: membershipToCanonical(pending.next) } }),
    proposals: state
      .proposedRemovals()
      .map(({ node, evidence, code, change }) => ({ node, evidence, code, kind: change.kind, change: changeToCanonical(cluster, change) })),
  } as JsonValue;
}
