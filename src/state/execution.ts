import {
  type CanonicalObject,
  type CanonicalValue,
  type EntryDraft,
  type EntryKind,
  type ErrorCode,
  findMember,
  LIMITS,
  QuorumgateError,
  type SignedCommand,
  unreachable,
} from "#base";
import { measure } from "./capability.ts";
import type { AuthorizationRequest, CommandBody, GrantDraft, ServiceRegistration } from "./command-body.ts";
import { decide, decisionToCanonical } from "./decision.ts";
import type { EvidenceBody } from "./evidence.ts";
import { recordEvidence } from "./evidence-rules.ts";
import type { GovernanceBody, GovernanceKind } from "./governance.ts";
import type { LedgerStore } from "./ledger-store.ts";
import { applyChange } from "./membership-rules.ts";
import type { Revocation, ServiceRecord } from "./records.ts";

/** Where a command runs. */
export interface Execution {
  readonly store: LedgerStore;
  readonly height: number;
  /** The block's time. */
  readonly timeUs: number;
  /** See DecisionView. */
  readonly toleratesLies: boolean;
  readonly signed: SignedCommand;
}

/** How a write ends: what it did, or why it did nothing. */
interface Written {
  readonly kind: EntryKind;
  readonly subject: string;
  readonly action: string;
  readonly code: ErrorCode | "OK";
  readonly capability?: CanonicalObject;
}

/** How an entry says that a change was made. */
const DONE = {
  "membership.change": "membership.changed",
  "learner.add": "learner.added",
  "learner.remove": "learner.removed",
} as const satisfies Record<GovernanceKind, string>;

/**
 * Whether the command's key belongs to its issuer, as far as the state knows; the code where it does not. A registration is
 * vouched for by its attestation's issuer, whose signature every replica verified before it voted (see commandClaims).
 */
export function authenticationFailure(execution: Execution, body: CommandBody): ErrorCode | undefined {
  const { store, signed } = execution;
  if (body.kind === "service.register") return store.isIssuer(body.service.attestation.issuer) ? undefined : "IDENTITY_ISSUER_UNKNOWN";
  const { issuer, key } = signed.command;
  if (body.kind === "evidence.record") return reporterFailure(execution);
  const registered = store.operator(issuer)?.key ?? store.service(issuer)?.publicKey;
  if (registered === undefined) return "IDENTITY_UNKNOWN";
  return registered === key ? undefined : "IDENTITY_KEY_MISMATCH";
}

/** Only members of the present epoch report evidence, under their gateway keys. */
function reporterFailure({ store, height, signed }: Execution): ErrorCode | undefined {
  const { issuer, key } = signed.command;
  const member = findMember(store.nodes.epochAt(height).membership, issuer);
  if (member === undefined) return "IDENTITY_UNKNOWN";
  return member.keys.gateway === key ? undefined : "IDENTITY_KEY_MISMATCH";
}

/** Executes an authenticated command and gives its entry. Writes go to the store's overlay; the caller commits or drops it. */
export function execute(execution: Execution, body: CommandBody): EntryDraft {
  switch (body.kind) {
    case "service.register":
      return written(execution, onServiceRegister(execution, body.service));
    case "service.revoke":
      return written(execution, onServiceRevoke(execution, body));
    case "grant.create":
      return written(execution, onGrantCreate(execution, body.grant));
    case "grant.revoke":
      return written(execution, onGrantRevoke(execution, body));
    case "authorize":
      return onAuthorize(execution, body.request);
    case "evidence.record":
      return written(execution, onEvidence(execution, body));
    case "membership.change":
    case "learner.add":
    case "learner.remove":
      return written(execution, onChange(execution, body));
    default:
      return unreachable(body);
  }
}

