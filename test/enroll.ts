import type { Hash } from "#base";
import type { Signer } from "#crypto";
import { type AuthorizationQuestion, createServiceIdentity, type SecurityGateway } from "#gateway";

/** Who a service is, who vouches for it, and what it may do. */
export interface Enrolment {
  readonly id: string;
  readonly cluster: Hash;
  readonly issuer: { readonly id: string; readonly signer: Signer };
  /** Signers of a client; the service's is added. */
  readonly signers: Map<string, Signer>;
  readonly resources: readonly string[];
}

/** Asks for compute:execute of the resources. */
export function askOf(
  serviceId: string,
  { riskLevel, resources }: Pick<AuthorizationQuestion["capability"], "riskLevel" | "resources">,
): AuthorizationQuestion {
  return {
    serviceId,
    capability: { domain: "compute", operation: "execute", scope: "system", temporal: "continuous", riskLevel, resources },
  };
}

/** Registers a service and grants it compute:execute of the resources, at any risk, for an hour; the operator is `operator-1`. */
export async function enroll(gateway: SecurityGateway, { id, cluster, issuer, signers, resources }: Enrolment): Promise<void> {
  const { identity, signer } = await createServiceIdentity({ id, cluster, claims: { purpose: "test" }, issuer });
  signers.set(id, signer);
  const registered = await gateway.registerService(identity, true);
  const now = Date.now();
  const capability = {
    domain: "compute",
    operation: "execute",
    scope: "system" as const,
    temporal: ["continuous"],
    riskLevel: "critical" as const,
    resources: [...resources],
  };
  const granted = await gateway.createGrant(
    { service: id, capability, notBeforeMs: now - 1_000, notAfterMs: now + 3_600_000 },
    "operator-1",
  );
  for (const { outcome, reason } of [registered, granted]) if (outcome !== "applied") throw new Error(`${id}: ${outcome} ${reason}`);
}
