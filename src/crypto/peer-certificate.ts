import { X509Certificate } from "node:crypto";
import { fromBase64Url, LIMITS, type Member, type Membership, type NodeId, QuorumgateError, toBase64Url } from "#base";
import { replicaSpiffeId } from "./certificates.ts";
import {
  extendedKeyUsages,
  isAuthority,
  KEY_USAGE_BIT,
  keyUsageBits,
  OID,
  type ParsedCertificate,
  parseCertificate,
  uriNames,
} from "./x509.ts";

const UNDERSTOOD = new Set<string>([OID.basicConstraints, OID.keyUsage, OID.extendedKeyUsage, OID.subjectAlternativeName]);

/**
 * Decides which member presented a certificate.
 *
 * Only a key in the committed membership is accepted: the name must be a member's, the public key that member's TLS key, and the
 * certificate an X.509-SVID signed by that member's own authority; authorities are never pooled. Call it with the raw bytes of
 * the peer's leaf on both sides of every connection, after each handshake (`secureConnect`), because Node skips
 * `checkServerIdentity` for resumed sessions.
 *
 * Source: SPIFFE X.509-SVID, sections 2 to 5; FORMATS, Identity.
 * @param options.nowMs milliseconds since 1970, by default the clock's; both certificates must hold then
 * @throws {QuorumgateError} TRANSPORT_PEER_REFUSED, always and only
 */
export function identifyPeer(options: {
  readonly certificateDer: Uint8Array;
  readonly membership: Membership;
  readonly trustDomain: string;
  readonly nowMs?: number;
}): NodeId {
  try {
    return identify(options);
  } catch (cause) {
    if (cause instanceof QuorumgateError && cause.code === "TRANSPORT_PEER_REFUSED") throw cause;
    throw new QuorumgateError("TRANSPORT_PEER_REFUSED", "the peer is refused: its certificate cannot be read", { cause });
  }
}

function identify(options: Parameters<typeof identifyPeer>[0]): NodeId {
  const leafDer = options.certificateDer;
  if (leafDer.length > LIMITS.certificateBytesMax) throw refused("its certificate is too large");
  const leaf = parseCertificate(leafDer);
  const member = memberNamed(uriOf(leaf), options);
  if (toBase64Url(leaf.publicKey) !== member.keys.tls) throw refused("its key is not the member's TLS key");
  checkLeafProfile(leaf);
  const authorityDer = fromBase64Url(member.tlsAuthority);
  const authority = parseCertificate(authorityDer);
  checkAuthorityProfile(authority);
  checkIssuance(leafDer, authorityDer);
  const nowMs = options.nowMs ?? Date.now();
  for (const certificate of [leaf, authority]) checkValidity(certificate, nowMs);
  return member.id;
}

function uriOf(leaf: ParsedCertificate): string {
  const [uri, ...others] = uriNames(leaf);
  if (uri === undefined || others.length > 0) throw refused("its certificate must have exactly one URI name");
  if (leaf.subjectIsEmpty && leaf.extensions.get(OID.subjectAlternativeName)?.critical !== true) {
    throw refused("an empty subject asks for a critical alternative name");
  }
  return uri;
}

function memberNamed(uri: string, options: { readonly membership: Membership; readonly trustDomain: string }): Member {
  const member = options.membership.members.find(({ id }) => uri === replicaSpiffeId(options.trustDomain, id));
  if (member === undefined) throw refused("its name is no member's");
  return member;
}

function checkLeafProfile(leaf: ParsedCertificate): void {
  refuseUnknownCritical(leaf);
  if (isAuthority(leaf)) throw refused("a certificate authority is no peer");
  const usage = criticalKeyUsage(leaf);
  if (!usage.has(KEY_USAGE_BIT.digitalSignature)) throw refused("its key usage lacks digitalSignature");
  if (usage.has(KEY_USAGE_BIT.keyCertSign) || usage.has(KEY_USAGE_BIT.cRLSign)) throw refused("its key may sign certificates");
  const purposes = extendedKeyUsages(leaf);
  if (purposes !== undefined && !(purposes.includes(OID.serverAuth) && purposes.includes(OID.clientAuth))) {
    throw refused("its extended key usage needs serverAuth and clientAuth");
  }
}

function checkAuthorityProfile(authority: ParsedCertificate): void {
  refuseUnknownCritical(authority);
  if (!isAuthority(authority)) throw refused("the member's authority is not one");
  if (!criticalKeyUsage(authority).has(KEY_USAGE_BIT.keyCertSign)) throw refused("the member's authority may not sign certificates");
  const uris = uriNames(authority);
  if (uris.length > 1 || uris.some((uri) => !/^spiffe:\/\/[a-z0-9._-]{1,255}$/.test(uri))) {
    throw refused("the member's authority carries a name with a path");
  }
}

function checkIssuance(leafDer: Uint8Array, authorityDer: Uint8Array): void {
  const [leaf, authority] = [new X509Certificate(leafDer), new X509Certificate(authorityDer)];
  // checkIssued compares names and identifiers only, verify the signature only: both are needed.
  if (!leaf.checkIssued(authority) || !leaf.verify(authority.publicKey)) {
    throw refused("the member's authority did not sign its certificate");
  }
}

function checkValidity(certificate: ParsedCertificate, nowMs: number): void {
  if (nowMs < certificate.notBeforeMs || nowMs > certificate.notAfterMs) {
    throw refused("its certificate, or the authority's, is expired or not yet valid");
  }
}

function criticalKeyUsage(certificate: ParsedCertificate): ReadonlySet<number> {
  const usage = keyUsageBits(certificate);
  if (usage === undefined || certificate.extensions.get(OID.keyUsage)?.critical !== true) {
    throw refused("key usage must be present and critical");
  }
  return usage;
}

function refuseUnknownCritical(certificate: ParsedCertificate): void {
  for (const { critical, oid } of certificate.extensions.values()) {
    if (critical && !UNDERSTOOD.has(oid)) throw refused("its certificate holds an unknown critical extension");
  }
}

function refused(reason: string): QuorumgateError {
  return new QuorumgateError("TRANSPORT_PEER_REFUSED", `the peer is refused: ${reason}`);
}
