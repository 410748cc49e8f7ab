import { expect } from "chai";
import { createDevCluster, createServiceIdentity, type DevCluster } from "#gateway";

const SERVICE = "pricing";

/** Whether a node's answer says that the service is revoked. */
function isRevoked(service: unknown): boolean {
  return (service as { revoked?: unknown } | undefined)?.revoked !== undefined;
}

for (const engine of ["pbft", "tendermint", "raft"] as const) {
  describe(`a linearizable read at a gateway (${engine})`, function () {
    this.timeout(20_000);
    let cluster: DevCluster;
    before(async () => {
      cluster = await createDevCluster({ nodes: 4, engine });
      await cluster.gateway(1).registerService(await another(cluster, SERVICE), true);
    });
    after(() => cluster.stop());

    it("sees at every node what one node was told a moment ago", async () => {
      for (const node of [2, 3, 4]) {
        const written = await cluster.gateway(1).registerService(await another(cluster, `service-${node}`), true);
        const found = await cluster.gateway(node).decision(written.decisionId, "linearizable");
        expect(found, `node ${node}`).to.include({ outcome: "applied", decisionId: written.decisionId });
        expect(found).to.have.property("receipt");
      }
    });

    it("gives no stale answer at a node that is cut off, and the true one once it is back", async () => {
      cluster.partition([4]);
      await cluster.gateway(2).revokeService(SERVICE, { by: "operator-1", reason: "left" });
      const cutOff = cluster.gateway(4).backend;
      expect(isRevoked(await cutOff.service(SERVICE))).to.equal(false);
      const asked = cutOff.service(SERVICE, "linearizable");
      setTimeout(() => cluster.heal(), 300);
      expect(isRevoked(await asked)).to.equal(true);
    });
  });
}

/** The identity of one more service. */
async function another(cluster: DevCluster, id: string): Promise<Awaited<ReturnType<typeof createServiceIdentity>>["identity"]> {
  const { identity, signer } = await createServiceIdentity({
    id,
    cluster: cluster.cluster,
    claims: { purpose: "test" },
    issuer: cluster.issuer,
  });
  cluster.signers.set(id, signer);
  return identity;
}
