import {
  type CanonicalObject,
  type Command,
  FieldReader,
  type Hash,
  LIMITS,
  type NodeId,
  type PublicKey,
  parseHash,
  parseNodeId,
  parsePublicKey,
  parseSubjectId,
  QuorumgateError,
  type SubjectId,
} from "#base";
import { type Attestation, attestationToCanonical, readAttestation } from "./attestation.ts";
import { type Capability, type CapabilityPattern, capabilityToCanonical, readCapability, readCapabilityPattern } from "./capability.ts";
import { type EvidenceBody, readEvidenceBody } from "./evidence.ts";
import { GOVERNANCE_KINDS, type GovernanceBody, isGovernanceKind, readGovernanceBody } from "./governance.ts";
import { type OpenFields, optional, readOpenFields, readWord, shapeError } from "./vocabulary.ts";

/** What a service says of itself when it registers, vouched for by an issuer. */
export interface ServiceRegistration {
  readonly id: SubjectId;
  readonly publicKey: PublicKey;
  readonly attestation: Attestation;
  readonly meshRole: string;
  /** Advisory: real weight comes from governance. */
  readonly consensusWeight: number;
  readonly trustedPeers: readonly NodeId[];
}

/** What an operator grants. Times in microseconds since 1970; valid from `notBeforeUs` on, until before `notAfterUs`. */
export interface GrantDraft {
  readonly service: SubjectId;
  readonly capability: CapabilityPattern;
  readonly notBeforeUs: number;
  readonly notAfterUs: number;
}

/** A service's question. `sessionId` is recorded; sessions are not checked yet. */
export interface AuthorizationRequest {
  readonly sessionId?: string;
  readonly capability: Capability;
  readonly context?: OpenFields;
  readonly consensusRequired?: boolean;
  readonly crossNode?: boolean;
}

/** A command's body by kind. */
export type CommandBody =
  | { readonly kind: "service.register"; readonly service: ServiceRegistration }
  | { readonly kind: "service.revoke"; readonly service: SubjectId; readonly reason: string }
  | { readonly kind: "grant.create"; readonly grant: GrantDraft }
  | { readonly kind: "grant.revoke"; readonly grant: Hash; readonly reason: string }
  | { readonly kind: "authorize"; readonly request: AuthorizationRequest }
  | EvidenceBody
  | GovernanceBody;

/** Every kind of command that this version applies. */
export const COMMAND_KINDS: readonly string[] = [
  "service.register",
  "service.revoke",
  "grant.create",
  "grant.revoke",
  "authorize",
  "evidence.record",
  ...GOVERNANCE_KINDS,
];

/** A body is read once per command object, though gateway, pre-vote check and apply all need it. Holds nothing alive. */
const READ_BODIES = new WeakMap<Command, CommandBody>();

/**
 * Reads a command's body by its kind, strictly.
 * @throws {QuorumgateError} COMMAND_KIND_UNKNOWN, FORMAT_* and, for a registration by another, IDENTITY_KEY_MISMATCH
 */
export function readCommandBody(command: Command): CommandBody {
  const known = READ_BODIES.get(command);
  if (known !== undefined) return known;
  const body = readBody(command);
  READ_BODIES.set(command, body);
  return body;
}

/** The body of `service.register`. */
export function serviceRegisterBody(service: ServiceRegistration): CanonicalObject {
  const { id, publicKey, attestation, meshRole, consensusWeight, trustedPeers } = service;
  return {
    service: {
      id,
      publicKey,
      attestation: attestationToCanonical(attestation),
      meshRole,
      consensusWeight,
      trustedPeers: [...trustedPeers],
    },
  };
}

/** The body of `grant.create`. */
export function grantCreateBody(grant: GrantDraft): CanonicalObject {
  const { service, capability, notBeforeUs, notAfterUs } = grant;
  return {
    grant: { service, capability: capabilityToCanonical(capability), notBefore: String(notBeforeUs), notAfter: String(notAfterUs) },
  };
}

