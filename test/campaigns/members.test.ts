import { expect } from "chai";
import { type EngineName, parseCanonicalObject, parseNodeId } from "#base";
import type { NodeStatus, SecurityGateway } from "#gateway";
import { expectNothingLost, Load } from "./load.ts";
import { becomes, caughtUp, change, frame, inEpoch } from "./membership.ts";
import { expectQuietLogs } from "./node-logs.ts";
import { ProcessCluster, QUESTION } from "./process-cluster.ts";
import { Watch } from "./watch.ts";

const ENGINES: readonly { readonly engine: EngineName; readonly basePort: number }[] = [
  { engine: "pbft", basePort: 18_000 },
  { engine: "tendermint", basePort: 18_200 },
  { engine: "raft", basePort: 18_400 },
];

for (const { engine, basePort } of ENGINES) {
  describe(`members of ${engine} that come and go under load, as processes`, function () {
    this.timeout(120_000);
    const cluster = new ProcessCluster({ nodes: 4, basePort, engine });
    let clients: SecurityGateway[];
    let load: Load;
    let newcomer: number;
    let watch: Watch;

    before(async () => {
      await cluster.begin();
      clients = await Promise.all([1, 2, 3].map((node) => cluster.connect([node, (node % 3) + 1], 3_000)));
      load = new Load(clients);
      watch = new Watch(cluster);
    });

    after(async () => {
      await watch.stop();
      await load.stop();
      await Promise.all(clients.map((client) => client.stop()));
      await cluster.end();
    });

    /** Load again, for as long as the work takes: what is acknowledged counts with the rest. */
    const underLoad = async (work: () => Promise<void>): Promise<void> => {
      const gateways = await Promise.all([1, 2].map((node) => cluster.connect([node, 3], 3_000)));
      const more = new Load(gateways);
      try {
        await work();
      } finally {
        await more.stop();
        await Promise.all(gateways.map((gateway) => gateway.stop()));
      }
      load.acknowledged.push(...more.acknowledged);
    };
    it("has a node replay the log as a learner, and then vote", async () => {
      await becomes(cluster, [1], { what: "under way", isThere: ({ height }) => height > 20 });
      const { node, nodeFile } = await cluster.addNode();
      newcomer = node;
      await change(cluster, { kind: "learner.add", ...frame(0), nodeFile: parseCanonicalObject(nodeFile) });
      const { height } = (await cluster.status(1)) as NodeStatus;
      await cluster.start(node);
      await becomes(cluster, [node], caughtUp(height));
      await change(cluster, {
        kind: "membership.change",
        ...frame(0),
        add: [{ id: parseNodeId(`node-${node}`), weight: 1 }],
        remove: [],
        reweight: [],
      });
      await becomes(cluster, cluster.nodes, inEpoch(1));
      const decided = load.acknowledged.length;
      await becomes(cluster, [1], { what: "deciding with five members", isThere: () => load.acknowledged.length > decided });
    });

    it("cuts off a node that is removed: its links are refused, and its vote counts no more", async () => {
      // The machine as it was before the removal: started from it, the node believes that it is still a member, and that its memory is whole.
      await cluster.signal(4, "SIGTERM");
      cluster.copyMachine(4);
      await cluster.start(4);
      await becomes(cluster, [4], inEpoch(1));
      await change(cluster, { kind: "membership.change", ...frame(1), add: [], remove: [parseNodeId("node-4")], reweight: [] });
      const others = [1, 2, 3, newcomer];
      await becomes(cluster, others, inEpoch(2));
      // It need not have heard of its last height: whoever left is not waited for.
      await becomes(cluster, [4], {
        what: "alone",
        isThere: ({ members }) => members.every(({ id, connected }) => id === "node-4" || !connected),
      });
      await cluster.signal(4, "SIGTERM");
      cluster.restoreMachine(4);
      await cluster.start(4);
      await load.stop();
      // Two of four members and the one that left: no quorum, in any engine.
      await Promise.all([3, newcomer].map((node) => cluster.signal(node, "SIGKILL")));
      const asker = await cluster.connect([1], 2_000);
      const { outcome } = await asker.authorizeOperation(QUESTION);
      expect(outcome, "two of four members decide nothing").to.equal("unavailable");
      await asker.stop();
      const [left, stayed] = [(await cluster.status(4)) as NodeStatus, (await cluster.status(1)) as NodeStatus];
      expect(
        left.members.filter(({ connected }) => connected).map(({ id }) => id),
        "links of the node that left",
      ).to.deep.equal(["node-4"]);
      expect(left.height, "what the node that left hears of").to.be.below(stayed.height);
      await Promise.all([3, newcomer].map((node) => cluster.start(node)));
      await becomes(cluster, others, inEpoch(2));
    });

    it("renews the keys of members that run, one of which is killed at once and comes back with the new ones", async () => {
      cluster.forget(4);
      await underLoad(async () => {
        const renew = await Promise.all([1, 2, 3].map(async (node) => parseCanonicalObject(await cluster.renew(node))));
        await change(cluster, { kind: "membership.change", ...frame(2), add: [], remove: [], reweight: [], renew });
        await cluster.signal(3, "SIGKILL");
        await cluster.start(3);
        await becomes(cluster, cluster.nodes, inEpoch(3));
        await becomes(cluster, [1], { what: "rid of old keys", isThere: () => [1, 2, 3].every((node) => !cluster.isRenewing(node)) });
        await cluster.signal(1, "SIGKILL");
        await cluster.start(1);
        await becomes(cluster, [1], inEpoch(3));
      });
    });

    it("takes one in for another although the new one is killed as a learner, and who leads while the change is ordered", async () => {
      await underLoad(async () => {
        const { node, nodeFile } = await cluster.addNode();
        await change(cluster, { kind: "learner.add", ...frame(3), nodeFile: parseCanonicalObject(nodeFile) });
        await cluster.start(node);
        await cluster.signal(node, "SIGKILL");
        await cluster.start(node);
        const { height, leader } = (await cluster.status(1)) as NodeStatus;
        await becomes(cluster, [node], caughtUp(height));
        const leads = Number(leader?.split("-")[1] ?? 1);
        const add = [{ id: parseNodeId(`node-${node}`), weight: 1 }];
        const ordered = change(cluster, {
          kind: "membership.change",
          ...frame(3),
          add,
          remove: [parseNodeId(`node-${newcomer}`)],
          reweight: [],
        });
        await cluster.signal(leads, "SIGKILL");
        await cluster.start(leads);
        await ordered;
        cluster.forget(newcomer);
        await becomes(cluster, cluster.nodes, inEpoch(4));
      });
    });

    it("lost no decision that was acknowledged, and any member proves each of them to an auditor of the first epoch", async () => {
      await expectNothingLost(cluster, load);
    });

    it("has one history over all its epochs, and complains of nothing without a cause", async () => {
      await watch.expectOneHistory();
      expectQuietLogs(cluster);
    });
  });
}
