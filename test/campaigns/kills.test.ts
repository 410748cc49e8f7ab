import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type EngineName, faultModelOf, SeededRandom, tolerableWeight } from "#base";
import type { SecurityGateway } from "#gateway";
import { expectNothingLost, Load, parted, reached, rejoined } from "./load.ts";
import { expectQuietLogs } from "./node-logs.ts";
import { ProcessCluster, QUESTION } from "./process-cluster.ts";
import { costOf } from "./process-cost.ts";
import { Watch } from "./watch.ts";

/** What a campaign of kills is run with. `QUORUMGATE_SOAK_SECONDS` makes it last, whatever the number of kills. */
interface Campaign {
  readonly nodes: number;
  readonly engine: EngineName;
  readonly kills: number;
  readonly basePort: number;
}

const SOAK_SECONDS = Number(process.env["QUORUMGATE_SOAK_SECONDS"] ?? 0);
const SEED = Number(process.env["QUORUMGATE_SOAK_SEED"] ?? 1);
const ENGINE = (process.env["QUORUMGATE_SOAK_ENGINE"] ?? "pbft") as EngineName;
/** What is left on a disk that is about to be full: some dozens of decisions. */
const ROOM_BYTES = 50_000;

const CAMPAIGNS: readonly Campaign[] = [
  { nodes: 4, engine: ENGINE, kills: 14, basePort: 17_600 },
  { nodes: 7, engine: ENGINE, kills: 6, basePort: 17_800 },
];

