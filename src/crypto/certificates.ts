import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";
import { concatBytes, type NodeId, parseNodeId, QuorumgateError, toBase64Url } from "#base";
import { contextTag, DER_TAG, derBitString, derElement, derInteger, derObjectIdentifier, derSequence, derText, derTime } from "./der.ts";
import {
  type AlternativeName,
  basicConstraints,
  extendedKeyUsage,
  KEY_USAGE_BIT,
  keyUsage,
  OID,
  parseCertificate,
  subjectAlternativeName,
  type X509Extension,
} from "./x509.ts";

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SIGNATURE_ALGORITHM = derSequence(derObjectIdentifier(OID.ecdsaWithSha256));

/** A certificate with its private key. The private key is secret: it goes to a secret file and nowhere else. */
export interface CertificateWithKey {
  /** DER of the certificate. */
  readonly certificateDer: Uint8Array;
  /** The same as PEM. */
  readonly certificatePem: string;
  /** PKCS #8 as PEM, unencrypted. */
  readonly privateKeyPem: string;
  /** SubjectPublicKeyInfo as base64url DER: the form of `MemberKeys.tls`. */
  readonly publicKeySpki: string;
}

/** What signs certificates: a CA's certificate and private key. */
export type CertificateAuthority = Pick<CertificateWithKey, "certificateDer" | "privateKeyPem">;

/** When a certificate holds, in milliseconds since 1970. X.509 keeps whole seconds. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The SPIFFE ID of a cluster member: `spiffe://<trust domain>/replicas/<node id>` (FORMATS, Identity). */
export function replicaSpiffeId(trustDomain: string, nodeId: NodeId): string {
  return `spiffe://${trustDomain}/replicas/${nodeId}`;
}

/**
 * Makes an institution's certificate authority: ECDSA P-256, self-signed, able to sign leaves only (path length 0).
 * @param options.name common name; distinct per institution, so that certificates are told apart by eye
 * @throws {QuorumgateError} CONFIG_INVALID
 */
export function createCertificateAuthority(options: { readonly name: string; readonly validity: Validity }): CertificateWithKey {
  const keys = generateKeys();
  const name = distinguishedName(options.name);
  return assemble({
    keys,
    signingKeyPem: keys.privateKeyPem,
    issuer: name,
    subject: name,
    validity: options.validity,
    extensions: [
      basicConstraints(true, 0),
      keyUsage([KEY_USAGE_BIT.keyCertSign, KEY_USAGE_BIT.cRLSign]),
      subjectKeyIdentifier(keys.publicKey),
    ],
  });
}

/**
 * Issues a member's TLS certificate as an X.509-SVID: exactly one URI SAN, CA false, digitalSignature only, for servers and clients.
 * DNS names and addresses may stand beside the URI, so that browsers and HTTP clients can check them.
 * Source: SPIFFE X.509-SVID, sections 2 to 4.
 * @throws {QuorumgateError} CONFIG_INVALID, FORMAT_ID_INVALID
 */
export function issueReplicaCertificate(options: {
  readonly authority: CertificateAuthority;
  readonly trustDomain: string;
  readonly nodeId: NodeId;
  readonly validity: Validity;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}): CertificateWithKey {
  if (!TRUST_DOMAIN.test(options.trustDomain)) throw new QuorumgateError("CONFIG_INVALID", "the trust domain breaks its grammar");
  const names: AlternativeName[] = [
    { type: "uri", value: replicaSpiffeId(options.trustDomain, parseNodeId(options.nodeId)) },
    ...(options.dnsNames ?? []).map((value): AlternativeName => ({ type: "dns", value: checkDnsName(value) })),
    ...(options.ipAddresses ?? []).map((text): AlternativeName => ({ type: "ip", value: addressBytes(text) })),
  ];
  return issueLeaf({
    authority: options.authority,
    commonName: options.nodeId,
    validity: options.validity,
    extensions: [
      basicConstraints(false),
      keyUsage([KEY_USAGE_BIT.digitalSignature]),
      extendedKeyUsage([OID.serverAuth, OID.clientAuth]),
      subjectAlternativeName(names),
    ],
  });
}

/**
 * Signs a leaf for a fresh P-256 key with the given extensions; identifiers of both keys are added.
 * `issueReplicaCertificate` is the profile of members; other profiles are built on this.
 * @throws {QuorumgateError} CONFIG_INVALID
 */
