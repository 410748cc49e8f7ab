import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { fromBase64Url, type NodeStatement, type PerKey, possessionMessages } from "#base";
import { type Ed25519, type KeyPair, nodeHasher } from "#crypto";

/** The secret halves of a member's keys. */
export interface MemberSecrets {
  readonly vote: KeyPair;
  readonly log: KeyPair;
  readonly witness: KeyPair;
  readonly gateway: KeyPair;
  /** PKCS #8 as PEM, ECDSA P-256. */
  readonly tlsPrivateKeyPem: string;
}

/** Proves possession of every key: Ed25519 over the messages of its statement, the TLS key by ECDSA with SHA-256. */
export function provePossession(ed25519: Ed25519, secrets: MemberSecrets, statement: NodeStatement): PerKey {
  const messages = possessionMessages(nodeHasher, statement);
  return {
    vote: ed25519.sign(secrets.vote.secretKey, messages.vote),
    gateway: ed25519.sign(secrets.gateway.secretKey, messages.gateway),
    log: ed25519.sign(secrets.log.secretKey, messages.log),
    witness: ed25519.sign(secrets.witness.secretKey, messages.witness),
    tls: sign("sha256", messages.tls, { key: createPrivateKey(secrets.tlsPrivateKeyPem), dsaEncoding: "ieee-p1363" }),
  };
}

/** The keys whose proof does not verify; none when all do. */
export function failedProofs(ed25519: Ed25519, statement: NodeStatement, proofs: PerKey): readonly (keyof PerKey)[] {
  const { keys } = statement.member;
  const messages = possessionMessages(nodeHasher, statement);
  const holds = (role: "vote" | "log" | "witness" | "gateway"): boolean =>
    ed25519.verify(fromBase64Url(keys[role]), messages[role], proofs[role]);
  return (["vote", "log", "witness", "gateway", "tls"] as const).filter((role) =>
    role === "tls" ? !tlsKeySigned(keys.tls, messages.tls, proofs.tls) : !holds(role),
  );
}

function tlsKeySigned(spki: string, message: Uint8Array, proof: Uint8Array): boolean {
  const key = p256KeyOf(spki);
  return key !== undefined && verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, proof);
}

/** Undefined for anything but a P-256 key: bytes that OpenSSL cannot read are a wrong proof, not an error of ours. */
function p256KeyOf(spki: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(fromBase64Url(spki)), format: "der", type: "spki" });
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : undefined;
  } catch {
    return undefined;
  }
}