for (const campaign of CAMPAIGNS) {
  describe(`${campaign.nodes} processes of ${campaign.engine} that are killed again and again`, function () {
    this.timeout(SOAK_SECONDS * 1_000 + 240_000);
    const random = new SeededRandom(SEED, "kills");
    const all = Array.from({ length: campaign.nodes }, (_, index) => index + 1);
    let cluster: ProcessCluster;
    let clients: SecurityGateway[];
    let load: Load;
    let watch: Watch;
    const fullDisks: number[] = [];

    before(async () => {
      cluster = new ProcessCluster(campaign);
      await cluster.begin();
      clients = await Promise.all([1, 2, 3, 4].map((node) => cluster.connect([node, (node % campaign.nodes) + 1], 3_000)));
      load = new Load(clients);
      watch = new Watch(cluster);
      await sleep(500);
    });

    after(async () => {
      await watch.stop();
      await Promise.all(clients.map((client) => client.stop()));
      await cluster.end();
    });

    /** One to all of the nodes die at once; all come back. One that dies alone loses its disk now and then, and the others stay until it takes part again. */
    const killSome = async (): Promise<number> => {
      const count = random.pick([1, 1, 1, 1, 2, campaign.nodes]);
      const victims = random.shuffle(all).slice(0, count);
      await Promise.all(victims.map((node) => cluster.signal(node, "SIGKILL")));
      await sleep(random.between(0, 800));
      const losesDisk = victims.length === 1 && random.between(1, 4) === 1;
      if (losesDisk) for (const node of victims) cluster.loseData(node);
      await Promise.all(victims.map((node) => cluster.start(node)));
      if (losesDisk) for (const node of victims) await rejoined(cluster, node);
      return victims.length;
    };

    /** One node is stopped in place and goes on later. */
    const pauseOne = async (forMs: number): Promise<void> => {
      const paused = random.pick(all);
      await cluster.signal(paused, "SIGSTOP");
      await sleep(forMs);
      await cluster.signal(paused, "SIGCONT");
    };

    /** As many as the cluster can do without hear nothing of the others; one of them is named. */
    const cutOff = async (): Promise<number> => {
      const minority = random.shuffle(all).slice(0, Math.floor((campaign.nodes - 1) / 3));
      await cluster.partition(minority);
      return minority[0] ?? 1;
    };

    /** What else happens to the nodes of a soak, between kills. */
    const harmOtherwise = async (): Promise<void> => {
      const forMs = random.between(500, 4_000);
      switch (random.pick(["pause", "partition", "slow"])) {
        case "pause":
          return pauseOne(forMs);
        case "slow":
          return cluster.slow(random.pick(all), sleep(forMs));
        default:
          await cutOff();
          await sleep(forMs);
          return cluster.heal();
      }
    };

    /** Some are cut off, one stands still, one is slow and one more is killed and started, all at once: more than a cluster can do without. */
    const storm = async (): Promise<number> => {
      const forMs = random.between(1_000, 4_000);
      const [killed = 1, slow = 2] = random.shuffle(all);
      await cutOff();
      const killing = async (): Promise<void> => {
        await sleep(random.between(0, 500));
        await cluster.signal(killed, "SIGKILL");
        await cluster.start(killed);
      };
      await Promise.all([pauseOne(forMs), cluster.slow(slow, sleep(forMs)), killing()]);
      await cluster.heal();
      return 1;
    };

    it("lose nothing that was acknowledged", async () => {
      const end = Date.now() + SOAK_SECONDS * 1_000;
      let kills = 0;
      while (kills < campaign.kills || Date.now() < end) {
        kills += random.chance(0.2) ? await storm() : await killSome();
        if (SOAK_SECONDS > 0 && random.chance(0.5)) await harmOtherwise();
        const againMs = await load.goesOn("after harm that ended");
        await sleep(random.between(200, 1_200));
        if (SOAK_SECONDS > 0)
          report(cluster, `${kills} kills, ${load.acknowledged.length} decisions acknowledged, again after ${Math.round(againMs)} ms`);
      }
      for (const node of all) await rejoined(cluster, node);
      await load.stop();
      await expectNothingLost(cluster, load);
      load = new Load(clients);
    });

    it("go on while one is stopped in place, and while some are cut off, which decide nothing", async () => {
      const [paused = 1, watching = 2] = random.shuffle(all);
      await cluster.signal(paused, "SIGSTOP");
      await load.goesOn("beside a stopped node");
      await parted(cluster, watching, paused);
      await load.goesOn("beside a node that was given up");
      await cluster.signal(paused, "SIGCONT");
      const alone = await cutOff();
      const gateway = await cluster.connect([alone], 2_500);
      const { outcome } = await gateway.authorizeOperation(QUESTION);
      const { health } = await gateway.status();
      await gateway.stop();
      await load.goesOn("beside those that are cut off");
      await cluster.heal();
      expect([outcome, health.canDecide], "what who is cut off says").to.deep.equal(["unavailable", false]);
      for (const node of all) await rejoined(cluster, node);
      await load.stop();
      await expectNothingLost(cluster, load);
      load = new Load(clients);
    });

    it("go on beside a slow node", async () => {
      const decided = load.goesOn("beside a slow node");
      await cluster.slow(random.pick(all), decided);
      await decided;
    });

    it("go on beside one whose disk is full, answer unavailable once too many are, and go on with room again", async function () {
      const tolerated = tolerableWeight(campaign.nodes, faultModelOf(campaign.engine));
      const full = random.shuffle(all).slice(0, tolerated + 1);
      for (const [index, node] of full.entries()) {
        watch.toleratesHaltOf(node);
        // Only Linux limits a process that runs.
        if (!cluster.fillDisk(node, ROOM_BYTES)) return this.skip();
        fullDisks.push(node);
        await reached(cluster, node, ({ mode }) => mode === "halted", "stops, its disk being full");
        if (index === 0) await load.goesOn("beside a full disk");
      }
      const others = all.filter((node) => !full.includes(node));
      const gateway = await cluster.connect(others, 2_500);
      expect((await gateway.authorizeOperation(QUESTION)).outcome, "beside too many full disks").to.equal("unavailable");
      await gateway.stop();
      await Promise.all(full.map((node) => cluster.signal(node, "SIGKILL")));
      await Promise.all(full.map((node) => cluster.start(node)));
      for (const node of full) await rejoined(cluster, node);
      await load.goesOn("with room again");
      await load.stop();
      await expectNothingLost(cluster, load);
    });

    it("have one history whoever was asked and whenever, and complain of nothing without a cause", async () => {
      await watch.expectOneHistory();
      expectQuietLogs(cluster, fullDisks);
    });
  });
}

/** Tells how a soak goes, and what it costs each node. */
function report(cluster: ProcessCluster, text: string): void {
  const costs = cluster.nodes.map((node) => {
    const { residentMiB = 0, descriptors = 0 } = costOf(cluster.pid(node)) ?? {};
    return `${residentMiB} MiB/${descriptors}`;
  });
  process.stderr.write(`${text}   ${costs.join(" ")}\n`);
}
