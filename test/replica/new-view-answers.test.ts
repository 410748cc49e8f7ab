import { expect } from "chai";
import { LIMITS, parseNodeId, ZERO_HASH } from "#base";
import { decodeMessage, encodeMessage, type ViewChange } from "#consensus";
import { decodeFrame, encodeFrame } from "#replica";
import { LiveCluster, newDisk, stopped, submitted, until } from "./live-cluster.ts";

const ANSWERS_AT_ONCE = LIMITS.peerServedBytesMax / LIMITS.peerServedAnswerBytesMin;
const [liar, leader] = [parseNodeId("node-1"), parseNodeId("node-2")];

describe("a member that asks again and again for a view that is established", () => {
  it("gets the new-view, and no more of them than its share", async () => {
    const cluster = await LiveCluster.make({ engine: "pbft", nodes: 4 });
    const replicas = await Promise.all([1, 2, 3, 4].map(async (node) => cluster.start(node, await newDisk())));
    const [first, second] = replicas;
    if (first === undefined || second === undefined) throw new Error("four replicas");
    await stopped(first);
    expect(await submitted(second, await cluster.command(second))).to.equal("ordered");
    let heard = 0;
    const links = cluster.network.transportFor(liar);
    const listener = {
      onFrame: (_from: unknown, bytes: Uint8Array) => {
        const frame = decodeFrame(bytes);
        if (frame.kind === "consensus" && decodeMessage(frame.message).type === "new-view") heard += 1;
      },
      onPeerUp: () => undefined,
      onPeerDown: () => undefined,
    };
    await new Promise<void>((resolve) => links.start(listener, () => resolve()));
    const { height, view } = second.status().consensus;
    expect(view).to.equal(1);
    const about = { epoch: 0, height, view, parent: ZERO_HASH, prepared: [], sender: liar, signature: new Uint8Array(64) };
    const message = encodeMessage({ type: "view-change", ...about } satisfies ViewChange);
    for (let asked = 0; asked < 4 * ANSWERS_AT_ONCE; asked++) links.send(leader, encodeFrame({ kind: "consensus", message }));
    await until(() => heard > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).to.be.within(1, 2 * ANSWERS_AT_ONCE);
    await new Promise<void>((resolve) => links.stop(resolve));
    for (const replica of replicas.slice(1)) await stopped(replica);
  }).timeout(20_000);
});
