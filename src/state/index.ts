export { type Attestation, type AttestedSubject, attestationBytes, attestationToCanonical } from "./attestation.ts";
export { type Capability, type CapabilityPattern, type Constraints, capabilityToCanonical, parseCapability } from "./capability.ts";
export {
  CAPABILITY_PRESETS,
  CapabilityBuilder,
  type CapabilityMakers,
  capabilityPreset,
  type PresetActions,
  type PresetOptions,
} from "./capability-builder.ts";
export {
  type AuthorizationRequest,
  authorizeBody,
  COMMAND_KINDS,
  type CommandBody,
  type GrantDraft,
  grantCreateBody,
  readAuthorizationRequest,
  readCommandBody,
  type ServiceRegistration,
  serviceRegisterBody,
} from "./command-body.ts";
export {
  type DecisionOutcome,
  type DecisionStage,
  decisionToCanonical,
  type EvaluationRequest,
  type FailedCheck,
  type Hint,
} from "./decision.ts";
export { type EvidenceBody, type EvidenceRecord, evidenceRecordBody } from "./evidence.ts";
export {
  approvalBytes,
  type Change,
  type ChangeDraft,
  changeToCanonical,
  GOVERNANCE_KINDS,
  type GovernanceKind,
  isGovernanceKind,
  readChange,
  type WeightChange,
} from "./governance.ts";
export { type LedgerOptions, LedgerState, type PendingChange } from "./ledger-state.ts";
export type { ServicePage } from "./ledger-store.ts";
export type { ProposedRemoval } from "./membership-rules.ts";
export { isInTree, type Totals } from "./meta.ts";
export type { NodeRecord } from "./nodes.ts";
export { type ClaimContext, checkCommandShape, commandClaims } from "./pre-vote.ts";
export { ProvedParts } from "./proved-parts.ts";
export { parseDataVolume, parseRateLimit } from "./quantities.ts";
export { type RecordedEntry, resultOfEntry } from "./recorded.ts";
export { type GrantRecord, grantToCanonical, type Revocation, type ServiceRecord, serviceToCanonical } from "./records.ts";
export { type StateRules, stateRules } from "./rules.ts";
export { partBytes, type StateItem, type StatePart } from "./state-part.ts";
export { itemsOf, StateAssembly, StateSnapshot, stateOf } from "./state-snapshot.ts";
export { STATE_PATH_MAX, StateTree } from "./state-tree.ts";
export { AUDIT_LEVELS, type AuditLevel, type OpenFields, RISK_LEVELS, type RiskLevel, SCOPES, type Scope } from "./vocabulary.ts";
