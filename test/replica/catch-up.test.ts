import { expect } from "chai";
import { type NodeId, parseNodeId, type Timers } from "#base";
import { CatchUp, replicaRules } from "#replica";

const [liar, second, third] = ["node-1", "node-2", "node-3"].map(parseNodeId) as [NodeId, NodeId, NodeId];

/** Catching up of a node whose peers answer by hand, with timers that run when they are told to. */
class Behind {
  readonly asked: { readonly peer: NodeId; readonly from: number }[] = [];
  tipHeight = 0;
  readonly catchUp: CatchUp;
  readonly #due = new Set<() => void>();

  constructor() {
    const timers: Timers = {
      after: (_ms, run) => {
        this.#due.add(run);
        return { cancel: () => void this.#due.delete(run) };
      },
    };
    this.catchUp = new CatchUp({
      timers,
      timeoutMs: 100,
      rules: replicaRules,
      tipHeight: () => this.tipHeight,
      peers: () => [liar, second, third],
      request: (peer, from) => this.asked.push({ peer, from }),
      deliver: () => {
        this.tipHeight += 1;
        this.catchUp.onTip();
      },
    });
  }

  get newest(): { readonly peer: NodeId; readonly from: number } {
    const last = this.asked.at(-1);
    if (last === undefined) throw new Error("nobody was asked");
    return last;
  }

  /** The peer that was asked last answers with so many blocks. */
  answer(blocks: number): void {
    const { peer, from } = this.newest;
    this.catchUp.onResponse(peer, { fromHeight: from, blocks: Array.from({ length: blocks }, () => Uint8Array.of(1)) });
  }

  timeOut(): void {
    const due = [...this.#due];
    this.#due.clear();
    for (const run of due) run();
  }
}

describe("catching up with a peer that claims a height and then a lower one (CVE-2025-24371)", () => {
  it("asks the others when it answers nothing, and waits no longer for what nobody has", () => {
    const node = new Behind();
    node.catchUp.want(1_000_000, liar);
    expect(node.newest).to.deep.equal({ peer: liar, from: 1 });
    node.catchUp.want(3, liar);
    for (let turn = 0; turn < 6 && node.catchUp.active; turn++) node.answer(0);
    expect(new Set(node.asked.map(({ peer }) => peer))).to.deep.equal(new Set([liar, second, third]));
    expect(node.catchUp.active).to.equal(false);
  });

  it("takes the blocks that there are, one peer after another, whoever is silent", () => {
    const node = new Behind();
    node.catchUp.want(1_000_000, liar);
    node.timeOut();
    for (let turn = 0; node.newest.peer === liar && turn < 3; turn++) node.timeOut();
    expect(node.newest.peer).not.to.equal(liar);
    node.answer(2);
    expect(node.tipHeight).to.equal(2);
    expect(node.newest.from).to.equal(3);
  });

  it("goes on for a later and true claim", () => {
    const node = new Behind();
    node.catchUp.want(1_000_000, liar);
    for (let turn = 0; turn < 6 && node.catchUp.active; turn++) node.answer(0);
    node.catchUp.want(2, second);
    expect(node.newest).to.deep.equal({ peer: second, from: 1 });
    node.answer(2);
    expect(node.tipHeight).to.equal(2);
    expect(node.catchUp.active).to.equal(false);
  });
});

describe("catching up with a peer that gives as little as it may, each time just in time", () => {
  it("asks the others as often", () => {
    const node = new Behind();
    node.catchUp.want(10_000, liar);
    for (let turn = 0; turn < 30; turn++) node.answer(node.newest.peer === liar ? 1 : 64);
    expect(node.asked.filter(({ peer }) => peer === liar)).to.have.length.within(10, 12);
    expect(node.tipHeight).to.be.at.least(18 * 64);
  });

  it("is not told by one that lags, as often as it is asked, that there is nothing", () => {
    const node = new Behind();
    node.catchUp.want(1_000, second);
    for (let turn = 0; turn < 30 && node.catchUp.active; turn++) node.answer(node.newest.peer === liar ? 0 : 64);
    expect(node.tipHeight).to.be.at.least(1_000);
  });
});
