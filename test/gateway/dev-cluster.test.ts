import { expect } from "chai";
import { verifyReceipt } from "#audit";
import { type AuthorizationQuestion, createDevCluster, type DevCluster } from "#gateway";
import { CapabilityBuilder } from "#state";
import { enroll } from "../enroll.ts";

const SERVICE = "trading-service-001";

function question(resources: readonly string[] = ["market-data"]): AuthorizationQuestion {
  const capability = { domain: "compute", operation: "execute", scope: "system", temporal: "continuous", riskLevel: "critical", resources };
  return { serviceId: SERVICE, capability, context: { purpose: "test" }, consensusRequired: true, crossNode: true };
}

describe("a cluster inside one process", () => {
  let cluster: DevCluster;
  before(async () => {
    cluster = await createDevCluster({ nodes: 4 });
    const { issuer, signers } = cluster;
    await enroll(cluster.gateway(1), {
      id: SERVICE,
      cluster: cluster.cluster,
      issuer,
      signers,
      resources: ["market-data", "trading-algorithm"],
    });
  });
  after(() => cluster.stop());

  it("allows what a grant covers, with a receipt that verifies offline", async () => {
    const response = await cluster.gateway(3).authorizeOperation(question());
    expect(response).to.include({ outcome: "allowed", authorized: true, consensusRequired: false });
    const result = verifyReceipt(response.receipt ?? "", await cluster.gateway(1).policy());
    expect(result.exitCode, JSON.stringify(result)).to.equal(0);
  });

  it("denies what no grant covers, and says why", async () => {
    const response = await cluster.gateway(1).authorizeOperation(question(["payments"]));
    expect(response).to.include({ outcome: "denied", reason: "AUTHZ_RESOURCE_DENIED" });
    expect(response.receipt).to.be.a("string");
  });

  it("answers many questions under one signature, each with its own receipt", async () => {
    const responses = await cluster.gateway(1).authorizeOperations(Array.from({ length: 16 }, () => question()));
    expect(responses.map(({ outcome }) => outcome)).to.deep.equal(Array.from({ length: 16 }, () => "allowed"));
    expect(new Set(responses.map(({ receipt }) => receipt)).size).to.equal(16);
  });

  it("presets name capabilities", () => {
    expect(CapabilityBuilder.compute("execute")).to.include({ domain: "compute", operation: "execute", riskLevel: "critical" });
  });

  it("tells who is missing when a node has no quorum, and decides again after the heal", async () => {
    cluster.partition([1, 2]);
    const health = await cluster.gateway(1).status();
    expect(health.health.summary).to.match(/^cannot decide: 2 of 3 needed votes; waiting for .*node-[34]/);
    cluster.heal();
    const response = await cluster.gateway(1).authorizeOperation(question());
    expect(response.outcome).to.equal("allowed");
  }).timeout(15_000);
});
