import { decodeUtf8, encodeUtf8, QuorumgateError } from "#base";
import {
  contextTag,
  DER_TAG,
  type DerElement,
  DerReader,
  derBitString,
  derElement,
  derInteger,
  derObjectIdentifier,
  derSequence,
  readBoolean,
  readObjectIdentifier,
  readTime,
} from "./der.ts";

/** Object identifiers of RFC 5280 and RFC 5758. */
export const OID = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAlternativeName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
} as const;

/** Bits of key usage by their number. Source: RFC 5280, section 4.2.1.3. */
export const KEY_USAGE_BIT = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;

/** An extension; `value` is the DER inside its OCTET STRING. */
export interface X509Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** A name of the subject alternative name; `value` holds text for URIs and DNS names, 4 or 16 bytes for addresses. */
export type AlternativeName =
  | { readonly type: "uri" | "dns"; readonly value: string }
  | { readonly type: "ip"; readonly value: Uint8Array };

/** What is read of a certificate. Names and key stay DER, to be compared byte by byte. */
export interface ParsedCertificate {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly subjectIsEmpty: boolean;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly extensions: ReadonlyMap<string, X509Extension>;
}

/** Whether the subject signs certificates, and how many authorities may follow it. Critical. */
export function basicConstraints(authority: boolean, pathLength?: number): X509Extension {
  const fields = authority ? [derElement(DER_TAG.boolean, Uint8Array.of(0xff))] : [];
  if (pathLength !== undefined) fields.push(derInteger(Uint8Array.of(pathLength)));
  return { oid: OID.basicConstraints, critical: true, value: derSequence(...fields) };
}

/** What the key may do, by bit numbers. Critical unless said otherwise. */
export function keyUsage(bits: readonly number[], critical = true): X509Extension {
  const byte = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  // X.690, section 11.2.2: a list of named bits ends with its last one.
  const unused = 7 - Math.max(...bits);
  return { oid: OID.keyUsage, critical, value: derBitString(Uint8Array.of(byte), unused) };
}

/** For which protocols the key may be used. */
export function extendedKeyUsage(purposes: readonly string[]): X509Extension {
  return { oid: OID.extendedKeyUsage, critical: false, value: derSequence(...purposes.map(derObjectIdentifier)) };
}

/** The names that the certificate stands for. */
export function subjectAlternativeName(names: readonly AlternativeName[], critical = false): X509Extension {
  const values = names.map((name) => {
    if (name.type === "ip") return derElement(contextTag(7, "primitive"), name.value);
    return derElement(contextTag(name.type === "uri" ? 6 : 2, "primitive"), encodeUtf8(name.value));
  });
  return { oid: OID.subjectAlternativeName, critical, value: derSequence(...values) };
}

/**
 * Reads a version 3 certificate strictly. Signatures are not checked here.
 * @throws {QuorumgateError} format errors
 */
export function parseCertificate(der: Uint8Array): ParsedCertificate {
  const outer = new DerReader(der);
  const certificate = outer.inside();
  outer.end();
  const tbs = certificate.inside();
  const outerAlgorithm = certificate.element(DER_TAG.sequence);
  certificate.element(DER_TAG.bitString);
  certificate.end();
  const version = tbs.inside(contextTag(0, "constructed")).element(DER_TAG.integer).content;
  if (version.length !== 1 || version[0] !== 2) throw shape("a certificate of version 3 was expected");
  tbs.element(DER_TAG.integer);
  const innerAlgorithm = tbs.element(DER_TAG.sequence);
  if (!Buffer.from(innerAlgorithm.raw).equals(outerAlgorithm.raw)) throw shape("the two signature algorithms differ");
  const issuer = tbs.element(DER_TAG.sequence);
  const validity = tbs.inside();
  const [notBeforeMs, notAfterMs] = [readTime(validity.any()), readTime(validity.any())];
  validity.end();
  const subject = tbs.element(DER_TAG.sequence);
  const publicKey = tbs.element(DER_TAG.sequence).raw;
  const extensions = readExtensions(tbs);
  tbs.end();
  return {
    issuer: issuer.raw,
    subject: subject.raw,
    subjectIsEmpty: subject.content.length === 0,
    notBeforeMs,
    notAfterMs,
    publicKey,
    extensions,
  };
}

/** Whether the certificate is an authority's; absent means no. @throws {QuorumgateError} format errors */
export function isAuthority(certificate: ParsedCertificate): boolean {
  const extension = certificate.extensions.get(OID.basicConstraints);
  if (extension === undefined) return false;
  const reader = sequenceIn(extension);
  const flag = reader.optional(DER_TAG.boolean);
  // DER leaves out what is the default.
  if (flag !== undefined && !readBoolean(flag.content)) throw shape("a default value is written");
  reader.optional(DER_TAG.integer);
  reader.end();
  return flag !== undefined;
}

/** The set bits of a key usage, or undefined without the extension. @throws {QuorumgateError} format errors */
export function keyUsageBits(certificate: ParsedCertificate): ReadonlySet<number> | undefined {
  const extension = certificate.extensions.get(OID.keyUsage);
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value);
  const [unused, ...bytes] = reader.element(DER_TAG.bitString).content;
  reader.end();
  if (unused === undefined || unused > 7 || bytes.length > 2) throw shape("not a key usage");
  const bits = new Set<number>();
  for (let bit = 0; bit < 8 * bytes.length; bit++) if (((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0) bits.add(bit);
  return bits;
}

/** The purposes of an extended key usage as dotted identifiers, or undefined without the extension. @throws {QuorumgateError} format errors */
export function extendedKeyUsages(certificate: ParsedCertificate): readonly string[] | undefined {
  const extension = certificate.extensions.get(OID.extendedKeyUsage);
  if (extension === undefined) return undefined;
  const reader = sequenceIn(extension);
  const purposes: string[] = [];
  while (!reader.done) purposes.push(readObjectIdentifier(reader.element(DER_TAG.objectIdentifier).content));
  return purposes;
}

/** The URIs among the alternative names; other names are passed over. @throws {QuorumgateError} format errors */
export function uriNames(certificate: ParsedCertificate): readonly string[] {
  const extension = certificate.extensions.get(OID.subjectAlternativeName);
  if (extension === undefined) return [];
  const reader = sequenceIn(extension);
  const names: DerElement[] = [];
  while (!reader.done) names.push(reader.any());
  return names.filter(({ tag }) => tag === contextTag(6, "primitive")).map(({ content }) => decodeUtf8(content));
}

function readExtensions(tbs: DerReader): ReadonlyMap<string, X509Extension> {
  const extensions = new Map<string, X509Extension>();
  const wrapper = tbs.optional(contextTag(3, "constructed"));
  if (wrapper === undefined) return extensions;
  const list = sequenceIn({ value: wrapper.content });
  while (!list.done) {
    const reader = list.inside();
    const oid = readObjectIdentifier(reader.element(DER_TAG.objectIdentifier).content);
    const critical = reader.optional(DER_TAG.boolean);
    if (critical !== undefined && !readBoolean(critical.content)) throw shape("a default value is written");
    const value = reader.element(DER_TAG.octetString).content;
    reader.end();
    // Readers that take the first and readers that take the last would see two certificates.
    if (extensions.has(oid)) throw shape("an extension is there twice");
    extensions.set(oid, { oid, critical: critical !== undefined, value });
  }
  return extensions;
}

function sequenceIn(extension: Pick<X509Extension, "value">): DerReader {
  const reader = new DerReader(extension.value);
  const inside = reader.inside();
  reader.end();
  return inside;
}

function shape(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_SHAPE_INVALID", `not the expected certificate: ${reason}`);
}
