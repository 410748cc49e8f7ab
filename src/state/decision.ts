import type { CanonicalObject, ErrorCode, PublicKey } from "#base";
import { type Capability, coversResource, type Measures, measure } from "./capability.ts";
import type { AuthorizationRequest } from "./command-body.ts";
import type { GrantRecord, ServiceRecord } from "./records.ts";
import type { StateRules } from "./rules.ts";
import { RISK_LEVELS } from "./vocabulary.ts";

/** What a decision looks at. */
export interface DecisionView {
  /** Agreed time, microseconds since 1970. */
  readonly timeUs: number;
  /** Whether the engine's quorum holds against members that lie. */
  readonly toleratesLies: boolean;
  readonly rules: Pick<StateRules, "allows">;
  service(id: string): ServiceRecord | undefined;
  /** Grants of a service for exactly this operation (or `*`), in order. */
  grantsFor(service: string, domain: string, operation: string): readonly GrantRecord[];
}

/** A question with who asks it. Without a key the registered one is assumed (dry runs by others). */
export interface EvaluationRequest extends AuthorizationRequest {
  readonly serviceId: string;
  readonly key?: PublicKey;
}

/** What one check of the closest grant found wanting. */
export interface FailedCheck {
  readonly check: string;
  readonly code: ErrorCode;
  readonly asked: string;
}

/** One step of a decision. A stage after a failed one is skipped. */
export interface DecisionStage {
  readonly stage: "identity" | "capability" | "constraints";
  readonly result: "passed" | "failed" | "skipped";
  readonly code: ErrorCode | "OK";
  readonly failed?: readonly FailedCheck[];
}

/** A change of the request, or of what is granted, that would have allowed it. */
export interface Hint {
  readonly change: string;
  readonly to: string;
}

/** A decision with its explanation. */
export interface DecisionOutcome {
  readonly decision: "allowed" | "denied";
  readonly reason: ErrorCode | "OK";
  readonly stages: readonly DecisionStage[];
  /** The grant that allowed it, or the one that came closest. */
  readonly grant?: GrantRecord;
  /** What would have allowed it: all of these together, for the closest grant. */
  readonly wouldAllow: readonly Hint[];
}

interface Question {
  readonly capability: Capability;
  readonly measures: Measures;
  readonly timeUs: number;
}

interface Check {
  readonly name: string;
  readonly code: ErrorCode;
  readonly stage: "capability" | "constraints";
  fails(grant: GrantRecord, asked: Question): boolean;
  asked(asked: Question): string;
  granted(grant: GrantRecord): string;
}

/** In order: the first that fails names the decision's reason. */
const CHECKS: readonly Check[] = [
  {
    name: "revocation",
    code: "AUTHZ_GRANT_REVOKED",
    stage: "capability",
    fails: (grant) => grant.revoked !== undefined,
    asked: ({ timeUs }) => `at ${timeUs}`,
    granted: () => "a new grant",
  },
  {
    name: "validity",
    code: "AUTHZ_GRANT_EXPIRED",
    stage: "capability",
    fails: (grant, { timeUs }) => timeUs < grant.notBeforeUs || timeUs >= grant.notAfterUs,
    asked: ({ timeUs }) => `at ${timeUs}`,
    granted: (grant) => `from ${grant.notBeforeUs} until before ${grant.notAfterUs}`,
  },
  {
    name: "scope",
    code: "AUTHZ_SCOPE_EXCEEDED",
    stage: "capability",
    fails: (grant, { measures }) => measures.scopeRank > grant.measures.scopeRank,
    asked: ({ capability }) => capability.scope,
    granted: (grant) => grant.capability.scope,
  },
  {
    name: "temporal",
    code: "AUTHZ_TEMPORAL_DENIED",
    stage: "capability",
    fails: ({ capability: { temporal } }, asked) => !temporal.includes(asked.capability.temporal) && !temporal.includes("*"),
    asked: ({ capability }) => capability.temporal,
    granted: (grant) => grant.capability.temporal.join(", "),
  },
  {
    name: "resources",
    code: "AUTHZ_RESOURCE_DENIED",
    stage: "capability",
    fails: (grant, { capability }) => capability.resources.some((resource) => !isGranted(grant, resource)),
    asked: ({ capability }) => listed(capability.resources),
    granted: (grant) => listed(grant.capability.resources),
  },
  {
    name: "riskLevel",
    code: "AUTHZ_RISK_EXCEEDED",
    stage: "capability",
    fails: (grant, { measures }) => measures.riskRank > grant.measures.riskRank,
    asked: ({ capability }) => capability.riskLevel,
    granted: (grant) => grant.capability.riskLevel,
  },
  {
    name: "dataVolume",
    code: "AUTHZ_CONSTRAINT_EXCEEDED",
    stage: "constraints",
    fails: (grant, { measures }) => exceeds(measures.volumeBytes, grant.measures.volumeBytes),
    asked: ({ capability }) => capability.constraints?.dataVolume ?? "without limit",
    granted: (grant) => grant.capability.constraints?.dataVolume ?? "without limit",
  },
  {
    name: "rateLimit",
    code: "AUTHZ_CONSTRAINT_EXCEEDED",
    stage: "constraints",
    fails: (grant, { measures }) => exceeds(measures.ratePerHour, grant.measures.ratePerHour),
    asked: ({ capability }) => capability.constraints?.rateLimit ?? "without limit",
    granted: (grant) => grant.capability.constraints?.rateLimit ?? "without limit",
  },
  {
    name: "userConsent",
    code: "AUTHZ_CONSENT_MISSING",
    stage: "constraints",
    fails: (grant, { measures }) => grant.measures.userConsent && !measures.userConsent,
    asked: () => "without consent",
    granted: () => "with consent",
  },
  {
    name: "auditLevel",
    code: "AUTHZ_AUDIT_LEVEL",
    stage: "constraints",
    fails: (grant, { measures }) => measures.auditRank < grant.measures.auditRank,
    asked: ({ capability }) => capability.constraints?.auditLevel ?? "minimal",
    granted: (grant) => grant.capability.constraints?.auditLevel ?? "minimal",
  },
];

