import { expect } from "chai";
import { type CanonicalObject, encodeCanonical, fromBase64Url, parseCanonicalObject, signedBytes, toBase64Url } from "#base";
import { loadSodium, nodeHasher, type Sodium } from "#crypto";
import { createDevCluster, type DevCluster } from "#gateway";
import { approvalBytes, changeToCanonical } from "#state";
import { developmentNode } from "../development-cluster.ts";
import { expectCodeLater } from "../refusals.ts";

describe("a learner", function () {
  this.timeout(30_000);
  let cluster: DevCluster;
  let sodium: Sodium;
  before(async () => {
    sodium = await loadSodium();
    cluster = await createDevCluster({ nodes: 4 });
  });
  after(() => cluster.stop());

  function nodeFile(id: string): CanonicalObject {
    return parseCanonicalObject(developmentNode(sodium, id).nodeFile);
  }

  function changeOf(file: CanonicalObject): CanonicalObject {
    const draft = { kind: "learner.add", epoch: 0, expiresAtUs: (Date.now() + 60_000) * 1_000, nodeFile: file } as const;
    return changeToCanonical(cluster.cluster, draft);
  }

  const submit = async (change: CanonicalObject, approvals: readonly { operator: string; signature: string }[] = []) =>
    cluster.gateway(1).changeMembers({ kind: "learner.add", change, approvals }, "operator-1");

  it("is refused before the vote when a key does not prove itself", async () => {
    for (const role of ["vote", "log", "witness", "gateway"]) {
      const file = nodeFile("node-8");
      const proofs = file["proofs"] as CanonicalObject;
      const other = nodeFile("node-9")["proofs"] as CanonicalObject;
      const forged = { ...file, proofs: { ...proofs, [role]: other[role] ?? "" } };
      await expectCodeLater("MEMBERSHIP_APPROVALS", () => submit(changeOf(forged)));
    }
  });

  it("is refused before the vote when an approval does not verify, or was given to another change", async () => {
    const [first, second] = [changeOf(nodeFile("node-8")), changeOf(nodeFile("node-9"))];
    const signer = cluster.signers.get("operator-1");
    const message = signedBytes("approval", approvalBytes(nodeHasher, { cluster: cluster.cluster, kind: "learner.add", change: second }));
    const signature = toBase64Url((await signer?.sign(message)) ?? new Uint8Array(64));
    expect(fromBase64Url(signature)).to.have.length(64);
    await expectCodeLater("MEMBERSHIP_APPROVALS", () => submit(first, [{ operator: "operator-1", signature }]));
  });

  it("is admitted by its node file, and listed without weight", async () => {
    const change = changeOf(nodeFile("node-5"));
    const result = await submit(change);
    expect([result.outcome, result.reason]).to.deep.equal(["applied", "OK"]);
    expect(encodeCanonical(change).length).to.be.lessThan(6_000);
    const view = (await cluster.gateway(1).members()) as { learners: { id: string }[]; members: { id: string }[]; epoch: number };
    expect(view.learners.map(({ id }) => id)).to.deep.equal(["node-5"]);
    expect([view.members.length, view.epoch]).to.deep.equal([4, 0]);
    expect((await submit(change)).reason).to.equal("IDENTITY_EXISTS");
  });
});