function onServiceRegister({ store, height, timeUs }: Execution, service: ServiceRegistration): Written {
  const known = store.service(service.id);
  const code = registrationFailure(store, { service, known, timeUs });
  const { id, publicKey, attestation, meshRole, consensusWeight, trustedPeers } = service;
  if (code !== "OK") return { kind: "registration", subject: id, action: "service.register", code };
  store.services.put(id, {
    id,
    publicKey,
    attestation,
    meshRole,
    consensusWeight,
    trustedPeers,
    registeredHeight: known?.registeredHeight ?? height,
    registeredAtUs: known?.registeredAtUs ?? timeUs,
    renewedHeight: height,
  });
  return { kind: "registration", subject: id, action: known === undefined ? "service.registered" : "service.renewed", code };
}

function registrationFailure(
  store: LedgerStore,
  registration: { readonly service: ServiceRegistration; readonly known: ServiceRecord | undefined; readonly timeUs: number },
): ErrorCode | "OK" {
  const { service, known, timeUs } = registration;
  const { notBeforeUs, notAfterUs } = service.attestation;
  if (known?.revoked !== undefined) return "IDENTITY_REVOKED";
  if (store.isReserved(service.id)) return "IDENTITY_EXISTS";
  if (known === undefined && store.isKeyUsed(service.publicKey)) return "IDENTITY_KEY_REUSED";
  if (known !== undefined && known.publicKey !== service.publicKey) return "IDENTITY_EXISTS";
  // A renewal has to last longer: an older attestation would take back what a newer one says.
  if (known !== undefined && notAfterUs <= known.attestation.notAfterUs) return "IDENTITY_EXISTS";
  return timeUs < notBeforeUs || timeUs >= notAfterUs ? "IDENTITY_EXPIRED" : "OK";
}

function onServiceRevoke(execution: Execution, body: { readonly service: string; readonly reason: string }): Written {
  const { store, signed } = execution;
  const service = store.service(body.service);
  const result = { kind: "revocation", subject: body.service } as const;
  const bySelf = signed.command.issuer === body.service;
  if (!bySelf && !isOperator(execution)) return { ...result, action: "service.revoke", code: "IDENTITY_ROLE_MISSING" };
  if (service === undefined) return { ...result, action: "service.revoke", code: "IDENTITY_UNKNOWN" };
  if (service.revoked !== undefined) return { ...result, action: "service.revoke", code: "IDENTITY_REVOKED" };
  store.services.put(service.id, { ...service, revoked: revocation(execution, body.reason) });
  return { ...result, action: "service.revoked", code: "OK" };
}

function onGrantCreate(execution: Execution, draft: GrantDraft): Written {
  const { store, height, timeUs, signed } = execution;
  const capability = (signed.command.body["grant"] as CanonicalObject)["capability"] as CanonicalObject;
  const { service, notBeforeUs, notAfterUs } = draft;
  const result = (action: string, code: Written["code"]): Written => ({ kind: "grant", subject: service, action, code, capability });
  const code = grantFailure(execution, draft);
  if (code !== "OK") return result("grant.create", code);
  const { domain, operation } = draft.capability;
  if (!store.makeRoom({ service, domain, operation, timeUs })) return result("grant.create", "AUTHZ_GRANT_LIMIT");
  store.grants.put(signed.hash, {
    service,
    capability: draft.capability,
    notBeforeUs,
    notAfterUs,
    id: signed.hash,
    sequence: store.grantSequence + 1,
    createdBy: signed.command.issuer,
    createdHeight: height,
    createdAtUs: timeUs,
    measures: measure(draft.capability),
  });
  return result("grant.created", "OK");
}

function grantFailure(execution: Execution, draft: GrantDraft): ErrorCode | "OK" {
  const service = execution.store.service(draft.service);
  if (!isOperator(execution)) return "IDENTITY_ROLE_MISSING";
  if (service === undefined) return "IDENTITY_UNKNOWN";
  if (service.revoked !== undefined) return "IDENTITY_REVOKED";
  return draft.notAfterUs <= execution.timeUs ? "AUTHZ_GRANT_EXPIRED" : "OK";
}

