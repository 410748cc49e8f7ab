import { fromBase64Url, toHex } from "./bytes.ts";
import { type CanonicalObject, type CanonicalValue, encodeCanonical } from "./canonical.ts";
import { QuorumgateError } from "./errors.ts";
import { FieldReader } from "./fields.ts";
import type { Hasher } from "./hasher.ts";
import { type Member, type MemberKeys, memberToCanonical, parseMember } from "./membership.ts";
import { logSignatureMessage, signedBytes, witnessSignatureMessage } from "./signing.ts";

/** What an institution says of its node, signed by every key that it names. */
export interface NodeStatement {
  readonly trustDomain: string;
  readonly member: Member;
  /** The node's TLS certificate, DER as base64url. */
  readonly certificate: string;
  /** When it was made, microseconds since 1970, whole seconds. */
  readonly timeUs: number;
}

/** One value for each key of a member. */
export type PerKey = Readonly<Record<keyof MemberKeys, Uint8Array>>;

/** The canonical form without the proofs: {v, trustDomain, member, certificate, time}. */
export function nodeStatementToCanonical({ trustDomain, member, certificate, timeUs }: NodeStatement): CanonicalObject {
  return { v: 1, trustDomain, member: memberToCanonical(member), certificate, time: String(timeUs) };
}

/**
 * What each key signs to prove possession, in the format that it signs anyway: vote, gateway and TLS keys the statement under purpose
 * `key-possession`; L the text of a note, and W a cosignature of it, neither of them a checkpoint's.
 */
export function possessionMessages(hasher: Hasher, statement: NodeStatement): PerKey {
  const body = encodeCanonical(nodeStatementToCanonical(statement));
  const message = signedBytes("key-possession", body);
  // A checkpoint has a plain number in its second line: this text never passes for one.
  const text = `${statement.trustDomain}/key-possession\nkeys of ${statement.member.id}\nsha256 ${toHex(hasher.sha256(body))}\n`;
  const seconds = statement.timeUs / 1_000_000;
  return {
    vote: message,
    gateway: message,
    tls: message,
    log: logSignatureMessage(text),
    witness: witnessSignatureMessage({ text, seconds }),
  };
}

/** Reads a statement with its proofs; whether these verify is for the caller to find out. @throws {QuorumgateError} format errors, MEMBERSHIP_INVALID */
export function readNodeStatement(value: CanonicalValue): { readonly statement: NodeStatement; readonly proofs: PerKey } {
  const reader = new FieldReader(value, "node");
  reader.integer("v", { min: 1, max: 1 });
  const statement: NodeStatement = {
    trustDomain: reader.text("trustDomain", 255),
    member: parseMember(reader.value("member")),
    certificate: reader.text("certificate", 8_192),
    timeUs: reader.decimal("time"),
  };
  const proofs = readProofs(reader.object("proofs"));
  reader.end();
  fromBase64Url(statement.certificate);
  if (statement.timeUs % 1_000_000 !== 0) throw new QuorumgateError("IDENTITY_NODE_FILE_INVALID", "its time is not in whole seconds");
  return { statement, proofs };
}

function readProofs(reader: FieldReader): PerKey {
  const proof = (role: keyof MemberKeys): Uint8Array => {
    const bytes = fromBase64Url(reader.text(role, 86));
    if (bytes.length !== 64) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "a proof has 64 bytes");
    return bytes;
  };
  const proofs = { vote: proof("vote"), log: proof("log"), witness: proof("witness"), gateway: proof("gateway"), tls: proof("tls") };
  reader.end();
  return proofs;
}
