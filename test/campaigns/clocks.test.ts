import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { EngineName } from "#base";
import type { SecurityGateway } from "#gateway";
import { expectNothingLost, Load, rejoined } from "./load.ts";
import { expectQuietLogs } from "./node-logs.ts";
import { ProcessCluster } from "./process-cluster.ts";
import { Watch } from "./watch.ts";

const ENGINE = (process.env["QUORUMGATE_SOAK_ENGINE"] ?? "pbft") as EngineName;
const HOUR_MS = 3_600_000;
/** So long a wrong clock has to do harm. */
const WRONG_FOR_MS = 3_000;

describe(`four processes of ${ENGINE} whose clocks are set`, function () {
  this.timeout(180_000);
  let cluster: ProcessCluster;
  let clients: SecurityGateway[];
  let load: Load;
  let watch: Watch;

  before(async () => {
    cluster = new ProcessCluster({ nodes: 4, basePort: 18_800, engine: ENGINE });
    await cluster.begin();
    clients = await Promise.all([1, 2, 3, 4].map((node) => cluster.connect([node, (node % 4) + 1], 3_000)));
    load = new Load(clients);
    watch = new Watch(cluster);
    await load.goesOn("with right clocks");
  });

  after(async () => {
    await watch.stop();
    await Promise.all(clients.map((client) => client.stop()));
    await cluster.end();
  });

  const leader = async (): Promise<number> => Number((await cluster.status(1))?.leader?.split("-")[1] ?? 1);

  for (const [offsetMs, where] of [
    [HOUR_MS, "an hour ahead"],
    [-HOUR_MS, "an hour behind"],
  ] as const) {
    it(`go on while the clock of who leads is ${where}, and with it once it is right again`, async () => {
      const wrong = await leader();
      cluster.setClock(wrong, offsetMs);
      await load.goesOn(`while node-${wrong} is ${where}`);
      await sleep(WRONG_FOR_MS);
      await load.goesOn(`while node-${wrong} is still ${where}`);
      cluster.setClock(wrong, 0);
      await rejoined(cluster, wrong);
      await load.goesOn("with right clocks again");
      const all = await Promise.all(cluster.nodes.map((node) => cluster.status(node)));
      expect(all.map((status) => status?.health.canDecide)).to.deep.equal([true, true, true, true]);
    });
  }

  it("go on while all clocks differ by no more than is allowed", async () => {
    for (const [node, offsetMs] of [2_000, -2_000, 1_000, -1_000].entries()) cluster.setClock(node + 1, offsetMs);
    await load.goesOn("with clocks that differ");
    await sleep(WRONG_FOR_MS);
    await load.goesOn("with clocks that still differ");
    for (const node of cluster.nodes) cluster.setClock(node, 0);
    await load.goesOn("with right clocks again");
  });

  it("have lost no acknowledged decision, and have one history", async () => {
    await load.stop();
    await expectNothingLost(cluster, load);
    await watch.expectOneHistory();
    expectQuietLogs(cluster);
  });
});