const IDENTITY_PASSED: DecisionStage = { stage: "identity", result: "passed", code: "OK" };
const CAPABILITY_PASSED: DecisionStage = { stage: "capability", result: "passed", code: "OK" };
const CONSTRAINTS_PASSED: DecisionStage = { stage: "constraints", result: "passed", code: "OK" };
const CAPABILITY_SKIPPED: DecisionStage = { stage: "capability", result: "skipped", code: "OK" };
const CONSTRAINTS_SKIPPED: DecisionStage = { stage: "constraints", result: "skipped", code: "OK" };
const ALL_PASSED: readonly DecisionStage[] = [IDENTITY_PASSED, CAPABILITY_PASSED, CONSTRAINTS_PASSED];
const NO_HINTS: readonly Hint[] = [];

/** The highest risk that a cluster decides whose engine tolerates crashes only. */
const CRASH_ONLY_RISK_MAX = RISK_LEVELS.indexOf("elevated");

/** How many resources an explanation names: the entry stays small. */
const LISTED_RESOURCES_MAX = 4;

/**
 * Decides a request: the identity, then the first grant that passes every check. Where none does, the explanation is about the
 * closest one: fewest failed checks, then one that has not ended, then the oldest.
 */
export function decide(view: DecisionView, request: EvaluationRequest): DecisionOutcome {
  const identity = identityFailure(view, request);
  if (identity !== undefined) return deniedForIdentity(identity);
  const { capability } = request;
  const asked: Question = { capability, measures: measure(capability), timeUs: view.timeUs };
  if (!view.toleratesLies && asked.measures.riskRank > CRASH_ONLY_RISK_MAX) return deniedForEngine(capability);
  let closest: { readonly grant: GrantRecord; readonly failed: number } | undefined;
  for (const operation of [capability.operation, "*"]) {
    for (const grant of view.grantsFor(request.serviceId, capability.domain, operation)) {
      const failed = failedChecks(grant, asked);
      if (view.rules.allows(failed)) return { decision: "allowed", reason: "OK", stages: ALL_PASSED, grant, wouldAllow: NO_HINTS };
      if (closest === undefined || isCloser({ grant, failed }, closest)) closest = { grant, failed };
    }
  }
  return closest === undefined ? deniedWithoutGrant(capability) : deniedByGrant(closest, asked);
}

/** The canonical form of a decision, without what the caller adds (height, time). */
export function decisionToCanonical(outcome: DecisionOutcome): CanonicalObject {
  const { decision, reason, grant, wouldAllow } = outcome;
  const verdict = { decision, reason, stages: outcome.stages.map(stageToCanonical) };
  const said = grant === undefined ? verdict : { ...verdict, [decision === "allowed" ? "grant" : "closestGrant"]: grant.id };
  return wouldAllow.length === 0 ? said : { ...said, wouldAllow: wouldAllow.map(({ change, to }) => ({ change, to })) };
}

function stageToCanonical({ stage, result, code, failed }: DecisionStage): CanonicalObject {
  if (failed === undefined) return { stage, result, code };
  return { stage, result, code, failed: failed.map(({ check, code: cause, asked }) => ({ check, code: cause, asked })) };
}

