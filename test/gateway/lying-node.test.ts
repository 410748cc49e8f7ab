import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { clusterIdOf, parseNodeId, silentTelemetry } from "#base";
import { loadSodium, nodeHasher } from "#crypto";
import { startNode } from "#gateway";
import { assembleGenesis, createNodeIdentity, createServiceKey, saveNodeIdentity } from "#identity";

describe("a node that is to lie", () => {
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-liar-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("does not start in a cluster that is no development cluster", async () => {
    const sodium = await loadSodium();
    const nowMs = Date.now();
    const identity = createNodeIdentity(sodium, {
      nodeId: parseNodeId("bank-a"),
      trustDomain: "gate.example",
      weight: 1,
      peerAddress: "127.0.0.1:1",
      httpUrl: "https://gate.example",
      nowMs,
    });
    saveNodeIdentity(folder, identity);
    const [operator, issuer] = [createServiceKey(sodium, "operator-1"), createServiceKey(sodium, "issuer-1")];
    const genesisBytes = assembleGenesis(sodium, {
      environment: "production",
      trustDomain: "gate.example",
      nodeFiles: [identity.nodeFile],
      operators: [{ id: operator.id, key: operator.publicKey, roles: ["operator"] }],
      issuers: [{ id: issuer.id, key: issuer.publicKey }],
      timeUs: nowMs * 1_000,
    });
    const starting = startNode({
      genesisBytes,
      genesisHash: clusterIdOf(nodeHasher, genesisBytes),
      keysFolder: folder,
      dataFolder: join(folder, "data"),
      anchorFile: join(folder, "anchor"),
      listen: { host: "127.0.0.1", port: 0 },
      telemetry: silentTelemetry,
      interpose: (links) => links,
    });
    const refusal = await starting.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refusal).to.include({ code: "CONFIG_INVALID", message: "only a node of a development cluster may lie" });
  });
});
