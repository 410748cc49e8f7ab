import {
  type CanonicalObject,
  encodeCanonical,
  type FieldReader,
  fromBase64Url,
  type Hash,
  LIMITS,
  type NodeId,
  type PublicKey,
  parseSubjectId,
  type SubjectId,
} from "#base";
import { type OpenFields, readOpenFields, shapeError } from "./vocabulary.ts";

/** An issuer's word for a service. Times in microseconds since 1970; valid from `notBeforeUs` on, until before `notAfterUs`. */
export interface Attestation {
  /** Ed25519 over `attestationBytes`, purpose `attestation`; base64url of 64 bytes. */
  readonly signature: string;
  /** The issuer's id; its key is the one that genesis names. */
  readonly issuer: SubjectId;
  readonly claims: OpenFields;
  readonly notBeforeUs: number;
  readonly notAfterUs: number;
}

/** What the issuer vouches for. */
export interface AttestedSubject {
  readonly id: SubjectId;
  readonly publicKey: PublicKey;
  readonly meshRole: string;
  readonly consensusWeight: number;
  readonly trustedPeers: readonly NodeId[];
}

/**
 * The canonical attestation body: {v, cluster, issuer, subject, claims, notBefore, notAfter}. The issuer signs
 * `signedBytes("attestation", attestationBytes(…))`. Source: FORMATS, Command.
 */
export function attestationBytes(attested: {
  readonly cluster: Hash;
  readonly subject: AttestedSubject;
  readonly attestation: Omit<Attestation, "signature">;
}): Uint8Array {
  const { subject, attestation } = attested;
  return encodeCanonical({
    v: 1,
    cluster: attested.cluster,
    issuer: attestation.issuer,
    subject: {
      id: subject.id,
      publicKey: subject.publicKey,
      meshRole: subject.meshRole,
      consensusWeight: subject.consensusWeight,
      trustedPeers: [...subject.trustedPeers],
    },
    claims: { ...attestation.claims },
    notBefore: String(attestation.notBeforeUs),
    notAfter: String(attestation.notAfterUs),
  });
}

/** Reads {signature, issuer, claims, notBefore, notAfter}. @throws {QuorumgateError} FORMAT_* */
export function readAttestation(reader: FieldReader): Attestation {
  const attestation: Attestation = {
    signature: reader.text("signature", 86),
    issuer: parseSubjectId(reader.text("issuer")),
    claims: readOpenFields(reader.object("claims"), LIMITS.claimsMax),
    notBeforeUs: reader.decimal("notBefore"),
    notAfterUs: reader.decimal("notAfter"),
  };
  reader.end();
  if (fromBase64Url(attestation.signature).length !== 64) throw shapeError("an attestation's signature has 64 bytes");
  if (attestation.notAfterUs <= attestation.notBeforeUs) throw shapeError("an attestation ends after it begins");
  return attestation;
}

/** The canonical form of {signature, issuer, claims, notBefore, notAfter}. */
export function attestationToCanonical(attestation: Attestation): CanonicalObject {
  return {
    signature: attestation.signature,
    issuer: attestation.issuer,
    claims: { ...attestation.claims },
    notBefore: String(attestation.notBeforeUs),
    notAfter: String(attestation.notAfterUs),
  };
}