export function issueLeaf(options: {
  readonly authority: CertificateAuthority;
  readonly commonName: string;
  readonly validity: Validity;
  readonly extensions: readonly X509Extension[];
}): CertificateWithKey {
  const keys = generateKeys();
  const issuer = parseCertificate(options.authority.certificateDer);
  return assemble({
    keys,
    signingKeyPem: options.authority.privateKeyPem,
    issuer: issuer.subject,
    subject: distinguishedName(options.commonName),
    validity: options.validity,
    extensions: [...options.extensions, subjectKeyIdentifier(keys.publicKey), authorityKeyIdentifier(issuer.publicKey)],
  });
}

/** A certificate's DER in the armour of RFC 7468. */
export function certificateToPem(certificateDer: Uint8Array): string {
  const lines =
    Buffer.from(certificateDer)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

interface SubjectKeys {
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly privateKeyPem: string;
}

interface CertificateParts {
  readonly keys: SubjectKeys;
  readonly signingKeyPem: string;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly validity: Validity;
  readonly extensions: readonly X509Extension[];
}

/** Source: RFC 5280, section 4.1. */
function assemble(parts: CertificateParts): CertificateWithKey {
  const { notBeforeMs, notAfterMs } = parts.validity;
  if (!(notBeforeMs < notAfterMs)) throw new QuorumgateError("CONFIG_INVALID", "a certificate must begin before it ends");
  const toBeSigned = derSequence(
    derElement(contextTag(0, "constructed"), derInteger(Uint8Array.of(2))),
    derInteger(serialNumber()),
    SIGNATURE_ALGORITHM,
    parts.issuer,
    derSequence(derTime(notBeforeMs), derTime(notAfterMs)),
    parts.subject,
    parts.keys.publicKey,
    derElement(contextTag(3, "constructed"), derSequence(...parts.extensions.map(encodeExtension))),
  );
  const signature = sign("sha256", toBeSigned, createPrivateKey(parts.signingKeyPem));
  const certificateDer = derSequence(toBeSigned, SIGNATURE_ALGORITHM, derBitString(signature));
  return {
    certificateDer,
    certificatePem: certificateToPem(certificateDer),
    privateKeyPem: parts.keys.privateKeyPem,
    publicKeySpki: toBase64Url(parts.keys.publicKey),
  };
}

function encodeExtension({ oid, critical, value }: X509Extension): Uint8Array {
  const flag = critical ? [derElement(DER_TAG.boolean, Uint8Array.of(0xff))] : [];
  return derSequence(derObjectIdentifier(oid), ...flag, derElement(DER_TAG.octetString, value));
}

function generateKeys(): SubjectKeys {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return {
    publicKey: new Uint8Array(publicKey.export({ format: "der", type: "spki" })),
    privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}

function serialNumber(): Uint8Array {
  // RFC 5280, section 4.1.2.2: positive and at most 20 bytes; a first byte from 0x40 to 0x7f keeps it positive and of fixed length.
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

function subjectKeyIdentifier(publicKey: Uint8Array): X509Extension {
  return { oid: OID.subjectKeyIdentifier, critical: false, value: derElement(DER_TAG.octetString, keyIdentifier(publicKey)) };
}

function authorityKeyIdentifier(publicKey: Uint8Array): X509Extension {
  const value = derSequence(derElement(contextTag(0, "primitive"), keyIdentifier(publicKey)));
  return { oid: OID.authorityKeyIdentifier, critical: false, value };
}

/** The leftmost 160 bits of the SHA-256 of the SubjectPublicKeyInfo. Source: RFC 7093, section 2, method 4. */
function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  return createHash("sha256").update(publicKey).digest().subarray(0, 20);
}

function distinguishedName(commonName: string): Uint8Array {
  // 64 characters are the upper bound of X.520.
  if (!/^[A-Za-z0-9._ -]{1,64}$/.test(commonName)) throw new QuorumgateError("CONFIG_INVALID", "the common name breaks its grammar");
  const attribute = (oid: string, text: string): Uint8Array =>
    derElement(DER_TAG.set, derSequence(derObjectIdentifier(oid), derText(text)));
  return derSequence(attribute(OID.organization, "quorumgate"), attribute(OID.commonName, commonName));
}

function checkDnsName(name: string): string {
  if (!/^[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,9}$/.test(name)) throw new QuorumgateError("CONFIG_INVALID", "not a DNS name");
  return name;
}

function addressBytes(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split(".").map(Number));
  if (text === "::1") return concatBytes(new Uint8Array(15), Uint8Array.of(1));
  throw new QuorumgateError("CONFIG_INVALID", "an IPv4 address or ::1 was expected");
}
