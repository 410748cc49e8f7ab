import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type EngineName, parseCanonicalObject, parseNodeId, SeededRandom } from "#base";
import type { NodeStatus, SecurityGateway } from "#gateway";
import { expectNothingLost, Load } from "./load.ts";
import { becomes, caughtUp, change, frame, inEpoch } from "./membership.ts";
import { expectQuietLogs } from "./node-logs.ts";
import { ProcessCluster } from "./process-cluster.ts";
import { Watch } from "./watch.ts";

const SOAK_SECONDS = Number(process.env["QUORUMGATE_SOAK_SECONDS"] ?? 0);
const SEED = Number(process.env["QUORUMGATE_SOAK_SEED"] ?? 1);
const ENGINE = (process.env["QUORUMGATE_SOAK_ENGINE"] ?? "pbft") as EngineName;
/** One more than there are first members: the last newcomer reaches the cluster by its contacts alone. */
const ROUNDS = 5;

describe(`four processes of ${ENGINE} that are replaced one after another`, function () {
  this.timeout(SOAK_SECONDS * 1_000 + 300_000);
  const random = new SeededRandom(SEED, "turnover");
  let cluster: ProcessCluster;
  let clients: SecurityGateway[] = [];
  let load: Load;
  let watch: Watch;
  const acknowledged: Load["acknowledged"] = [];

  before(async () => {
    cluster = new ProcessCluster({ nodes: 4, basePort: 19_000, engine: ENGINE });
    await cluster.begin();
    await ask();
    watch = new Watch(cluster);
  });

  after(async () => {
    await watch.stop();
    await load.stop();
    await Promise.all(clients.map((client) => client.stop()));
    await cluster.end();
  });

  /** Has clients ask those who are members now. */
  async function ask(): Promise<void> {
    clients = await Promise.all(
      cluster.nodes.slice(-3).map((node, index, asked) => cluster.connect([node, asked[index - 1] ?? node], 3_000)),
    );
    load = new Load(clients);
    await load.goesOn("with these members");
  }

  async function askNobody(): Promise<void> {
    await load.stop();
    await Promise.all(clients.map((client) => client.stop()));
    acknowledged.push(...load.acknowledged);
  }

  const killOne = async (nodes: readonly number[]): Promise<void> => {
    const victim = random.pick(nodes);
    await sleep(random.between(0, 300));
    await cluster.signal(victim, "SIGKILL");
    await cluster.start(victim);
  };

  /** Somebody is killed while the newcomer learns, and somebody, maybe who leads, maybe who comes or goes, while the change is ordered. */
  const replaceOldest = async (epoch: number): Promise<void> => {
    const members = cluster.nodes;
    const [oldest = 1] = members;
    const { node, nodeFile } = await cluster.addNode();
    await change(cluster, { kind: "learner.add", ...frame(epoch), nodeFile: parseCanonicalObject(nodeFile) }, members);
    const { height } = (await cluster.status(oldest)) as NodeStatus;
    await cluster.start(node);
    await killOne(cluster.nodes);
    await becomes(cluster, [node], caughtUp(height));
    const add = [{ id: parseNodeId(`node-${node}`), weight: 1 }];
    const draft = { kind: "membership.change" as const, ...frame(epoch), add, remove: [parseNodeId(`node-${oldest}`)], reweight: [] };
    await Promise.all([change(cluster, draft, members.slice(1)), killOne(cluster.nodes)]);
    cluster.forget(oldest);
    await becomes(cluster, cluster.nodes, inEpoch(epoch + 1));
    await cluster.signal(oldest, "SIGTERM");
  };

  it("go on, also when nobody is left who was there at first", async () => {
    const end = Date.now() + SOAK_SECONDS * 1_000;
    for (let epoch = 0; epoch < ROUNDS || Date.now() < end; epoch += 1) {
      await replaceOldest(epoch);
      await askNobody();
      await ask();
      if (SOAK_SECONDS > 0) process.stderr.write(`epoch ${epoch + 1}: ${cluster.nodes.join(", ")}; ${acknowledged.length} decisions\n`);
    }
  });

  it("have lost no acknowledged decision, which each proves to an auditor of the first epoch, and have one history", async () => {
    await askNobody();
    load.acknowledged.splice(0, load.acknowledged.length, ...acknowledged);
    expect(load.acknowledged.length).to.be.greaterThan(0);
    await expectNothingLost(cluster, load);
    await watch.expectOneHistory();
    expectQuietLogs(cluster);
  });
});
