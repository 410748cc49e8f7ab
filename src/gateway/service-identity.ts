import { type Hash, parseSubjectId } from "#base";
import { loadSodium, type Signer } from "#crypto";
import { attest, createServiceKey, serviceSignerOf } from "#identity";
import type { ServiceIdentity } from "./types.ts";

const YEAR_MS = 365 * 86_400_000;

/** What a new service is and who vouches for it. */
export interface ServiceIdentityOptions {
  readonly id: string;
  readonly cluster: Hash;
  readonly claims: Readonly<Record<string, string | number | boolean>>;
  readonly issuer: { readonly id: string; readonly signer: Signer };
  readonly meshRole?: string;
  readonly trustedPeers?: readonly string[];
  readonly consensusWeight?: number;
  /** Milliseconds since 1970; a year from now by default. */
  readonly notAfterMs?: number;
}

/** Makes a key for a service and has its issuer attest it. The private key stays behind the signer. @throws {QuorumgateError} format errors */
export async function createServiceIdentity(
  options: ServiceIdentityOptions,
): Promise<{ readonly identity: ServiceIdentity; readonly signer: Signer }> {
  const ed25519 = await loadSodium();
  const key = createServiceKey(ed25519, options.id);
  const now = Date.now();
  const subject = {
    id: key.id,
    publicKey: key.publicKey,
    meshRole: options.meshRole ?? "participant",
    consensusWeight: options.consensusWeight ?? 1,
    trustedPeers: [...(options.trustedPeers ?? [])] as never[],
  };
  const notBefore = now - 60_000;
  const notAfter = options.notAfterMs ?? now + YEAR_MS;
  const unsigned = {
    issuer: parseSubjectId(options.issuer.id),
    claims: options.claims,
    notBeforeUs: notBefore * 1_000,
    notAfterUs: notAfter * 1_000,
  };
  const attestation = await attest(options.issuer.signer, { cluster: options.cluster, subject, attestation: unsigned });
  const { signature } = attestation;
  return {
    identity: { ...subject, attestation: { signature, issuer: options.issuer.id, claims: options.claims, notBefore, notAfter } },
    signer: serviceSignerOf(ed25519, key),
  };
}