function onGrantRevoke(execution: Execution, body: { readonly grant: string; readonly reason: string }): Written {
  const { store } = execution;
  const grant = store.grants.get(body.grant);
  const result = { kind: "revocation", subject: grant?.service ?? body.grant } as const;
  if (!isOperator(execution)) return { ...result, action: "grant.revoke", code: "IDENTITY_ROLE_MISSING" };
  if (grant === undefined) return { ...result, action: "grant.revoke", code: "AUTHZ_GRANT_UNKNOWN" };
  if (grant.revoked !== undefined) return { ...result, action: "grant.revoke", code: "AUTHZ_GRANT_REVOKED" };
  store.grants.put(grant.id, { ...grant, revoked: revocation(execution, body.reason) });
  return { ...result, action: "grant.revoked", code: "OK" };
}

function onChange({ store, height, timeUs, signed }: Execution, body: GovernanceBody): Written {
  const code = applyChange({ store, height, timeUs, issuer: signed.command.issuer }, body);
  const action = code === "OK" ? DONE[body.kind] : body.kind;
  const subject =
    body.change.kind === "learner.add" ? body.change.node.member.id : body.change.kind === "learner.remove" ? body.change.id : "cluster";
  return { kind: "membership", subject, action, code };
}

function onEvidence({ store, height, timeUs, signed }: Execution, { accusation }: EvidenceBody): Written {
  const { issuer, cluster } = signed.command;
  const code = recordEvidence({ store, cluster, height, timeUs, issuer, command: signed.hash }, accusation);
  return { kind: "evidence", subject: accusation.node, action: code === "OK" ? "evidence.recorded" : "evidence.record", code };
}

function onAuthorize({ store, timeUs, toleratesLies, signed }: Execution, request: AuthorizationRequest): EntryDraft {
  const { command } = signed;
  const view = {
    timeUs,
    toleratesLies,
    rules: store.rules,
    service: (id: string) => store.service(id),
    grantsFor: (service: string, domain: string, operation: string) => store.grantsFor(service, domain, operation),
  };
  const outcome = decide(view, { capability: request.capability, serviceId: command.issuer, key: command.key });
  const content: Record<string, CanonicalValue> = { action: "authorize", explanation: decisionToCanonical(outcome), id: command.id };
  for (const [name, value] of Object.entries(command.body)) if (name !== "capability" && name !== "sessionId") content[name] = value;
  const draft: EntryDraft = {
    kind: "decision",
    provenance: "signed",
    command: signed.hash,
    actor: command.issuer,
    subject: command.issuer,
    capability: command.body["capability"] as CanonicalObject,
    decision: outcome.decision,
    reason: outcome.reason,
    delegation: [],
    content,
  };
  return request.sessionId === undefined ? draft : { ...draft, session: request.sessionId };
}

function written({ signed }: Execution, result: Written): EntryDraft {
  const { kind, subject, action, code, capability } = result;
  const { command } = signed;
  return {
    kind,
    provenance: "signed",
    command: signed.hash,
    actor: command.issuer,
    subject,
    ...(capability === undefined ? {} : { capability }),
    reason: code,
    delegation: [],
    content: { action, id: command.id, request: command.body },
  };
}

function isOperator({ store, signed }: Execution): boolean {
  return store.operator(signed.command.issuer)?.roles.includes("operator") === true;
}

function revocation({ height, timeUs, signed }: Execution, reason: string): Revocation {
  return { by: signed.command.issuer, height, timeUs, reason };
}

/** Refuses a command outside its time, by the block's time. @throws {QuorumgateError} COMMAND_EXPIRED */
export function checkCommandTime({ signed, store, timeUs: blockTimeUs }: Execution): void {
  const timeUs = store.rules.judgedAtUs(blockTimeUs);
  const { issuedAtUs, expiresAtUs } = signed.command;
  if (timeUs >= expiresAtUs) throw new QuorumgateError("COMMAND_EXPIRED", "the command has expired");
  if (issuedAtUs > timeUs + LIMITS.clockSkewMaxUs) throw new QuorumgateError("COMMAND_EXPIRED", "the command is not yet valid");
}
