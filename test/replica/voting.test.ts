import { expect } from "chai";
import type { WriteOperation } from "#base";
import { MemoryStore } from "#storage";
import { LiveCluster, newDisk, stopped, submitted, until } from "./live-cluster.ts";

/** Fails every write from some moment on. */
class FailingStore extends MemoryStore {
  isFull = false;

  override write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    if (this.isFull) done(new Error("no space left"));
    else super.write(operations, done);
  }
}

describe("who votes, as the others see it", function () {
  this.timeout(20_000);

  it("is no more a node that halted, though its link is up", async () => {
    const cluster = await LiveCluster.make({ engine: "pbft", nodes: 4 });
    const failing = new FailingStore();
    const disks = [await newDisk(), await newDisk(), await newDisk(), await newDisk(failing)];
    const replicas = await Promise.all(disks.map((disk, index) => cluster.start(index + 1, disk)));
    const [asked] = replicas;
    if (asked === undefined) throw new Error("no replica");
    await until(() => asked.status().voting.length === 3);
    failing.isFull = true;
    expect(await submitted(asked, await cluster.command(asked))).to.equal("ordered");
    await until(() => replicas[3]?.status().mode === "halted" && asked.status().voting.length === 2);
    expect(asked.status().connected).to.deep.equal(cluster.ids.slice(1));
    for (const replica of replicas) await stopped(replica);
  });
});
