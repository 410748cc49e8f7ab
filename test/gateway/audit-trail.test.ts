import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import {
  exportPaths,
  parseCheckpointText,
  parseNote,
  type VerificationResult,
  verifyBundle,
  verifyCheckpoint,
  verifyReceipt,
} from "#audit";
import { type EngineName, encodeUtf8 } from "#base";
import { nodeHasher } from "#crypto";
import { createDevCluster, createServiceIdentity, type DevCluster } from "#gateway";
import { changeMembers, PATIENCE_MS } from "./change-members.ts";

/** Has the operator remove a member, and waits until those who stay stand in the next epoch. */
async function remove(cluster: DevCluster, node: string, staying: readonly number[]): Promise<void> {
  const { epoch } = await cluster.gateway(1).status();
  const changed = await changeMembers(cluster, 1, { remove: [node] });
  expect(changed.kind === "ordered" && changed.outcome.outcome, JSON.stringify(changed)).to.equal("applied");
  for (const at of staying)
    await until(async () => (await cluster.gateway(at).status()).epoch === epoch + 1, `node ${at} in the next epoch`);
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await sleep(50);
  }
}

async function registered(cluster: DevCluster, at: number, id: string): Promise<string> {
  const { identity, signer } = await createServiceIdentity({ id, cluster: cluster.cluster, claims: {}, issuer: cluster.issuer });
  cluster.signers.set(identity.id, signer);
  const { receipt } = await cluster.gateway(at).registerService(identity, true);
  if (receipt === undefined) throw new Error("no receipt");
  return receipt;
}

async function checkpointAt(cluster: DevCluster, node: number): Promise<string> {
  const checkpoint = await cluster.gateway(node).backend.checkpoint();
  if (checkpoint === undefined) throw new Error("no checkpoint");
  return checkpoint;
}

/** What a node serves of its log, as an export holds it. */
async function exported(cluster: DevCluster, node: number): Promise<Map<string, Uint8Array>> {
  const { backend } = cluster.gateway(node);
  const checkpoint = await checkpointAt(cluster, node);
  const { origin, size } = parseCheckpointText(parseNote(checkpoint).text);
  const files = new Map([["checkpoint", encodeUtf8(checkpoint)]]);
  for (const path of exportPaths(size)) files.set(path, (await backend.logFile(`${origin.slice(-6)}/${path}`)) ?? expect.fail(path));
  for (let epoch = 1; ; epoch++) {
    const file = await backend.logFile(`epochs/${epoch}`);
    if (file === undefined) return files;
    files.set(`epochs/${epoch}`, file);
  }
}

describe("an auditor who keeps the first policy and a checkpoint", function () {
  this.timeout(60_000);

  for (const engine of ["pbft", "tendermint", "raft"] satisfies EngineName[]) {
    it(`follows the log over the removal of two members, and sees where one that left stopped: ${engine}`, async () => {
      const cluster = await createDevCluster({ engine, nodes: 6 });
      try {
        const policy = await cluster.gateway(1).policy();
        const early = await registered(cluster, 6, "service-1");
        const kept = await checkpointAt(cluster, 2);
        await remove(cluster, "node-6", [1, 2, 3, 4, 5]);
        await remove(cluster, "node-5", [1, 2, 3, 4]);
        const late = await registered(cluster, 3, "service-2");
        await until(async () => (await exported(cluster, 4)).has("epochs/2"), "the second handover");
        const files = await exported(cluster, 4);
        const epochs = [1, 2].map((epoch) => files.get(`epochs/${epoch}`) ?? expect.fail(`epoch ${epoch}`));
        const options = { hasher: nodeHasher, epochs };
        const valid = (result: VerificationResult): void => void expect(result.findings).to.deep.equal([]);
        const whole = verifyBundle(files, policy, { ...options, knownCheckpoints: [kept] });
        valid(whole);
        expect(whole.checked.join(" ")).to.include("is a prefix of this log").and.include("to those of epoch 2");
        expect(whole.notices.some((notice) => notice.startsWith("CRASH FAULTS ONLY"))).to.equal(engine === "raft");
        for (const receipt of [early, late]) valid(verifyReceipt(receipt, policy, options));
        expect(verifyReceipt(late, policy, { hasher: nodeHasher }).ok, "without the handovers").to.equal(false);
        const left = await checkpointAt(cluster, 6);
        valid(verifyCheckpoint(left, policy, options));
        expect(verifyBundle(files, policy, { ...options, knownCheckpoints: [left] }).ok, "who left holds a prefix").to.equal(true);
        const theirs = verifyBundle(await exported(cluster, 6), policy, { ...options, knownCheckpoints: [await checkpointAt(cluster, 4)] });
        expect(theirs.exitCode, "shown by who left, the log is cut").to.equal(11);
      } finally {
        await cluster.stop();
      }
    });
  }
});
