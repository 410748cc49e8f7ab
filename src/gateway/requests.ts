import { type CanonicalObject, FieldReader, parseNodeId, parsePublicKey, parseSubjectId } from "#base";
import { type AuthorizationRequest, readAuthorizationRequest, type ServiceRegistration } from "#state";
import type { BatchedSubmission, Submission } from "./backend.ts";
import type { AuthorizationQuestion, AuthorizationResponse, ServiceIdentity, WriteResult } from "./types.ts";

/** The registration that an identity asks for. @throws {QuorumgateError} format errors */
export function registrationOf(identity: ServiceIdentity): ServiceRegistration {
  const { attestation } = identity;
  return {
    id: parseSubjectId(identity.id),
    publicKey: parsePublicKey(identity.publicKey),
    attestation: {
      signature: attestation.signature,
      issuer: parseSubjectId(attestation.issuer),
      claims: attestation.claims,
      notBeforeUs: attestation.notBefore * 1_000,
      notAfterUs: attestation.notAfter * 1_000,
    },
    meshRole: identity.meshRole,
    consensusWeight: identity.consensusWeight,
    trustedPeers: identity.trustedPeers.map(parseNodeId),
  };
}

/** The request that a question asks; unknown fields and words are refused as the nodes would. @throws {QuorumgateError} */
export function questionOf(question: AuthorizationQuestion): AuthorizationRequest {
  const { serviceId: _serviceId, ...rest } = question;
  // Through JSON: fields that are there but undefined are absent, as they are for every other caller.
  const plain = JSON.parse(JSON.stringify(rest)) as CanonicalObject;
  return readAuthorizationRequest(new FieldReader(plain, "request"));
}

/** The answer to one of several questions. */
export function batchedResponse(submission: BatchedSubmission): AuthorizationResponse {
  if (submission.kind !== "refused") return authorizationResponse(submission);
  const { code, decisionId } = submission;
  const undecided = { authorized: false, consensusRequired: false } as const;
  return { outcome: "refused", ...undecided, consensusId: decisionId, reason: code, explanation: {} };
}

/** The answer to a question. */
export function authorizationResponse(submission: Submission): AuthorizationResponse {
  if (submission.kind === "unavailable") {
    const { decisionId, code, waitingFor } = submission;
    return {
      outcome: "unavailable",
      authorized: false,
      consensusRequired: false,
      consensusId: decisionId,
      reason: code,
      explanation: {},
      waitingFor,
    };
  }
  const { decisionId, outcome, code, answer, height, timeMs, seq, receipt } = submission.outcome;
  const authorized = outcome === "allowed";
  return {
    outcome: authorized ? "allowed" : "denied",
    authorized,
    consensusRequired: false,
    consensusId: decisionId,
    reason: code,
    explanation: answer,
    height,
    timeMs,
    ...(seq === undefined ? {} : { seq }),
    ...(receipt === undefined ? {} : { receipt }),
  };
}

/** The answer to a write. */
export function writeResult(submission: Submission): WriteResult {
  if (submission.kind === "unavailable") {
    const { decisionId, code, waitingFor } = submission;
    return { outcome: "unavailable", decisionId, reason: code, waitingFor };
  }
  const { decisionId, outcome, code, height, seq, receipt } = submission.outcome;
  return {
    outcome: outcome === "applied" ? "applied" : "refused",
    decisionId,
    reason: code,
    height,
    ...(seq === undefined ? {} : { seq }),
    ...(receipt === undefined ? {} : { receipt }),
  };
}
