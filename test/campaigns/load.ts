import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { verifyReceipt } from "#audit";
import { parseHash, parseSubjectId } from "#base";
import type { NodeStatus, SecurityGateway } from "#gateway";
import { type ClientHistory, checkClientHistory } from "#simulations";
import { type ProcessCluster, QUESTION } from "./process-cluster.ts";

/** Decisions that show that a cluster goes on: more than one block of what four clients ask at a time. */
const GOING_ON = 20;
/** A test that hangs ends then; a slow machine does not come near it. */
const HANG_MS = 60_000;

/** Clients that ask without a pause and remember what was acknowledged, and when it was asked. */
export class Load {
  readonly acknowledged: { readonly id: string; readonly askedMs: number; readonly receipt: string }[] = [];
  /** What the clients asked and heard, by one clock. Calls that failed say nothing. */
  readonly history: ClientHistory[number][] = [operation("register", { from: -2, to: -2 }), operation("grant", { from: -1, to: -1 })];
  #running = true;
  readonly #workers: readonly Promise<void>[];

  constructor(gateways: readonly SecurityGateway[]) {
    this.#workers = gateways.map((gateway) => this.#work(gateway));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#workers);
  }

  /**
   * Waits until decisions are acknowledged that were asked for after this call. How long that takes depends on the machine, and the benchmark
   * measures it (`bench --suite failover`).
   * @param circumstances what they go on in spite of
   * @returns after how many milliseconds
   */
  async goesOn(circumstances: string): Promise<number> {
    const fromMs = performance.now();
    while (this.acknowledged.filter(({ askedMs }) => askedMs >= fromMs).length < GOING_ON) {
      if (performance.now() - fromMs > HANG_MS) throw new Error(`nothing is decided ${circumstances}`);
      await sleep(50);
    }
    return performance.now() - fromMs;
  }

  async #work(gateway: SecurityGateway): Promise<void> {
    while (this.#running) {
      try {
        const from = performance.now();
        const { outcome, reason, consensusId, receipt } = await gateway.authorizeOperation(QUESTION);
        if (outcome !== "unavailable")
          this.history.push(operation("authorize", { from, to: performance.now() }, { outcome, code: reason }));
        if (outcome === "allowed") this.acknowledged.push({ id: consensusId, askedMs: from, receipt: receipt ?? "" });
      } catch {
        // A node that was killed under the call: the client asks the next one.
        await sleep(20);
      }
    }
  }
}

/** One operation of the service that asks, which was registered and granted what it asks for before the load began. */
function operation(
  kind: "register" | "grant" | "authorize",
  { from, to }: { readonly from: number; readonly to: number },
  output: { readonly outcome: string; readonly code: string } = { outcome: "applied", code: "OK" },
): ClientHistory[number] {
  const { serviceId, capability } = QUESTION;
  const command = parseHash("00".repeat(32));
  const intent = {
    kind,
    service: parseSubjectId(serviceId),
    operation: capability.operation,
    risk: capability.riskLevel,
    identity: command,
  };
  return { input: { ...intent, command, isContested: false, untilUs: 1 }, invokedAt: from, returned: { at: to, output } };
}

/** True once every living node stands at one height with one state hash and takes part. */
export async function settled(cluster: ProcessCluster, nodes: readonly number[], timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    const statuses = await Promise.all(nodes.map((node) => cluster.status(node)));
    const points = new Set(
      statuses.map((status) => `${status?.height} ${status?.stateHash} ${status?.mode} ${status?.certifiedHeight === status?.height}`),
    );
    if (points.size === 1 && statuses[0]?.mode === "participating" && statuses[0].certifiedHeight === statuses[0].height) return true;
    await sleep(200);
  }
  return false;
}

/** Waits until a node's status is as wanted. @throws Error with what every node says, when it does not become so */
export async function reached(cluster: ProcessCluster, node: number, is: (status: NodeStatus) => boolean, wanted: string): Promise<void> {
  const end = Date.now() + 40_000;
  for (;;) {
    const status = await cluster.status(node);
    if (status !== undefined && is(status)) return;
    if (Date.now() > end) {
      const statuses = await Promise.all(cluster.nodes.map((other) => cluster.status(other)));
      throw new Error(`node-${node} ${wanted}: it did not come to that: ${JSON.stringify(statuses)}`);
    }
    await sleep(200);
  }
}

/** Waits until a node has given up its link to another one, which does not answer. */
export function parted(cluster: ProcessCluster, node: number, from: number): Promise<void> {
  const isLinked = ({ members }: NodeStatus): boolean => members.some(({ id, connected }) => id === `node-${from}` && connected);
  return reached(cluster, node, (status) => !isLinked(status), `has no link to node-${from}`);
}

/** Waits until a node takes part again. */
export function rejoined(cluster: ProcessCluster, node: number): Promise<void> {
  return reached(cluster, node, ({ mode }) => mode === "participating", "takes part again");
}

function sample<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(items.length / count));
  return items.filter((_, index) => index % step === 0);
}

/** The handover of every epoch, as one node serves them. */
export async function handovers(gateway: SecurityGateway): Promise<readonly Uint8Array[]> {
  const files: Uint8Array[] = [];
  const { epoch } = await gateway.status();
  for (let next = 1; next <= epoch; next++) {
    const file = await gateway.backend.logFile(`epochs/${next}`);
    expect(file, `the handover to epoch ${next}`).not.to.equal(undefined);
    files.push(file ?? new Uint8Array(0));
  }
  return files;
}

/**
 * Every node comes to hold one state, and each of them every decision that was acknowledged, with a receipt that verifies by the first members'
 * policy and the handovers that any node serves.
 */
export async function expectNothingLost(cluster: ProcessCluster, load: Load): Promise<void> {
  const policy = cluster.firstPolicy();
  expect(await settled(cluster, cluster.nodes, 40_000), "the nodes come to one state").to.equal(true);
  expect(load.acknowledged.length, "acknowledged decisions").to.be.greaterThan(0);
  expect(checkClientHistory(load.history, { toleratesLies: true })).to.deep.equal({ kind: "linearizable" });
  for (const node of cluster.nodes) {
    const gateway = await cluster.connect([node]);
    for (const { id } of sample(load.acknowledged, 200)) {
      const decision = await gateway.decision(id);
      expect(decision, `node-${node} lost ${id}`).to.include({ outcome: "allowed" });
    }
    const epochs = await handovers(gateway);
    for (const { receipt } of sample(load.acknowledged, 5))
      expect(verifyReceipt(receipt, policy, { epochs }).findings, `node-${node}`).to.deep.equal([]);
    await gateway.stop();
  }
}
