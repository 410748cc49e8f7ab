import { expect } from "chai";
import { isGuardCurrent, type Replica } from "#replica";
import { MemoryStore } from "#storage";
import { partitionable } from "#transport";
import { type Disk, LiveCluster, newDisk, stopped, submitted, until } from "./live-cluster.ts";

describe("a node that lost its disk", function () {
  this.timeout(20_000);

  for (const engine of ["pbft", "tendermint", "raft"] as const) {
    it(`still counts as one that forgot after a crash before anybody told it what it had promised (${engine})`, async () => {
      const cluster = await LiveCluster.make({ engine, nodes: 4 });
      const disks = await Promise.all(cluster.ids.map(() => newDisk()));
      const replicas = await Promise.all(disks.map((disk, index) => cluster.start(index + 1, disk)));
      const [asked, last] = [replicas[0] as Replica, replicas[3] as Replica];
      expect(await submitted(asked, await cluster.command(asked))).to.equal("ordered");
      await stopped(last);
      expect(await submitted(asked, await cluster.command(asked))).to.equal("ordered");
      const lost = { store: new MemoryStore(), anchor: (disks[3] as Disk).anchor };
      // It hears who leads and nobody else: too few to learn what it promised.
      const { leader } = asked.status().consensus;
      const again = await cluster.start(4, lost, (links) => {
        const cut = partitionable(links);
        cut.blockPeers(cluster.ids.filter((id) => id !== leader));
        return cut;
      });
      await until(() => again.status().tip.height >= 2 && again.status().consensus.leader === leader);
      expect(await submitted(asked, await cluster.command(asked))).to.equal("ordered");
      await until(() => again.status().tip.height >= 3);
      expect(again.status().mode).to.equal("recovering");
      await until(() => replicas.slice(0, 3).every((replica) => replica.status().voting.length === 2));
      expect(asked.status().connected, "it is linked, and does not vote").to.have.length(3);
      await stopped(again);
      expect(isGuardCurrent(lost)).to.equal(false);
      for (const replica of replicas.slice(0, 3)) await stopped(replica);
    });
  }
});
