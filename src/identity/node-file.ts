import {
  checkMembership,
  encodeCanonical,
  fromBase64Url,
  LIMITS,
  type Member,
  nodeStatementToCanonical,
  parseCanonicalObject,
  QuorumgateError,
  readNodeStatement,
  toBase64Url,
} from "#base";
import { type Ed25519, identifyPeer, parseCertificate } from "#crypto";
import { failedProofs, type MemberSecrets, provePossession } from "./possession.ts";

/**
 * What an institution gives out about its node: everything that genesis needs, signed by every key that it names.
 * Its bytes are canonical: {v, trustDomain, member, certificate, time, proofs{vote, log, witness, gateway, tls}}.
 */
export interface NodeFile {
  readonly trustDomain: string;
  readonly member: Member;
  /** The node's TLS certificate, DER, signed by `member.tlsAuthority`: shows that the authority's key is theirs too. */
  readonly certificateDer: Uint8Array;
  /** When it was made, microseconds since 1970, whole seconds. */
  readonly timeUs: number;
}

/** Signs a node file with all its keys. */
export function encodeNodeFile(ed25519: Ed25519, file: NodeFile, secrets: MemberSecrets): Uint8Array {
  const { trustDomain, member, timeUs } = file;
  const statement = { trustDomain, member, timeUs, certificate: toBase64Url(file.certificateDer) };
  const proofs = provePossession(ed25519, secrets, statement);
  const texts = Object.fromEntries(Object.entries(proofs).map(([role, proof]) => [role, toBase64Url(proof)]));
  return encodeCanonical({ ...nodeStatementToCanonical(statement), proofs: texts });
}

/**
 * Reads a node file and checks all that it can prove by itself: shape, member rules, the certificate and every key's proof.
 * Who handed it over is for the reader to know: the file shows that one party holds all its keys, not who that is.
 * @param options.nowMs when the certificate has to hold, milliseconds since 1970; by default the time at which the file was made
 * @throws {QuorumgateError} IDENTITY_NODE_FILE_INVALID, MEMBERSHIP_INVALID and format errors
 */
export function readNodeFile(ed25519: Ed25519, bytes: Uint8Array, options: { readonly nowMs?: number } = {}): NodeFile {
  if (bytes.length > LIMITS.nodeFileBytesMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "the node file is too large");
  const { statement, proofs } = readNodeStatement(parseCanonicalObject(bytes));
  const { trustDomain, member, timeUs } = statement;
  const file: NodeFile = { trustDomain, member, certificateDer: fromBase64Url(statement.certificate), timeUs };
  checkNodeFile(file, options.nowMs ?? file.timeUs / 1_000);
  const failed = failedProofs(ed25519, statement, proofs);
  if (failed.length > 0) throw invalid(`no proof of possession for: ${failed.join(", ")}`);
  return file;
}

function checkNodeFile(file: NodeFile, nowMs: number): void {
  const { member, trustDomain } = file;
  if (!/^[a-z0-9._-]{1,255}$/.test(trustDomain)) throw invalid("the trust domain breaks its grammar");
  const alone = { epoch: 0, members: [member] };
  checkMembership(alone, { zeroFaultTolerance: true });
  try {
    identifyPeer({ certificateDer: file.certificateDer, membership: alone, trustDomain, nowMs });
  } catch (cause) {
    throw invalid(`the certificate of ${member.id} is not one that peers would accept at ${new Date(nowMs).toISOString()}`, cause);
  }
  const authorityKey = toBase64Url(parseCertificate(fromBase64Url(member.tlsAuthority)).publicKey);
  if (authorityKey === member.keys.tls) throw invalid("its authority and its TLS key are one key");
}

function invalid(reason: string, cause?: unknown): QuorumgateError {
  return new QuorumgateError("IDENTITY_NODE_FILE_INVALID", reason, cause === undefined ? {} : { cause });
}
