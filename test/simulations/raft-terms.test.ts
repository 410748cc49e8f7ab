import { expect } from "chai";
import { LIMITS, parseHeader, silentTelemetry } from "#base";
import { nodeHasher } from "#crypto";
import { FrameReader, Scheduler, SimulatedCluster, standInKeys } from "#simulations";

const ignore = (): void => {};

/** Three replicas of Raft, and what halted. */
function threeReplicas(): { readonly cluster: SimulatedCluster; readonly halted: string[] } {
  const halted: string[] = [];
  const about = {
    seed: 1,
    engine: "raft",
    nodes: 3,
    hasher: nodeHasher,
    keys: standInKeys(nodeHasher),
    scheduler: new Scheduler(),
  } as const;
  const cluster = new SimulatedCluster(about, {
    onBlock: ignore,
    onInstalled: ignore,
    onCertified: ignore,
    onHalted: (node, reason) => void halted.push(`${node}: ${reason}`),
    onEvidence: ignore,
    onForgot: ignore,
    onStarted: ignore,
    onKilled: ignore,
    onParticipating: ignore,
    onSign: ignore,
    onReport: ignore,
    telemetry: silentTelemetry,
  });
  return { cluster, halted };
}

describe("replicas of raft", function () {
  this.timeout(60_000);

  it("decide and certify again after more terms in a row that each left an entry undecided than heights may be uncertified", () => {
    const { cluster, halted } = threeReplicas();
    const { scheduler, network, nodes } = cluster;
    const frames = new FrameReader();
    const ownFrom = new Map<number, number>();
    // Lost are the answers to entries of the leader's own term: each term leaves one more in every log, and decides nothing.
    const mend = network.addLoss((_from, _to, frame) => {
      const message = frames.messageOf(frame);
      if (message?.type === "append" && message.entry !== undefined) {
        const { height, originView } = parseHeader(message.entry.headerBytes);
        if (originView === message.term && !ownFrom.has(message.term)) ownFrom.set(message.term, height);
      }
      return (
        message?.type === "append-reply" && message.accepted && message.height >= (ownFrom.get(message.term) ?? Number.POSITIVE_INFINITY)
      );
    });
    const tips = (): number[] => nodes.map(({ replica }) => replica?.status().tip.height ?? 0);
    cluster.begin();
    scheduler.runUntil({
      elapsedMs: 120_000,
      events: 1_000_000,
      done: () => Math.max(0, ...ownFrom.values()) > LIMITS.uncertifiedHeightsMax + 2,
    });
    expect(tips()).to.deep.equal([0, 0, 0]);
    mend();
    scheduler.runUntil({ elapsedMs: scheduler.elapsedMs() + 15_000, events: 1_000_000 });
    expect(Math.min(...tips())).to.be.greaterThan(LIMITS.uncertifiedHeightsMax);
    expect(nodes.map(({ replica }) => replica?.status().certified.height)).to.deep.equal(tips());
    expect(halted).to.deep.equal([]);
  });
});
