import { type CanonicalObject, parseSubjectId } from "#base";
import { signCommand } from "#crypto";
import type { DevCluster, Submission } from "#gateway";
import { changeToCanonical } from "#state";

/** How long a cluster on a loaded machine may take for a change. */
export const PATIENCE_MS = 10_000;

/** Has the operator change the members, through a node. */
export async function changeMembers(
  cluster: DevCluster,
  at: number,
  what: {
    add?: { id: string; weight: number }[];
    remove?: string[];
    reweight?: { id: string; weight: number }[];
    renew?: CanonicalObject[];
  },
): Promise<Submission> {
  const gateway = cluster.gateway(at);
  const { epoch } = await gateway.status();
  const nowUs = Date.now() * 1_000;
  const draft = { kind: "membership.change", epoch, expiresAtUs: nowUs + 60_000_000, add: [], remove: [], reweight: [], ...what };
  const signer = cluster.signers.get("operator-1");
  if (signer === undefined) throw new Error("no operator");
  const signed = await signCommand(signer, {
    cluster: cluster.cluster,
    kind: "membership.change",
    issuer: parseSubjectId("operator-1"),
    issuedAtUs: nowUs,
    expiresAtUs: nowUs + 60_000_000,
    body: { change: changeToCanonical(cluster.cluster, draft as never), approvals: [] },
  });
  return gateway.backend.submit(signed, PATIENCE_MS);
}
