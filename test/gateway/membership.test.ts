import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { verifyReceipt } from "#audit";
import { type CanonicalObject, type EngineName, parseCanonicalObject, parseMember } from "#base";
import { createDevCluster, createServiceIdentity, type DevCluster, type NodeStatus } from "#gateway";
import { changeToCanonical } from "#state";
import { changeMembers, PATIENCE_MS } from "./change-members.ts";

/** Has a service registered through a node, and gives what came of it with its receipt. */
async function register(cluster: DevCluster, at: number, id = "service-1"): Promise<{ readonly receipt: string }> {
  const about = { id, cluster: cluster.cluster, claims: { purpose: "test" }, issuer: cluster.issuer };
  const { identity, signer } = await createServiceIdentity(about);
  cluster.signers.set(identity.id, signer);
  const { receipt } = await cluster.gateway(at).registerService(identity, true);
  if (receipt === undefined) throw new Error("no receipt");
  return { receipt };
}

/** Waits until a node stands in the epoch and takes its part there. */
function reaches(cluster: DevCluster, node: number, epoch: number, mode: string): Promise<void> {
  return waitFor(cluster, node, (status) => status.epoch === epoch && status.mode === mode);
}

/** Waits until a node's status is as wanted. */
async function waitFor(cluster: DevCluster, node: number, isWanted: (status: NodeStatus) => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const status = await cluster.gateway(node).status();
    if (isWanted(status)) return;
    if (Date.now() > end) throw new Error(`node ${node}: ${JSON.stringify(status)}`);
    await sleep(50);
  }
}

/** Waits until a node serves the handover to an epoch. */
async function handoverAt(cluster: DevCluster, node: number, epoch: number): Promise<Uint8Array> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const file = await cluster.gateway(node).backend.logFile(`epochs/${epoch}`);
    if (file !== undefined) return file;
    if (Date.now() > end) throw new Error(`node ${node} serves no handover to epoch ${epoch}`);
    await sleep(50);
  }
}