function identityFailure(view: DecisionView, request: EvaluationRequest): { code: ErrorCode; hint: Hint } | undefined {
  const service = view.service(request.serviceId);
  if (service === undefined) return { code: "IDENTITY_UNKNOWN", hint: { change: "identity", to: "a registered service" } };
  if (request.key !== undefined && service.publicKey !== request.key) {
    return { code: "IDENTITY_KEY_MISMATCH", hint: { change: "key", to: "the registered key" } };
  }
  if (service.revoked !== undefined) return { code: "IDENTITY_REVOKED", hint: { change: "identity", to: "one that is not revoked" } };
  const { notBeforeUs, notAfterUs } = service.attestation;
  if (view.timeUs < notBeforeUs || view.timeUs >= notAfterUs) {
    return { code: "IDENTITY_EXPIRED", hint: { change: "attestation", to: `one valid at ${view.timeUs}` } };
  }
  return undefined;
}

function failedChecks(grant: GrantRecord, asked: Question): number {
  let failed = 0;
  for (let i = 0; i < CHECKS.length; i++) if (CHECKS[i]?.fails(grant, asked) === true) failed |= 1 << i;
  return failed;
}

function isCloser(
  left: { readonly grant: GrantRecord; readonly failed: number },
  right: { readonly grant: GrantRecord; readonly failed: number },
): boolean {
  const byCount = countBits(left.failed) - countBits(right.failed);
  if (byCount !== 0) return byCount < 0;
  const byEnd = Number(hasEnded(left.failed)) - Number(hasEnded(right.failed));
  return byEnd !== 0 ? byEnd < 0 : left.grant.sequence < right.grant.sequence;
}

/** The first two checks are about the grant's own end. */
function hasEnded(failed: number): boolean {
  return (failed & 0b11) !== 0;
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function deniedForIdentity({ code, hint }: { readonly code: ErrorCode; readonly hint: Hint }): DecisionOutcome {
  const stages = [{ stage: "identity", result: "failed", code } as const, CAPABILITY_SKIPPED, CONSTRAINTS_SKIPPED];
  return { decision: "denied", reason: code, stages, wouldAllow: [hint] };
}

/** One lying member of raft could have decided anything: what is dangerous is not left to it, whatever is granted. */
function deniedForEngine({ riskLevel }: Capability): DecisionOutcome {
  const code = "AUTHZ_ENGINE_TOO_WEAK";
  const failed = [{ check: "riskLevel", code, asked: riskLevel } as const];
  const stages = [IDENTITY_PASSED, { stage: "capability", result: "failed", code, failed } as const, CONSTRAINTS_SKIPPED];
  return { decision: "denied", reason: code, stages, wouldAllow: [{ change: "engine", to: "pbft or tendermint" }] };
}

function deniedWithoutGrant({ domain, operation }: Capability): DecisionOutcome {
  const code = "AUTHZ_NO_GRANT";
  const stages = [IDENTITY_PASSED, { stage: "capability", result: "failed", code } as const, CONSTRAINTS_SKIPPED];
  return { decision: "denied", reason: code, stages, wouldAllow: [{ change: "grant", to: `${domain}:${operation}` }] };
}

function deniedByGrant(closest: { readonly grant: GrantRecord; readonly failed: number }, asked: Question): DecisionOutcome {
  const failed = CHECKS.filter((_check, index) => (closest.failed & (1 << index)) !== 0);
  const capability = stageOf("capability", failed, asked) ?? CAPABILITY_PASSED;
  const constraints = stageOf("constraints", failed, asked) ?? CONSTRAINTS_PASSED;
  return {
    decision: "denied",
    reason: capability.code === "OK" ? constraints.code : capability.code,
    stages: [IDENTITY_PASSED, capability, constraints],
    grant: closest.grant,
    wouldAllow: failed.map((check) => ({ change: check.name, to: check.granted(closest.grant) })),
  };
}

function stageOf(stage: "capability" | "constraints", failed: readonly Check[], asked: Question): DecisionStage | undefined {
  const here = failed.filter((check) => check.stage === stage);
  const [first] = here;
  if (first === undefined) return undefined;
  const checks = here.map((check) => ({ check: check.name, code: check.code, asked: check.asked(asked) }));
  return { stage, result: "failed", code: first.code, failed: checks };
}

function isGranted(grant: GrantRecord, resource: string): boolean {
  return grant.capability.resources.some((granted) => coversResource(granted, resource));
}

/** A granted limit is kept only by a request that states one: no statement means no limit. */
function exceeds(asked: number | undefined, granted: number | undefined): boolean {
  return granted !== undefined && (asked === undefined || asked > granted);
}

function listed(resources: readonly string[]): string {
  const shown = resources.slice(0, LISTED_RESOURCES_MAX).join(", ");
  const more = resources.length - LISTED_RESOURCES_MAX;
  return resources.length === 0 ? "none" : more > 0 ? `${shown} and ${more} more` : shown;
}
