import { expect } from "chai";
import type { EngineName } from "#base";
import { nodeHasher } from "#crypto";
import { runSchedule, SIMULATED_ENGINES, standInKeys } from "#simulations";

/** A node of four: by its number it leads the first height in one engine or another, or follows. */
const NODES = [0, 1];
const BOUNDARIES = ["torn-write", "crash-after-write"] as const;
const DOWN_MS = 300;

/** Kills a node at one boundary of one write, in a schedule in which nothing else happens. Gives whether it came to so many writes. */
function killedAt(engine: EngineName, about: { kind: (typeof BOUNDARIES)[number]; node: number; writes: number }): boolean {
  const fault = { ...about, atMs: 1, downMs: DOWN_MS };
  const cluster = { engine, nodes: 4, weights: [1, 1, 1, 1], window: 1 };
  const { hits, violations } = runSchedule({ ...cluster, seed: 5, faults: [fault], hasher: nodeHasher, keys: standInKeys(nodeHasher) });
  expect(violations, JSON.stringify(fault)).to.deep.equal([]);
  return (hits[about.kind] ?? 0) > 0;
}

describe("a node that is killed at every boundary of its writes, one after another", function () {
  this.timeout(240_000);

  for (const engine of SIMULATED_ENGINES) {
    for (const node of NODES) {
      it(`loses nothing that was acknowledged and says nothing twice: ${engine}, node ${node + 1}`, () => {
        for (const kind of BOUNDARIES) {
          let writes = 0;
          while (killedAt(engine, { kind, node, writes })) writes += 1;
          expect(writes, "writes of a schedule").to.be.at.least(20);
        }
      });
    }
  }
});
