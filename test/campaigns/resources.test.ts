import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type EngineName, SeededRandom } from "#base";
import type { SecurityGateway } from "#gateway";
import { Load, rejoined } from "./load.ts";
import { expectQuietLogs } from "./node-logs.ts";
import { ProcessCluster } from "./process-cluster.ts";
import { costOf, folderMiB } from "./process-cost.ts";

const SOAK_SECONDS = Number(process.env["QUORUMGATE_SOAK_SECONDS"] ?? 0);
const SEED = Number(process.env["QUORUMGATE_SOAK_SEED"] ?? 1);
const ENGINE = (process.env["QUORUMGATE_SOAK_ENGINE"] ?? "pbft") as EngineName;
const ROUNDS = 8;
/** Before the first harm: what a process takes once. */
const WARM_UP_MS = 2_000;

describe(`a process of ${ENGINE} under load whose peers come and go`, function () {
  this.timeout(SOAK_SECONDS * 1_000 + 240_000);
  const random = new SeededRandom(SEED, "resources");
  /** Nobody harms it. */
  const spared = 1;
  const others = [2, 3, 4];
  let cluster: ProcessCluster;
  let clients: SecurityGateway[];
  let load: Load;

  before(async function () {
    cluster = new ProcessCluster({ nodes: 4, basePort: 18_600, engine: ENGINE });
    await cluster.begin();
    clients = await Promise.all([1, 2, 3, 4].map(() => cluster.connect([spared], 3_000)));
    load = new Load(clients);
    await sleep(WARM_UP_MS);
    // Only Linux tells what a process holds.
    if (costOf(cluster.pid(spared)) === undefined) this.skip();
  });

  after(async () => {
    await load.stop();
    await Promise.all(clients.map((client) => client.stop()));
    await cluster.end();
  });

  const flap = async (): Promise<void> => {
    const peer = random.pick(others);
    const forMs = random.between(300, 3_500);
    switch (random.pick(["kill", "pause", "partition"])) {
      case "kill":
        await cluster.signal(peer, "SIGKILL");
        return cluster.start(peer);
      case "pause":
        await cluster.signal(peer, "SIGSTOP");
        await sleep(forMs);
        return cluster.signal(peer, "SIGCONT");
      default:
        await cluster.partition([peer]);
        await sleep(forMs);
        return cluster.heal();
    }
  };

  it("holds no more connections after them than before", async () => {
    const before = costOf(cluster.pid(spared))?.sockets;
    const end = Date.now() + SOAK_SECONDS * 1_000;
    for (let round = 0; round < ROUNDS || Date.now() < end; round += 1) {
      await flap();
      await load.goesOn("after a peer came back");
      if (SOAK_SECONDS > 0 && round % 5 === 0) report(round);
    }
    for (const node of others) await rejoined(cluster, node);
    await load.goesOn("with all peers");
    expect(costOf(cluster.pid(spared))?.sockets, "connections once all are back").to.equal(before);
    expectQuietLogs(cluster);
  });

  function report(round: number): void {
    const { residentMiB = 0, descriptors = 0, sockets = 0 } = costOf(cluster.pid(spared)) ?? {};
    const disk = folderMiB(join(cluster.nodeFolder(spared), "data")).toFixed(1);
    process.stderr.write(
      `${round} harms, ${load.acknowledged.length} decisions: ${residentMiB} MiB resident, ${descriptors} descriptors, ${sockets} sockets, ${disk} MiB on disk\n`,
    );
  }
});
