import { expect } from "chai";
import fc from "fast-check";
import { parseHash, parseNodeId, VOTE_TYPE } from "#base";
import { encodeFrame, type Frame, type Replica } from "#replica";
import { LiveCluster, newDisk, stopped, submitted } from "./live-cluster.ts";

const HONEST = [1, 2, 3].map((number) => parseNodeId(`node-${number}`));
const LIAR = parseNodeId("node-4");

const number = fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(64, 1_000, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER));
const bytes = fc.uint8Array({ maxLength: 60 });
const hashBytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
const hash = fc.constantFrom("0", "a", "f").map((digit) => parseHash(digit.repeat(64)));
const signature = fc.uint8Array({ minLength: 64, maxLength: 64 });
const node = fc.constantFrom(...HONEST, LIAR, parseNodeId("nobody"));
const vote = fc.record({
  epoch: fc.nat({ max: 2 }),
  height: number,
  view: number,
  type: fc.constantFrom(...Object.values(VOTE_TYPE)),
  digest: hash,
  validRound: fc.integer({ min: -1, max: 99 }),
  signature,
});
const path = fc.array(fc.nat(15), { maxLength: 64 }).map((nibbles) => Uint8Array.from(nibbles));
const part = fc.oneof(
  fc.record({
    kind: fc.constant("leaves" as const),
    items: fc.array(fc.record({ key: fc.constantFrom("", "meta/x", "a"), value: bytes }), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant("branch" as const), present: fc.nat(65_535), hashes: fc.array(hashBytes, { maxLength: 16 }) }),
);
const kind = <K extends Frame["kind"]>(name: K): fc.Arbitrary<K> => fc.constant(name);
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: kind("commands"), commands: fc.array(bytes, { maxLength: 3 }) }),
  fc.record({
    kind: kind("cosignature"),
    height: number,
    size: number,
    root: hash,
    seconds: number,
    logSignature: signature,
    witnessSignature: signature,
  }),
  fc.record({ kind: kind("tip"), height: number, certifiedHeight: number, floor: number, votes: fc.boolean() }),
  fc.record({ kind: kind("sync-request"), fromHeight: number }),
  fc.record({ kind: kind("sync-response"), fromHeight: number, blocks: fc.array(bytes, { maxLength: 3 }) }),
  fc.record({ kind: kind("probe"), nonce: hashBytes }),
  fc.record({ kind: kind("probe-reply"), nonce: hashBytes, epoch: number, height: number, certificate: bytes, seen: vote, signature }),
  fc.record({ kind: kind("handover-request"), epoch: number }),
  fc.record({ kind: kind("handover"), epoch: number, file: bytes }),
  fc.record({ kind: kind("heard"), votes: fc.array(fc.record({ node, vote }), { maxLength: 2 }) }),
  fc.record({ kind: kind("state-offer"), fromHeight: number, offer: bytes }),
  fc.record({ kind: kind("state-request"), height: number, path }),
  fc.record({ kind: kind("state-part"), height: number, path, part }, { requiredKeys: ["kind", "height", "path"] }),
  fc.record({ kind: kind("log-request"), seq: number, last: number, size: number }),
  fc.record({
    kind: kind("log-part"),
    seq: number,
    entries: fc.array(bytes, { maxLength: 3 }),
    proof: fc.array(hashBytes, { maxLength: 5 }),
    objects: fc.array(bytes, { maxLength: 2 }),
  }),
  fc.record({ kind: kind("consensus"), message: bytes }),
);

/** Some forty of each kind; all hear each. */
const FRAMES = 600;

for (const engine of ["pbft", "tendermint", "raft"] as const) {
  it(`frames that read and mean nothing stop no replica and no decision (${engine})`, async () => {
    const cluster = await LiveCluster.make({ engine, nodes: 4, checkpointInterval: 8 });
    const replicas = await Promise.all([1, 2, 3].map(async (number) => cluster.start(number, await newDisk())));
    const liar = cluster.network.transportFor(LIAR);
    const deaf = { onFrame: () => undefined, onPeerUp: () => undefined, onPeerDown: () => undefined };
    await new Promise<void>((resolve) => liar.start(deaf, () => resolve()));
    const decide = async (replica = replicas[0] as Replica): Promise<void> => {
      expect(await submitted(replica, await cluster.command(replica))).to.equal("ordered");
    };
    // Past the first stable checkpoints, and past the blocks that are kept.
    for (let height = 0; height < 24; height++) await decide(replicas[height % 3]);
    const frames = fc.sample(frame, { numRuns: FRAMES, seed: 1 });
    for (const [index, item] of frames.entries()) {
      for (const to of HONEST) liar.send(to, encodeFrame(item));
      // Time enough for another answer: what a peer may ask for is rationed by it.
      cluster.advance(20);
      if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      const reasons = replicas.flatMap((replica) => replica.status().haltReason ?? []);
      expect(reasons, JSON.stringify(frames.slice(Math.max(0, index - 20), index + 1))).to.deep.equal([]);
    }
    for (const replica of replicas) await decide(replica);
    for (const replica of replicas) await stopped(replica);
    await new Promise<void>((resolve) => liar.stop(resolve));
  }).timeout(20_000);
}
