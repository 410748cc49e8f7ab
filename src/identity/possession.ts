import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { logSignatureMessage, witnessSignatureMessage } from "#audit";
import { fromBase64Url, type Member, type PublicKey, signedBytes, toHex } from "#base";
import { type Ed25519, type KeyPair, nodeHasher } from "#crypto";

/** One signature per role, each 64 bytes, by which the holder of a key shows that it has the secret half. */
export interface PossessionProofs {
  readonly vote: Uint8Array;
  readonly log: Uint8Array;
  readonly witness: Uint8Array;
  readonly gateway: Uint8Array;
  readonly tls: Uint8Array;
}

/** What is proved: the canonical bytes that hold the keys, and when. */
export interface PossessionClaim {
  readonly body: Uint8Array;
  readonly trustDomain: string;
  readonly nodeId: string;
  /** Seconds since 1970. */
  readonly seconds: number;
}

/** The secret halves of a member's keys. */
export interface MemberSecrets {
  readonly vote: KeyPair;
  readonly log: KeyPair;
  readonly witness: KeyPair;
  readonly gateway: KeyPair;
  /** PKCS #8 as PEM, ECDSA P-256. */
  readonly tlsPrivateKeyPem: string;
}

/**
 * Proves possession of every key, each in the format that it signs anyway: vote and gateway keys under purpose `key-possession`;
 * L the text of a note, and W a cosignature of it, neither of them a checkpoint's; the TLS key by ECDSA with SHA-256.
 */
export function provePossession(ed25519: Ed25519, secrets: MemberSecrets, claim: PossessionClaim): PossessionProofs {
  const message = signedBytes("key-possession", claim.body);
  return {
    vote: ed25519.sign(secrets.vote.secretKey, message),
    gateway: ed25519.sign(secrets.gateway.secretKey, message),
    log: ed25519.sign(secrets.log.secretKey, logSignatureMessage(noteText(claim))),
    witness: ed25519.sign(secrets.witness.secretKey, witnessSignatureMessage({ text: noteText(claim), seconds: claim.seconds })),
    tls: sign("sha256", message, { key: createPrivateKey(secrets.tlsPrivateKeyPem), dsaEncoding: "ieee-p1363" }),
  };
}

/** The roles whose proof does not verify; none when all do. */
export function failedProofs(
  ed25519: Ed25519,
  keys: Member["keys"],
  claim: PossessionClaim,
  proofs: PossessionProofs,
): readonly (keyof PossessionProofs)[] {
  const message = signedBytes("key-possession", claim.body);
  const holds = (key: PublicKey, bytes: Uint8Array, proof: Uint8Array): boolean => ed25519.verify(fromBase64Url(key), bytes, proof);
  const verdicts: Readonly<Record<keyof PossessionProofs, boolean>> = {
    vote: holds(keys.vote, message, proofs.vote),
    log: holds(keys.log, logSignatureMessage(noteText(claim)), proofs.log),
    witness: holds(keys.witness, witnessSignatureMessage({ text: noteText(claim), seconds: claim.seconds }), proofs.witness),
    gateway: holds(keys.gateway, message, proofs.gateway),
    tls: tlsKeySigned(keys.tls, message, proofs.tls),
  };
  return (["vote", "log", "witness", "gateway", "tls"] as const).filter((role) => !verdicts[role]);
}

/** A checkpoint has a plain number in its second line: this text never passes for one. */
function noteText(claim: PossessionClaim): string {
  return `${claim.trustDomain}/key-possession\nkeys of ${claim.nodeId}\nsha256 ${toHex(nodeHasher.sha256(claim.body))}\n`;
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
