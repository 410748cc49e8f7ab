import { expect } from "chai";
import { LIMITS } from "#base";
import { LiveCluster, newDisk, stopped, submitted } from "./live-cluster.ts";

describe("a leader whose clock is set back after a large block", () => {
  it("does not wait for the next one until the clock is where it was", async () => {
    const cluster = await LiveCluster.make({ engine: "pbft", nodes: 1 });
    const replica = await cluster.start(1, await newDisk());
    const batch = await Promise.all(Array.from({ length: 4 * LIMITS.blockFillingCommandsMin }, () => cluster.command(replica)));
    await Promise.all(batch.map((signed) => submitted(replica, signed)));
    // Within the skew that is allowed.
    cluster.advance(-4_000);
    const later = await cluster.command(replica);
    const answer = new Promise((resolve) => replica.submit(later, 2_000, ({ kind }) => resolve(kind)));
    expect(await answer).to.equal("ordered");
    await stopped(replica);
  }).timeout(20_000);
});
