import {
  type CanonicalObject,
  FieldReader,
  type Hash,
  LIMITS,
  parseHash,
  parseNodeId,
  parsePublicKey,
  parseSubjectId,
  type SubjectId,
} from "#base";
import { type Attestation, attestationToCanonical, readAttestation } from "./attestation.ts";
import type { Codec } from "./bucket.ts";
import { type CapabilityPattern, capabilityToCanonical, type Measures, measure, readCapabilityPattern } from "./capability.ts";
import type { GrantDraft, ServiceRegistration } from "./command-body.ts";
import { optional, readWord } from "./vocabulary.ts";

/** Where and why something ended. */
export interface Revocation {
  readonly by: SubjectId;
  readonly height: number;
  readonly timeUs: number;
  readonly reason: string;
}

/** A registered service. A revoked one stays for ever, so that neither its id nor its key is used again. */
export interface ServiceRecord extends ServiceRegistration {
  readonly attestation: Attestation;
  /** Height and agreed time of the first registration. */
  readonly registeredHeight: number;
  readonly registeredAtUs: number;
  /** Height of the newest renewal; the first registration's before any. */
  readonly renewedHeight: number;
  readonly revoked?: Revocation;
}

/** A grant. Its id is the hash of the command that made it. */
export interface GrantRecord extends GrantDraft {
  readonly id: Hash;
  /** Grants are numbered across the ledger; a decision looks at them in this order. */
  readonly sequence: number;
  readonly createdBy: SubjectId;
  readonly createdHeight: number;
  readonly createdAtUs: number;
  readonly revoked?: Revocation;
  /** Derived from the capability, not stored. */
  readonly measures: Measures;
}

/** Services by id. */
export const SERVICE_CODEC: Codec<ServiceRecord> = {
  bucket: "service",
  write: serviceToCanonical,
  read(key, value) {
    const reader = new FieldReader(value, "service");
    const revoked = optional(reader, "revoked", () => readRevocation(reader.object("revoked")));
    const record: ServiceRecord = {
      id: parseSubjectId(key),
      publicKey: parsePublicKey(reader.text("publicKey")),
      attestation: readAttestation(reader.object("attestation")),
      meshRole: readWord(reader, "meshRole"),
      consensusWeight: reader.integer("consensusWeight", { min: 0, max: LIMITS.totalWeightMax }),
      trustedPeers: reader.texts("trustedPeers", { countMax: LIMITS.membersMax, lengthMax: 63 }).map(parseNodeId),
      registeredHeight: readHeight(reader, "registeredHeight"),
      registeredAtUs: reader.decimal("registeredAt"),
      renewedHeight: readHeight(reader, "renewedHeight"),
      ...(revoked === undefined ? {} : { revoked }),
    };
    reader.text("id");
    reader.end();
    return record;
  },
};

/** Grants by id. */
export const GRANT_CODEC: Codec<GrantRecord> = {
  bucket: "grant",
  write: grantToCanonical,
  read(key, value) {
    const reader = new FieldReader(value, "grant");
    const revoked = optional(reader, "revoked", () => readRevocation(reader.object("revoked")));
    const capability: CapabilityPattern = readCapabilityPattern(reader.object("capability"));
    const record: GrantRecord = {
      id: parseHash(key),
      service: parseSubjectId(reader.text("service")),
      capability,
      notBeforeUs: reader.decimal("notBefore"),
      notAfterUs: reader.decimal("notAfter"),
      sequence: reader.integer("sequence", { min: 1, max: Number.MAX_SAFE_INTEGER }),
      createdBy: parseSubjectId(reader.text("createdBy")),
      createdHeight: readHeight(reader, "createdHeight"),
      createdAtUs: reader.decimal("createdAt"),
      ...(revoked === undefined ? {} : { revoked }),
      measures: measure(capability),
    };
    reader.text("id");
    reader.end();
    return record;
  },
};

/** The canonical form of a service, as stored and as shown to callers. */
export function serviceToCanonical(service: ServiceRecord): CanonicalObject {
  return {
    id: service.id,
    publicKey: service.publicKey,
    attestation: attestationToCanonical(service.attestation),
    meshRole: service.meshRole,
    consensusWeight: service.consensusWeight,
    trustedPeers: [...service.trustedPeers],
    registeredHeight: service.registeredHeight,
    registeredAt: String(service.registeredAtUs),
    renewedHeight: service.renewedHeight,
    ...(service.revoked === undefined ? {} : { revoked: revocationToCanonical(service.revoked) }),
  };
}

/** The canonical form of a grant, as stored and as shown to callers. */
export function grantToCanonical(grant: GrantRecord): CanonicalObject {
  return {
    id: grant.id,
    service: grant.service,
    capability: capabilityToCanonical(grant.capability),
    notBefore: String(grant.notBeforeUs),
    notAfter: String(grant.notAfterUs),
    sequence: grant.sequence,
    createdBy: grant.createdBy,
    createdHeight: grant.createdHeight,
    createdAt: String(grant.createdAtUs),
    ...(grant.revoked === undefined ? {} : { revoked: revocationToCanonical(grant.revoked) }),
  };
}

function readRevocation(reader: FieldReader): Revocation {
  const revocation: Revocation = {
    by: parseSubjectId(reader.text("by")),
    height: readHeight(reader, "height"),
    timeUs: reader.decimal("time"),
    reason: reader.text("reason", LIMITS.freeTextMax),
  };
  reader.end();
  return revocation;
}

function revocationToCanonical({ by, height, timeUs, reason }: Revocation): CanonicalObject {
  return { by, height, time: String(timeUs), reason };
}

function readHeight(reader: FieldReader, name: string): number {
  return reader.integer(name, { min: 1, max: Number.MAX_SAFE_INTEGER });
}
