import { type Hash, parseSubjectId } from "#base";
import type { Ed25519 } from "#crypto";
import type { ServiceIdentity } from "#gateway";
import { attest, type ServiceKey, serviceSignerOf } from "#identity";

const YEAR_MS = 365 * 86_400_000;
/** Nodes' agreed time may be a little behind this machine's clock. */
const BACKDATED_MS = 60_000;

/** What an issuer vouches for, of a service whose key exists already. */
export interface AttestedServiceOptions {
  readonly cluster: Hash;
  readonly service: ServiceKey;
  readonly issuer: ServiceKey;
  readonly role: string;
  readonly claims: Readonly<Record<string, string>>;
  /** How long from now, milliseconds; a year by default. */
  readonly validMs?: number;
}

/** Has an issuer attest a service. The service's own command, signed with its key, registers it. @throws {QuorumgateError} format errors */
export async function attestedService(ed25519: Ed25519, options: AttestedServiceOptions): Promise<ServiceIdentity> {
  const { cluster, service, issuer, role, claims, validMs = YEAR_MS } = options;
  const now = Date.now();
  const [notBefore, notAfter] = [now - BACKDATED_MS, now + validMs];
  const subject = { id: service.id, publicKey: service.publicKey, meshRole: role, consensusWeight: 0, trustedPeers: [] };
  const { signature } = await attest(serviceSignerOf(ed25519, issuer), {
    cluster,
    subject,
    attestation: { issuer: parseSubjectId(issuer.id), claims, notBeforeUs: notBefore * 1_000, notAfterUs: notAfter * 1_000 },
  });
  return { ...subject, attestation: { signature, issuer: issuer.id, claims, notBefore, notAfter } };
}
