import { expect } from "chai";
import { type Hash, headerDigest, LIMITS } from "#base";
import { decodeMessage, encodeMessage } from "#consensus";
import { nodeHasher } from "#crypto";
import { decodeFrame, encodeFrame } from "#replica";
import { LiveCluster, newDisk, stopped, submitted, until } from "./live-cluster.ts";

const ANSWERS_AT_ONCE = LIMITS.peerServedBytesMax / LIMITS.peerServedAnswerBytesMin;

describe("a member that asks again and again for a proposal that is under way", () => {
  it("gets it, and no more of it than its share", async () => {
    const cluster = await LiveCluster.make({ engine: "tendermint", nodes: 4 });
    const replicas = await Promise.all([1, 2, 3, 4].map(async (node) => cluster.start(node, await newDisk())));
    const [some] = replicas;
    if (some === undefined) throw new Error("four replicas");
    expect(await submitted(some, await cluster.command(some))).to.equal("ordered");
    await until(() => replicas.every((replica) => replica.status().consensus.height === some.status().consensus.height));
    const { height, leader } = some.status().consensus;
    if (leader === undefined) throw new Error("somebody proposes");
    const [liar, mute] = cluster.ids.filter((id) => id !== leader);
    if (liar === undefined) throw new Error("four members");
    const present = replicas.filter((replica) => ![liar, mute].includes(replica.status().node));
    for (const replica of replicas) if (!present.includes(replica)) await stopped(replica);
    let digest: Hash | undefined;
    let heard = 0;
    const links = cluster.network.transportFor(liar);
    const listener = {
      onFrame: (_from: unknown, bytes: Uint8Array) => {
        const frame = decodeFrame(bytes);
        const message = frame.kind === "consensus" ? decodeMessage(frame.message) : undefined;
        if (message?.type === "round-proposal" && message.height === height) digest = headerDigest(nodeHasher, message.headerBytes);
        if (message?.type === "passed-proposal" || message?.type === "proposal-body") heard += 1;
      },
      onPeerUp: () => undefined,
      onPeerDown: () => undefined,
    };
    await new Promise<void>((resolve) => links.start(listener, () => resolve()));
    const waits = present.map(async (replica) => submitted(replica, await cluster.command(replica)));
    await until(() => digest !== undefined);
    if (digest === undefined) throw new Error("a proposal");
    const message = encodeMessage({ type: "fetch-proposal", height, digest });
    for (let asked = 0; asked < 4 * ANSWERS_AT_ONCE; asked++) links.send(leader, encodeFrame({ kind: "consensus", message }));
    await until(() => heard > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).to.be.within(1, 2 * ANSWERS_AT_ONCE);
    await new Promise<void>((resolve) => links.stop(resolve));
    for (const replica of present) await stopped(replica);
    await Promise.all(waits);
  }).timeout(20_000);
});