describe("a change of members", function () {
  this.timeout(60_000);

  it("is proved by the node too that was away when the epoch ended", async () => {
    const cluster = await createDevCluster({ nodes: 5 });
    const before = await cluster.gateway(1).policy();
    const weights = (weight: number) => [1, 2, 3, 4, 5].map((node) => ({ id: `node-${node}`, weight }));
    try {
      cluster.partition([5]);
      for (const epoch of [1, 2]) {
        const changed = await changeMembers(cluster, epoch, { reweight: weights(epoch + 1) });
        expect(changed.kind === "ordered" && changed.outcome.outcome, JSON.stringify(changed)).to.equal("applied");
        for (const node of [1, 2, 3, 4]) await reaches(cluster, node, epoch, "participating");
      }
      const { receipt } = await register(cluster, 3);
      cluster.heal();
      await reaches(cluster, 5, 2, "participating");
      const epochs = [await handoverAt(cluster, 5, 1), await handoverAt(cluster, 5, 2)];
      const followed = verifyReceipt(receipt, before, { epochs });
      expect(followed.findings).to.deep.equal([]);
    } finally {
      await cluster.stop();
    }
  });

  for (const engine of ["pbft", "tendermint", "raft"] satisfies EngineName[]) {
    it(`makes a learner that has replayed the blocks a member, whose vote is needed from then on: ${engine}`, async () => {
      const cluster = await createDevCluster({ engine });
      try {
        await register(cluster, 2);
        const { node, nodeFile } = await cluster.addNode();
        const frame = { epoch: 0, expiresAtUs: (Date.now() + 60_000) * 1_000 };
        const admission = changeToCanonical(cluster.cluster, {
          kind: "learner.add",
          ...frame,
          nodeFile: parseCanonicalObject(nodeFile),
        });
        const admitted = await cluster.gateway(1).changeMembers({ kind: "learner.add", change: admission, approvals: [] }, "operator-1");
        expect(admitted.outcome).to.equal("applied");
        const { height } = await cluster.gateway(1).status();
        await waitFor(cluster, node, (status) => status.mode === "following" && status.height >= height);
        const joined = await changeMembers(cluster, 1, { add: [{ id: `node-${node}`, weight: 1 }] });
        expect(joined.kind === "ordered" && joined.outcome.outcome, JSON.stringify(joined)).to.equal("applied");
        for (const member of [1, 2, 3, 4, node]) await reaches(cluster, member, 1, "participating");
        // Of five equal members four are needed in pbft and tendermint, and three in raft.
        cluster.partition(engine === "raft" ? [3, 4] : [4]);
        const receipt = await register(cluster, node);
        expect(receipt.receipt).to.include(`node-${node}`);
      } finally {
        await cluster.stop();
      }
    });
  }

  for (const engine of ["pbft", "tendermint", "raft"] satisfies EngineName[]) {
    it(`replaces all members at once, after which a newcomer needs the contacts of present ones: ${engine}`, async () => {
      const cluster = await createDevCluster({ engine });
      const before = await cluster.gateway(1).policy();
      const admit = async (at: number, { nodeFile }: { readonly nodeFile: Uint8Array }): Promise<void> => {
        const { epoch } = await cluster.gateway(at).status();
        const draft = {
          kind: "learner.add",
          epoch,
          expiresAtUs: (Date.now() + 60_000) * 1_000,
          nodeFile: parseCanonicalObject(nodeFile),
        } as const;
        const approved = changeToCanonical(cluster.cluster, draft);
        const { outcome } = await cluster.gateway(at).changeMembers({ kind: "learner.add", change: approved, approvals: [] }, "operator-1");
        expect(outcome).to.equal("applied");
      };
      try {
        for (let count = 0; count < 4; count++) await admit(1, await cluster.addNode());
        const { height } = await cluster.gateway(1).status();
        for (const node of [5, 6, 7, 8]) await waitFor(cluster, node, (status) => status.height >= height);
        const [old, fresh] = [
          [1, 2, 3, 4],
          [5, 6, 7, 8],
        ].map((nodes) => nodes.map((node) => `node-${node}`)) as [string[], string[]];
        const replaced = await changeMembers(cluster, 1, { remove: old, add: fresh.map((id) => ({ id, weight: 1 })) });
        expect(replaced.kind === "ordered" && replaced.outcome.outcome, JSON.stringify(replaced)).to.equal("applied");
        for (const node of [5, 6, 7, 8]) await reaches(cluster, node, 1, "participating");
        const { receipt } = await register(cluster, 6);
        expect(verifyReceipt(receipt, before, { epochs: [await handoverAt(cluster, 7, 1)] }).findings).to.deep.equal([]);
        const lost = await cluster.addNode();
        await admit(5, lost);
        const view = (await cluster.gateway(5).members()) as unknown as { members: CanonicalObject[] };
        const found = await cluster.addNode({ contacts: view.members.map(parseMember) });
        await admit(5, found);
        await waitFor(cluster, found.node, (status) => status.mode === "following" && status.learners.length === 2);
        expect((await cluster.gateway(lost.node).status()).height, "whoever knows the first members only reaches nobody").to.equal(0);
        expect((await handoverAt(cluster, found.node, 1)).length).to.be.greaterThan(0);
      } finally {
        await cluster.stop();
      }
    });
  }

  for (const engine of ["pbft", "tendermint", "raft"] satisfies EngineName[]) {
    it(`gives nodes new keys for their checkpoints, and the old ones prove nothing of the new epoch: ${engine}`, async () => {
      const cluster = await createDevCluster({ engine });
      const before = await cluster.gateway(1).policy();
      const old = await register(cluster, 1);
      try {
        const renew = [1, 2].map((node) => parseCanonicalObject(cluster.renew(node)));
        const renewed = await changeMembers(cluster, 1, { renew });
        expect(renewed.kind === "ordered" && renewed.outcome.outcome, JSON.stringify(renewed)).to.equal("applied");
        for (const node of [1, 2, 3, 4]) await reaches(cluster, node, 1, "participating");
        // Both are needed for a quorum of all but one, and so their new keys sign.
        cluster.partition([4]);
        const { receipt } = await register(cluster, 2, "service-2");
        const now = await cluster.gateway(2).policy();
        expect(verifyReceipt(receipt, now).findings).to.deep.equal([]);
        expect(verifyReceipt(old.receipt, before).findings).to.deep.equal([]);
        expect(verifyReceipt(receipt, before).exitCode, "by the keys of the epoch before").to.equal(13);
        expect(verifyReceipt(old.receipt, now).exitCode, "a checkpoint of the epoch before by the new keys").to.equal(13);
        const epochs = [await handoverAt(cluster, 3, 1)];
        for (const each of [receipt, old.receipt]) expect(verifyReceipt(each, before, { epochs }).findings).to.deep.equal([]);
      } finally {
        await cluster.stop();
      }
    });
  }

  for (const engine of ["pbft", "tendermint", "raft"] satisfies EngineName[]) {
    it(`is active everywhere after the epoch's last height, and decisions go on: ${engine}`, async () => {
      const cluster = await createDevCluster({ nodes: 5, engine });
      const before = await cluster.gateway(1).policy();
      try {
        const removed = await changeMembers(cluster, 1, { remove: ["node-5"], reweight: [] });
        expect(removed.kind === "ordered" && removed.outcome.outcome, JSON.stringify(removed)).to.equal("applied");
        for (const node of [1, 2, 3, 4]) await reaches(cluster, node, 1, "participating");
        const members = (await cluster.gateway(1).status()).members.map(({ id }) => id);
        expect(members).to.deep.equal(["node-1", "node-2", "node-3", "node-4"]);
        const stale = await changeMembers(cluster, 2, { remove: ["node-5"] });
        expect(stale.kind === "ordered" && stale.outcome.outcome, "a node that has gone cannot go again").to.equal("refused");
        // Ordered in the new epoch, and proved by its members alone.
        const { receipt } = await register(cluster, 3);
        expect(verifyReceipt(receipt, await cluster.gateway(3).policy()).exitCode).to.equal(0);
        // An auditor who pinned the first members follows the handover to those who signed.
        const handover = await cluster.gateway(3).backend.logFile("epochs/1");
        if (handover === undefined) throw new Error("no handover is served");
        const followed = verifyReceipt(receipt, before, { epochs: [handover] });
        expect(followed.exitCode, JSON.stringify(followed.findings)).to.equal(0);
        // The one that left hears nothing more and counts nowhere.
        expect((await cluster.gateway(5).status()).mode).to.be.oneOf(["following", "participating", "recovering"]);
        expect((await cluster.gateway(1).status()).members.map(({ id }) => id)).not.to.include("node-5");
      } finally {
        await cluster.stop();
      }
    });
  }
});
