import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { SecurityGateway } from "#gateway";
import { expectNothingLost, Load, parted, rejoined } from "./load.ts";
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

  it("goes on without its leader that was killed, and takes it back", async () => {
    const leader = Number((await cluster.status(1))?.leader?.split("-")[1]);
    await cluster.signal(leader, "SIGKILL");
    await load.goesOn("without the leader");
    await cluster.start(leader);
    await rejoined(cluster, leader);
  });

  it("goes on while any other node is killed and restarted", async () => {
    for (const node of [4, 3]) {
      await cluster.signal(node, "SIGKILL");
      await load.goesOn(`without node-${node}`);
      await cluster.start(node);
      await rejoined(cluster, node);
    }
  });

  it("goes on while a node is stopped in place, before and after the others give up its links", async () => {
    await cluster.signal(2, "SIGSTOP");
    await load.goesOn("beside a stopped node");
    await parted(cluster, 1, 2);
    await load.goesOn("beside a node that was given up");
    await cluster.signal(2, "SIGCONT");
    await rejoined(cluster, 2);
  });

  it("answers unavailable while two are cut from two, and decides after the heal", async () => {
    await cluster.partition([1, 2]);
    for (const node of [3, 4]) await parted(cluster, 1, node);
    const gateway = await cluster.connect([1], 2_000);
    expect((await gateway.authorizeOperation(QUESTION)).outcome).to.equal("unavailable");
    const status = await gateway.status();
    expect(status.health.summary).to.match(/cannot decide/);
    expect(status.waitingFor).to.include.members(["node-3", "node-4"]);
    await gateway.stop();
    await cluster.heal();
    await load.goesOn("after the heal");
  });

  it("goes on beside a node that has no descriptor left, and with it again", async function () {
    const end = cluster.exhaustDescriptors(2);
    // Only Linux's /proc and prlimit take descriptors away from a process that runs.
    if (end === undefined) return this.skip();
    try {
      await load.goesOn("beside a node without descriptors");
      const callers = Array.from({ length: 16 }, () => call(cluster.urls[1] ?? ""));
      expect(await Promise.all(callers.map(({ hears }) => hears)), "what new callers hear").to.include("nothing");
      for (const { socket } of callers) socket.destroy();
      await cluster.signal(3, "SIGKILL");
      await cluster.start(3);
    } finally {
      end();
    }
    for (const node of [2, 3]) await rejoined(cluster, node);
    await load.goesOn("with all descriptors");
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

/** A caller with a connection of its own, which stays open: it hears something of the server, or nothing for a second. */
function call(url: string): { readonly socket: Socket; readonly hears: Promise<"something" | "nothing"> } {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const hears = new Promise<"something" | "nothing">((resolve) => {
    setTimeout(() => resolve("nothing"), 1_000);
    socket.on("error", () => resolve("nothing"));
    socket.once("data", () => resolve("something"));
    socket.write(`GET /v1/health HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  });
  return { socket, hears };
}
