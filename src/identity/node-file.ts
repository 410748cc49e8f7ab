import {
  checkMembership,
  encodeCanonical,
  FieldReader,
  fromBase64Url,
  LIMITS,
  type Member,
  memberToCanonical,
  parseCanonicalObject,
  parseMember,
  QuorumgateError,
  toBase64Url,
} from "#base";
import { type Ed25519, identifyPeer, parseCertificate } from "#crypto";
import { failedProofs, type MemberSecrets, type PossessionClaim, type PossessionProofs, provePossession } from "./possession.ts";

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

const ROLES = ["vote", "log", "witness", "gateway", "tls"] as const satisfies readonly (keyof PossessionProofs)[];

/** Signs a node file with all its keys. */
export function encodeNodeFile(ed25519: Ed25519, file: NodeFile, secrets: MemberSecrets): Uint8Array {
  const claim = claimOf(file);
  const proofs = provePossession(ed25519, secrets, claim);
  return encodeCanonical({ ...bodyOf(file), proofs: Object.fromEntries(ROLES.map((role) => [role, toBase64Url(proofs[role])])) });
}

/**
 * Reads a node file and checks all that it can prove by itself: shape, member rules, the certificate and every key's proof.
 * Who handed it over is for the reader to know: the file shows that one party holds all its keys, not who that is.
 * @param options.nowMs when the certificate has to hold, milliseconds since 1970; by default the time at which the file was made
 * @throws {QuorumgateError} IDENTITY_NODE_FILE_INVALID, MEMBERSHIP_INVALID and format errors
 */
export function readNodeFile(ed25519: Ed25519, bytes: Uint8Array, options: { readonly nowMs?: number } = {}): NodeFile {
  if (bytes.length > LIMITS.nodeFileBytesMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "the node file is too large");
  const reader = new FieldReader(parseCanonicalObject(bytes), "node");
  reader.integer("v", { min: 1, max: 1 });
  const file: NodeFile = {
    trustDomain: reader.text("trustDomain", 255),
    member: parseMember(reader.value("member")),
    certificateDer: fromBase64Url(reader.text("certificate", 8_192)),
    timeUs: reader.decimal("time"),
  };
  const proofs = readProofs(reader.object("proofs"));
  reader.end();
  checkNodeFile(file, options.nowMs ?? file.timeUs / 1_000);
  const failed = failedProofs(ed25519, file.member.keys, claimOf(file), proofs);
  if (failed.length > 0) throw invalid(`no proof of possession for: ${failed.join(", ")}`);
  return file;
}

function checkNodeFile(file: NodeFile, nowMs: number): void {
  const { member, trustDomain } = file;
  if (!/^[a-z0-9._-]{1,255}$/.test(trustDomain)) throw invalid("the trust domain breaks its grammar");
  if (file.timeUs % 1_000_000 !== 0) throw invalid("its time is not in whole seconds");
  const alone = { epoch: 0, members: [member] };
  checkMembership(alone, { zeroFaultTolerance: true });
  try {
    identifyPeer({ certificateDer: file.certificateDer, membership: alone, trustDomain, nowMs });
  } catch (cause) {
    throw invalid("its certificate is not one that peers would accept", cause);
  }
  const authorityKey = toBase64Url(parseCertificate(fromBase64Url(member.tlsAuthority)).publicKey);
  if (authorityKey === member.keys.tls) throw invalid("its authority and its TLS key are one key");
}

function readProofs(reader: FieldReader): PossessionProofs {
  const proof = (role: keyof PossessionProofs): Uint8Array => fromBase64Url(reader.text(role, 86));
  const proofs = { vote: proof("vote"), log: proof("log"), witness: proof("witness"), gateway: proof("gateway"), tls: proof("tls") };
  reader.end();
  return proofs;
}

function claimOf(file: NodeFile): PossessionClaim {
  const { trustDomain, member, timeUs } = file;
  return { body: encodeCanonical(bodyOf(file)), trustDomain, nodeId: member.id, seconds: timeUs / 1_000_000 };
}

function bodyOf(file: NodeFile): {
  readonly v: number;
  readonly trustDomain: string;
  readonly member: ReturnType<typeof memberToCanonical>;
  readonly certificate: string;
  readonly time: string;
} {
  const { trustDomain, member, certificateDer, timeUs } = file;
  return { v: 1, trustDomain, member: memberToCanonical(member), certificate: toBase64Url(certificateDer), time: String(timeUs) };
}

function invalid(reason: string, cause?: unknown): QuorumgateError {
  return new QuorumgateError("IDENTITY_NODE_FILE_INVALID", reason, cause === undefined ? {} : { cause });
}
