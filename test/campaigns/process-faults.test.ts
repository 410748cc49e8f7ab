import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { SecurityGateway } from "#gateway";
import { expectNothingLost, Load, rejoined } from "./load.ts";
import { ProcessCluster, QUESTION } from "./process-cluster.ts";

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
    await expectNothingLost(cluster, load);
  });
});
