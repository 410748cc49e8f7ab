import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { EngineName } from "#base";
import type { SecurityGateway } from "#gateway";
import { expectNothingLost, Load, reached, rejoined } from "./load.ts";
import { ProcessCluster } from "./process-cluster.ts";

const ENGINE = (process.env["QUORUMGATE_SOAK_ENGINE"] ?? "pbft") as EngineName;

describe(`four processes of ${ENGINE} that prune their blocks early`, function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let clients: SecurityGateway[];
  let load: Load;

  before(async () => {
    cluster = new ProcessCluster({ nodes: 4, basePort: 17_450, engine: ENGINE, pruning: { checkpointInterval: 16, blocksKept: 16 } });
    await cluster.begin();
    clients = await Promise.all([1, 2, 3].map((node) => cluster.connect([node, (node % 3) + 1], 3_000)));
    load = new Load(clients);
    await sleep(2_000);
  });

  after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await cluster.end();
  });

  it("give their state to one whose data folder was deleted, under load, and it takes part again", async () => {
    await cluster.signal(4, "SIGKILL");
    cluster.loseData(4);
    await cluster.start(4);
    await rejoined(cluster, 4);
    expect((await cluster.status(4))?.blocksFrom, "it did not replay from the first block").to.be.at.least(16);
  });

  it("give it to one that was away for longer than they keep blocks", async () => {
    await cluster.signal(3, "SIGKILL");
    const missedFrom = (await cluster.status(1))?.height ?? 0;
    for (const node of [1, 2, 4]) {
      await reached(cluster, node, ({ blocksFrom }) => blocksFrom >= missedFrom + 32, "prunes the blocks that node-3 missed");
    }
    await cluster.start(3);
    // Of the blocks between nobody has one: only by a state does it come so far.
    await reached(cluster, 3, ({ blocksFrom }) => blocksFrom > missedFrom, "takes over a state");
    await rejoined(cluster, 3);
  });

  it("have lost no acknowledged decision, and every one of them proves each of them", async () => {
    await load.stop();
    await expectNothingLost(cluster, load);
  });
});