/** The body of `authorize`. */
export function authorizeBody(request: AuthorizationRequest): CanonicalObject {
  const { sessionId, context, consensusRequired, crossNode } = request;
  return {
    capability: capabilityToCanonical(request.capability),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(context === undefined ? {} : { context: { ...context } }),
    ...(consensusRequired === undefined ? {} : { consensusRequired }),
    ...(crossNode === undefined ? {} : { crossNode }),
  };
}

function readBody(command: Command): CommandBody {
  const reader = new FieldReader(command.body, "body");
  switch (command.kind) {
    case "service.register":
      return readRegister(reader, command);
    case "service.revoke":
      return readServiceRevoke(reader);
    case "grant.create":
      return readGrantCreate(reader);
    case "grant.revoke":
      return readGrantRevoke(reader);
    case "authorize":
      return { kind: "authorize", request: readAuthorizationRequest(reader) };
    case "evidence.record":
      return readEvidenceBody(reader);
    default:
      if (isGovernanceKind(command.kind)) return readGovernanceBody(reader, { kind: command.kind, cluster: command.cluster });
      throw new QuorumgateError("COMMAND_KIND_UNKNOWN", "the kind is not known to this version");
  }
}

function readRegister(reader: FieldReader, command: Command): CommandBody {
  const fields = reader.object("service");
  const service: ServiceRegistration = {
    id: parseSubjectId(fields.text("id")),
    publicKey: parsePublicKey(fields.text("publicKey")),
    attestation: readAttestation(fields.object("attestation")),
    meshRole: readWord(fields, "meshRole"),
    consensusWeight: fields.integer("consensusWeight", { min: 0, max: LIMITS.totalWeightMax }),
    trustedPeers: fields.texts("trustedPeers", { countMax: LIMITS.membersMax, lengthMax: 63 }).map(parseNodeId),
  };
  fields.end();
  reader.end();
  // Proof of possession: a key is registered by a command that the very key signed, in its own name.
  if (service.id !== command.issuer || service.publicKey !== command.key) {
    throw new QuorumgateError("IDENTITY_KEY_MISMATCH", "a service registers itself, with the key that signs the command");
  }
  return { kind: "service.register", service };
}

function readServiceRevoke(reader: FieldReader): CommandBody {
  const service = parseSubjectId(reader.text("service"));
  const reason = readReason(reader);
  reader.end();
  return { kind: "service.revoke", service, reason };
}

function readGrantCreate(reader: FieldReader): CommandBody {
  const fields = reader.object("grant");
  const grant: GrantDraft = {
    service: parseSubjectId(fields.text("service")),
    capability: readCapabilityPattern(fields.object("capability")),
    notBeforeUs: fields.decimal("notBefore"),
    notAfterUs: fields.decimal("notAfter"),
  };
  fields.end();
  reader.end();
  if (grant.notAfterUs <= grant.notBeforeUs) throw shapeError("a grant ends after it begins");
  return { kind: "grant.create", grant };
}

function readGrantRevoke(reader: FieldReader): CommandBody {
  const grant = parseHash(reader.text("grant"));
  const reason = readReason(reader);
  reader.end();
  return { kind: "grant.revoke", grant, reason };
}

/** Reads the body of `authorize`; also for requests that come without a signed command. @throws {QuorumgateError} FORMAT_* */
export function readAuthorizationRequest(reader: FieldReader): AuthorizationRequest {
  const sessionId = optional(reader, "sessionId", () => parseSubjectId(reader.text("sessionId")));
  const context = optional(reader, "context", () => readOpenFields(reader.object("context"), LIMITS.contextFieldsMax));
  const consensusRequired = optional(reader, "consensusRequired", () => reader.boolean("consensusRequired"));
  const crossNode = optional(reader, "crossNode", () => reader.boolean("crossNode"));
  const capability = readCapability(reader.object("capability"));
  reader.end();
  if (sessionId === undefined && context === undefined && consensusRequired === undefined && crossNode === undefined) return { capability };
  return {
    capability,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(context === undefined ? {} : { context }),
    ...(consensusRequired === undefined ? {} : { consensusRequired }),
    ...(crossNode === undefined ? {} : { crossNode }),
  };
}

function readReason(reader: FieldReader): string {
  return reader.text("reason", LIMITS.freeTextMax);
}
