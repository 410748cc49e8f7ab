import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { NodeStatus } from "#gateway";
import { type ChangeDraft, changeToCanonical } from "#state";
import type { ProcessCluster } from "./process-cluster.ts";

const PATIENCE_MS = 30_000;
const CHANGE_MS = 60_000;

/** What every change says besides what it changes: of which epoch it is, and until when. */
export function frame(epoch: number): { readonly epoch: number; readonly expiresAtUs: number } {
  return { epoch, expiresAtUs: (Date.now() + CHANGE_MS) * 1_000 };
}

/** Has the operator's change ordered, by way of these nodes, and expects it to be applied. */
export async function change(cluster: ProcessCluster, draft: ChangeDraft, by: readonly number[] = [1, 2]): Promise<void> {
  // Sent once: a second one would name an epoch that is over. So it waits as long as a node lets it.
  const gateway = await cluster.connect(by, 10_000);
  const approved = { kind: draft.kind, change: changeToCanonical(cluster.cluster, draft), approvals: [] };
  const { outcome, reason } = await gateway.changeMembers(approved, "operator-1");
  await gateway.stop();
  expect([outcome, reason]).to.deep.equal(["applied", "OK"]);
}

/** Waits until each of the nodes is as wanted. @throws Error with what it says instead */
export async function becomes(
  cluster: ProcessCluster,
  nodes: readonly number[],
  { what, isThere }: { readonly what: string; readonly isThere: (status: NodeStatus) => boolean },
): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (const node of nodes) {
    for (;;) {
      const status = await cluster.status(node);
      if (status !== undefined && isThere(status)) break;
      if (Date.now() > end) throw new Error(`node-${node} is not ${what}: ${JSON.stringify(status)}`);
      await sleep(100);
    }
  }
}

/** That a node takes part in an epoch. */
export function inEpoch(epoch: number): { readonly what: string; readonly isThere: (status: NodeStatus) => boolean } {
  return { what: `a member of epoch ${epoch}`, isThere: (status) => status.epoch === epoch && status.mode === "participating" };
}

/** That a learner has what a member had at that height. */
export function caughtUp(height: number): { readonly what: string; readonly isThere: (status: NodeStatus) => boolean } {
  return { what: "caught up", isThere: (status) => status.mode === "following" && status.height >= height };
}
