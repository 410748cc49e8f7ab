import { expect } from "chai";
import { isQuorum, type Transport } from "#base";
import { pbftRules, raftRules, tendermintRules } from "#consensus";
import { nodeHasher } from "#crypto";
import { type PlantedBug, type RunResult, runSchedule, standInKeys } from "#simulations";
import { LiveCluster, newDisk, stopped, until } from "./live-cluster.ts";

const FAULT = "a fault of this program: TypeError: planted";

/** A cluster in which one node's core fails once, in the midst of a step that a peer's message brought about. */
function failOnce(engine: "pbft" | "tendermint" | "raft"): RunResult {
  let calls = 0;
  const fails = (weight: number, total: number): boolean => {
    calls += 1;
    if (calls === 60) throw new TypeError("planted");
    return engine === "raft" ? 2 * weight > total : isQuorum(weight, total, "byzantine");
  };
  const rules = {
    pbft: { ...pbftRules, isQuorum: fails },
    tendermint: { ...tendermintRules, isQuorum: fails },
    raft: { ...raftRules, isQuorum: fails },
  };
  const planted: PlantedBug = { name: "fails-once", room: "protocol", about: "", breaks: ["S1"], kinds: [], overrides: { rules } };
  const keys = standInKeys(nodeHasher);
  return runSchedule({ seed: 3, engine, nodes: 4, weights: [1, 1, 1, 1], window: 1, faults: [], hasher: nodeHasher, keys, planted });
}

describe("a node whose own core fails", function () {
  this.timeout(60_000);

  for (const engine of ["pbft", "tendermint", "raft"] as const) {
    it(`stops, and blames no peer (${engine})`, () => {
      const { violations, marks, commits } = failOnce(engine);
      expect(violations.filter(({ invariant, detail }) => invariant === "S1" && detail.includes(FAULT))).to.have.length(1);
      expect(violations.filter(({ invariant }) => !["S1", "A7"].includes(invariant))).to.deep.equal([]);
      expect(marks["refused-frame"] ?? 0).to.equal(0);
      expect(commits).to.be.greaterThan(5);
    });
  }

  it("halts and says why also where a timer brought the failure to light: nobody else would catch it", async () => {
    const cluster = await LiveCluster.make({ engine: "pbft", nodes: 1 });
    let fails = false;
    const links = (inner: Transport): Transport => ({
      start: (events, done) => inner.start(events, done),
      stop: (done) => inner.stop(done),
      send: (to, frame) => inner.send(to, frame),
      setPeers: (peers) => inner.setPeers(peers),
      connectedPeers: () => {
        const failsNow = fails;
        fails = false;
        if (failsNow) throw new TypeError("planted");
        return inner.connectedPeers();
      },
    });
    const replica = await cluster.start(1, await newDisk(), links);
    fails = true;
    await until(() => !fails);
    expect(replica.status()).to.include({ mode: "halted", haltReason: FAULT });
    await stopped(replica);
  });
});
