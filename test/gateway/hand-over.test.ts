import { expect } from "chai";
import { createDevCluster, createServiceIdentity, type DevCluster } from "#gateway";

describe("a Raft leader that is stopped", function () {
  this.timeout(20_000);
  let cluster: DevCluster;
  before(async () => {
    cluster = await createDevCluster({ nodes: 3, engine: "raft" });
  });
  after(() => cluster.stop());

  async function register(node: number, id: string): Promise<void> {
    const about = { id, cluster: cluster.cluster, claims: { purpose: "test" }, issuer: cluster.issuer };
    const { identity, signer } = await createServiceIdentity(about);
    cluster.signers.set(id, signer);
    expect(await cluster.gateway(node).registerService(identity, true)).to.include({ outcome: "applied" });
  }

  it("hands over before it goes, and the others decide under the next one", async () => {
    await register(1, "pricing");
    const { leader } = await cluster.gateway(1).status();
    const number = Number(leader?.slice("node-".length));
    const [other = 1] = [1, 2, 3].filter((node) => node !== number);
    await cluster.gateway(number).stop();
    const { leader: next } = await cluster.gateway(other).status();
    expect(next).to.match(/^node-[1-3]$/);
    expect(next).not.to.equal(leader);
    await register(other, "trading");
  });
});
