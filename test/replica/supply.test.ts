import { expect } from "chai";
import { LIMITS, parseNodeId } from "#base";
import { decodeOffer } from "#replica";
import { PEERS, Source } from "./transfer-kit.ts";

const [BEHIND, GREEDY] = PEERS;
const THIRD = parseNodeId("node-4");
const MS = 1_000;
/** Values that keys of the state had at height 4, for those that changed since. */
const STABLE_4 = "h/0000000000000004/";

describe("states that are held for others", () => {
  let source: Source;
  const heightFor = (peer: typeof BEHIND, fromHeight: number): number | undefined => {
    const offer = source.supply.offerFor(peer, fromHeight);
    return offer === undefined ? undefined : decodeOffer(offer).height;
  };
  const holds = (peer: typeof BEHIND, height: number): boolean => {
    const said = source.answer({ kind: "state-request", height, path: new Uint8Array(0) }, peer);
    return said.kind === "state-part" && said.part !== undefined;
  };

  beforeEach(async () => {
    source = (await Source.open()).grow(5);
  });

  it("stay for who is fetching them, though another peer asks for the newest each time", () => {
    expect(heightFor(BEHIND, 1)).to.equal(4);
    for (let newest = 8; newest <= 40; newest += 4) {
      source.grow(1);
      source.nowUs += 2_000 * MS;
      expect(holds(BEHIND, 4), `at ${newest}`).to.equal(true);
      expect(heightFor(GREEDY, newest)).to.equal(newest);
      source.nowUs += MS;
      expect(holds(GREEDY, newest)).to.equal(true);
    }
  });

  it("make room for a third peer when nobody asks about one any more, or it was held for long", () => {
    heightFor(BEHIND, 1);
    source.grow(1);
    expect(heightFor(GREEDY, 8)).to.equal(8);
    source.grow(1);
    const keep = (): void => {
      for (const [peer, height] of [
        [BEHIND, 4],
        [GREEDY, 8],
      ] as const)
        holds(peer, height);
    };
    expect(heightFor(THIRD, 12)).to.equal(undefined);
    expect(heightFor(THIRD, 1), "what is held serves whom it helps").to.equal(8);
    for (let passedMs = 0; passedMs < LIMITS.snapshotHeldMs; passedMs += 1_000) {
      source.nowUs += 1_000 * MS;
      keep();
    }
    source.nowUs += MS;
    expect(heightFor(THIRD, 12)).to.equal(12);
    source.grow(1);
    source.nowUs += LIMITS.snapshotInUseMs * MS + 1;
    expect(heightFor(THIRD, 16)).to.equal(16);
  });

  it("are taken so seldom that a peer which wants the newest each time takes a tenth of this node's time", () => {
    source.snapshotUs = 1_000 * MS;
    const beganUs = source.nowUs;
    for (let newest = 4; newest <= 400; newest += 4) {
      source.nowUs += 500 * MS;
      heightFor(GREEDY, newest);
      source.grow(0);
    }
    expect(source.snapshots).to.be.greaterThan(2);
    expect(source.snapshots * source.snapshotUs).to.be.at.most((source.nowUs - beganUs) / 10 + source.snapshotUs);
  });

  it("are not offered where the disk lost a value of then, until the next multiple", () => {
    const get = source.store.get.bind(source.store);
    const damaged: string[] = [];
    source.store.get = (key) => {
      if (!key.startsWith(STABLE_4)) return get(key);
      damaged.push(key);
      return Uint8Array.of(1, 1);
    };
    source.decide([source.kit.register("late")]);
    expect(source.supply.offerFor(BEHIND, 1)).to.equal(undefined);
    expect(damaged).to.not.deep.equal([]);
    source.grow(1);
    expect(heightFor(BEHIND, 1)).to.equal(8);
  });

  it("are not offered where no frame holds the offer", () => {
    const get = source.store.get.bind(source.store);
    source.store.get = (key) => (key.startsWith("b/") ? new Uint8Array(LIMITS.frameBytesMax) : get(key));
    expect(source.supply.offerFor(BEHIND, 1)).to.equal(undefined);
  });

  it("rest no longer than a minute, however a clock jumps", () => {
    source.snapshotUs = 3_600_000 * MS;
    heightFor(GREEDY, 1);
    source.snapshotUs = 0;
    source.grow(1);
    expect(heightFor(GREEDY, 8)).to.equal(8);
  });
});
