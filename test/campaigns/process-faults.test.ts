import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { verifyReceipt } from "#audit";
import type { SecurityGateway } from "#gateway";
import { ProcessCluster, QUESTION } from "./process-cluster.ts";

/** Clients that ask without a pause and remember what was acknowledged, and when. */
class Load {
  readonly acknowledged: { readonly id: string; readonly atMs: number; readonly receipt: string }[] = [];
  #running = true;
  readonly #workers: readonly Promise<void>[];

  constructor(gateways: readonly SecurityGateway[]) {
    this.#workers = gateways.map((gateway) => this.#work(gateway));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#workers);
  }

  /** Longest time without an acknowledged decision since the given time. */
  longestGapMs(sinceMs: number): number {
    const times = [sinceMs, ...this.acknowledged.map(({ atMs }) => atMs).filter((atMs) => atMs > sinceMs)].sort((a, b) => a - b);
    return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)), times.length > 1 ? 0 : Number.POSITIVE_INFINITY);
  }

  async #work(gateway: SecurityGateway): Promise<void> {
    while (this.#running) {
      try {
        const { outcome, consensusId, receipt } = await gateway.authorizeOperation(QUESTION);
        if (outcome === "allowed") this.acknowledged.push({ id: consensusId, atMs: Date.now(), receipt: receipt ?? "" });
      } catch {
        // A node that was killed under the call: the client asks the next one.
        await sleep(20);
      }
    }
  }
}

/** True once every living node stands at one height with one state hash and takes part. */
async function settled(cluster: ProcessCluster, nodes: readonly number[], timeoutMs: number): Promise<boolean> {
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

describe("four processes under load", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let clients: SecurityGateway[];
  let load: Load;

  before(async () => {
    cluster = new ProcessCluster({ nodes: 4, basePort: 17_400 });
    await cluster.begin();
    clients = await Promise.all([1, 2, 3, 4].map((node) => cluster.connect([node, (node % 4) + 1], 3_000)));
    load = new Load(clients);
    await sleep(500);
  });

  after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await cluster.end();
  });

  // What one claim cut must not make the next one fail.
  afterEach(() => cluster.heal());

  it("goes on within 2 s when the leader is killed, and takes it back", async () => {
    const leader = Number((await cluster.status(1))?.leader?.split("-")[1]);
    const killedMs = Date.now();
    await cluster.signal(leader, "SIGKILL");
    await sleep(3_000);
    expect(load.longestGapMs(killedMs)).to.be.below(2_000);
    await cluster.start(leader);
  });

  it("goes on while any other node is killed and restarted", async () => {
    for (const node of [4, 3]) {
      await cluster.signal(node, "SIGKILL");
      await sleep(500);
      await cluster.start(node);
    }
  });

  it("goes on while a node is stopped for five seconds", async () => {
    const pausedMs = Date.now();
    await cluster.signal(2, "SIGSTOP");
    await sleep(5_000);
    await cluster.signal(2, "SIGCONT");
    expect(load.longestGapMs(pausedMs)).to.be.below(4_000);
  });

  it("answers unavailable within its bound while two are cut from two, and decides after the heal", async () => {
    await cluster.partition([1, 2]);
    await sleep(4_000);
    const gateway = await cluster.connect([1], 2_000);
    const askedMs = Date.now();
    const answer = await gateway.authorizeOperation(QUESTION);
    expect(answer.outcome).to.equal("unavailable");
    expect(Date.now() - askedMs).to.be.below(5_000);
    const status = await gateway.status();
    expect(status.health.summary).to.match(/cannot decide/);
    expect(status.waitingFor).to.include.members(["node-3", "node-4"]);
    await gateway.stop();
    await cluster.heal();
    const healedMs = Date.now();
    await sleep(5_000);
    expect(load.longestGapMs(healedMs)).to.be.below(5_000);
  });

  it("takes back a node whose data folder was deleted, and one that got an old copy", async () => {
    cluster.copyData(3);
    await sleep(500);
    await cluster.signal(4, "SIGKILL");
    cluster.loseData(4);
    await cluster.start(4);
    expect((await cluster.status(4))?.mode).to.equal("recovering");
    await rejoined(cluster, 4);
    await cluster.signal(3, "SIGKILL");
    cluster.restoreCopy(3);
    await cluster.start(3);
    await rejoined(cluster, 3);
  });

  it("has lost no acknowledged decision, and every node holds the same state", async () => {
    await load.stop();
    expect(await settled(cluster, [1, 2, 3, 4], 20_000)).to.equal(true);
    const policy = await (clients[0] as SecurityGateway).policy();
    for (const node of [1, 2, 3, 4]) {
      const gateway = await cluster.connect([node]);
      for (const { id } of sample(load.acknowledged, 300)) {
        const decision = await gateway.decision(id);
        expect(decision, `node-${node} lost ${id}`).to.include({ outcome: "allowed" });
      }
      await gateway.stop();
    }
    for (const { receipt } of sample(load.acknowledged, 20)) expect(verifyReceipt(receipt, policy).exitCode).to.equal(0);
  });
});

async function rejoined(cluster: ProcessCluster, node: number): Promise<void> {
  const end = Date.now() + 40_000;
  while ((await cluster.status(node))?.mode !== "participating") {
    if (Date.now() > end) {
      const statuses = await Promise.all([1, 2, 3, 4].map((other) => cluster.status(other)));
      throw new Error(`node-${node} did not take part again: ${JSON.stringify(statuses)}`);
    }
    await sleep(200);
  }
}

function sample<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(items.length / count));
  return items.filter((_, index) => index % step === 0);
}
