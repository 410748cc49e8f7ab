import { expect } from "chai";
import { encodeSignedCommand, LIMITS, type NodeId, parseNodeId, parseSubjectId, type SignedCommand } from "#base";
import { loadSodium, signCommand } from "#crypto";
import { createServiceKey, type ServiceKey, serviceSignerOf } from "#identity";
import { type Alone, replicaAlone } from "./replica-alone.ts";

const [LIAR, OTHER] = ["node-2", "node-3"].map(parseNodeId) as [NodeId, NodeId];
const NOW_US = 1_800_000_000_000_000;
const sodium = await loadSodium();

describe("a peer that brings commands which nobody signed", () => {
  let node: Alone;
  let made: SignedCommand;
  const looked = (): number => node.counts.get("quorumgate_refusals_total COMMAND_SIGNATURE_INVALID") ?? 0;
  /** The command under another signature each time: whoever looks at it has to verify it. */
  const forged = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, at) => {
      const signature = Uint8Array.from(made.signature);
      signature[at % 32] = (signature[at % 32] ?? 0) ^ (1 + Math.floor(at / 32));
      return encodeSignedCommand({ ...made, signature });
    });
  const bring = (from: NodeId, commands: readonly Uint8Array[]): void => node.hear(from, { kind: "commands", commands });

  const commandOf = (key: ServiceKey): Promise<SignedCommand> =>
    signCommand(serviceSignerOf(sodium, key), {
      cluster: node.replica.cluster,
      kind: "service.revoke",
      issuer: parseSubjectId(key.id),
      issuedAtUs: NOW_US,
      expiresAtUs: NOW_US + 60_000_000,
      body: { service: "nobody", reason: "test" },
    });

  beforeEach(async () => {
    node = await replicaAlone();
    made = await commandOf(createServiceKey(sodium, "service-1"));
  });
  afterEach(() => new Promise<void>((resolve) => node.replica.stop(resolve)));

  it("has no more of them looked at than its share, which comes back with time", () => {
    for (let frame = 0; frame < 4; frame++) bring(LIAR, forged(LIMITS.relayCommandsMax));
    expect(looked()).to.equal(LIMITS.peerForgedMax);
    expect(node.complaints).to.include(`${LIAR} REQUEST_RATE_LIMITED`);
    node.passSeconds(1);
    bring(LIAR, forged(LIMITS.relayCommandsMax));
    expect(looked()).to.equal(LIMITS.peerForgedMax + LIMITS.peerForgedPerSecond);
  });

  it("takes nothing from what another peer brings", () => {
    for (let frame = 0; frame < 4; frame++) bring(LIAR, forged(LIMITS.relayCommandsMax));
    bring(OTHER, [encodeSignedCommand(made)]);
    expect(node.replica.status().mempool).to.equal(1);
  });

  it("fills no more than a little of the pool with issuers that it makes up, each with a key of its own, and nobody verifies the rest", async () => {
    const strangers = await Promise.all(
      Array.from({ length: 2 * LIMITS.mempoolStrangersMax }, (_, at) => commandOf(createServiceKey(sodium, `stranger-${at}`))),
    );
    bring(LIAR, strangers.map(encodeSignedCommand));
    expect(node.replica.status().mempool).to.equal(LIMITS.mempoolStrangersMax);
    expect(node.counts.get("quorumgate_refusals_total QUORUM_BUSY")).to.equal(LIMITS.mempoolStrangersMax);
    bring(OTHER, [encodeSignedCommand(await commandOf(node.operator))]);
    expect(node.replica.status().mempool).to.equal(LIMITS.mempoolStrangersMax + 1);
    expect(node.complaints).to.deep.equal([]);
  });

  it("is counted by what cannot be read, too, and not by what an honest peer may bring too late", () => {
    const late = Array.from({ length: 2 * LIMITS.peerForgedMax }, () => encodeSignedCommand(made));
    node.passSeconds(61);
    bring(OTHER, late);
    expect(node.complaints).to.deep.equal([]);
    bring(
      LIAR,
      Array.from({ length: LIMITS.peerForgedMax + 1 }, (_, at) => Uint8Array.of(at)),
    );
    expect(node.complaints.at(-1)).to.equal(`${LIAR} REQUEST_RATE_LIMITED`);
  });
});
