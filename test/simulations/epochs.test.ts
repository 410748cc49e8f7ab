import { expect } from "chai";
import { raftRules } from "#consensus";
import { nodeHasher } from "#crypto";
import { type RunResult, runCampaign, runSchedule, SIMULATED_ENGINES, standInKeys } from "#simulations";

const keys = standInKeys(nodeHasher);

/** An end of an epoch of Raft while the majority of before and the one of after hear nothing of each other. */
function partedEnd(seed: number, rules: typeof raftRules): RunResult {
  const about = { engine: "raft", seed, nodes: 5, weights: [1, 1, 1, 1, 1], hasher: nodeHasher, keys } as const;
  const faults = [{ kind: "parted-end", atMs: 900 + 100 * seed, node: seed % 5, forMs: 2_500, count: 2 }];
  const planted = {
    name: "one-majority",
    room: "protocol",
    about: "",
    breaks: [],
    kinds: [],
    overrides: { rules: { raft: rules } },
  } as const;
  return runSchedule({ ...about, faults, planted });
}

describe("the end of an epoch", function () {
  this.timeout(60_000);

  for (const engine of SIMULATED_ENGINES) {
    it(`is decided in a later view where its leader is killed at the barrier, and the next epoch begins without it: ${engine}`, async () => {
      const { failures, marks, faultKinds } = await runCampaign({ engine, nodes: 4, seeds: { from: 0, to: 9 }, kinds: ["barrier-crash"] });
      expect(failures).to.deep.equal([]);
      expect(faultKinds["barrier-crash"]).to.be.greaterThan(5);
      expect(marks["epoch-ended-in-later-view"]).to.be.greaterThan(0);
    });

    it(`takes members out, also the leader and those that lie or forget, under whatever else happens: ${engine}`, async () => {
      const kinds = ["leave", "leave", "reads", "leader-crash", "isolate-leader", "lost-disk", "selective"];
      const { failures, marks, faultKinds } = await runCampaign({ engine, nodes: 7, seeds: { from: 0, to: 5 }, kinds });
      expect(failures).to.deep.equal([]);
      expect(faultKinds["leave"]).to.be.greaterThan(0);
      expect(marks["member-left"]).to.be.greaterThan(1);
    });

    it(`brings in a node that was not there, by blocks or by a state, while it, its disk, the leader or a link fails at the barrier: ${engine}`, async () => {
      const kinds = ["join", "join-crash", "join-parted", "join-forgets", "lie-state"];
      const { failures, marks, faultKinds } = await runCampaign({ engine, nodes: 4, seeds: { from: 0, to: 9 }, kinds });
      expect(failures).to.deep.equal([]);
      for (const kind of ["join", "join-crash", "join-parted", "join-forgets"]) expect(faultKinds[kind], kind).to.be.greaterThan(0);
      expect(marks["member-joined"]).to.be.greaterThan(4);
      expect(marks["newcomer-took-state"]).to.be.greaterThan(0);
    });

    it(`changes the keys that cosign, at that height and at no other, while nodes crash: ${engine}`, async () => {
      const kinds = ["renew-keys", "crash", "lost-disk"];
      const { failures, marks, faultKinds } = await runCampaign({ engine, nodes: 4, seeds: { from: 0, to: 9 }, kinds });
      expect(failures).to.deep.equal([]);
      expect(faultKinds["renew-keys"]).to.be.greaterThan(0);
      expect(marks["receipt-verified"], "by the first members and the handovers alone").to.be.greaterThan(0);
    });
  }

  it("is known to a node before the change is on its disk: nobody votes above it, however slow the disks are", () => {
    const slow = [0, 1, 2, 3].map((node) => ({ kind: "slow-disk", atMs: 200, node, syncMs: [90, 80, 60, 50][node] ?? 0 }));
    const changes = [0, 1, 2, 3].map((node) => ({ kind: "reweight", atMs: 1_000 + 1_500 * node, node, count: 1 }));
    const load = changes.flatMap(({ atMs }) =>
      [60, 45, 30, 15, 0].map((beforeMs) => ({ kind: "batch-commands", atMs: atMs - beforeMs, count: 16 })),
    );
    const faults = [...slow, ...changes, ...load];
    for (const [seed, window] of [
      [2, 4],
      [14, 2],
    ] as const) {
      const { violations, hits } = runSchedule({ seed, nodes: 4, window, weights: [1, 1, 1, 1], faults, hasher: nodeHasher, keys });
      expect(violations, `window ${window}`).to.deep.equal([]);
      expect(hits["reweight"]).to.equal(4);
    }
  });

  it("waits in raft for a majority of both memberships, and breaks nothing where it does not: the handover needs the old members all the same", () => {
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
    const waits = (rules: typeof raftRules): number =>
      seeds.reduce((sum, seed) => {
        const { violations, marks } = partedEnd(seed, rules);
        expect(violations).to.deep.equal([]);
        return sum + (marks["end-waits-for-new-majority"] ?? 0);
      }, 0);
    expect(waits(raftRules)).to.be.greaterThan(3);
    expect(waits({ ...raftRules, agreeing: ({ present }) => [present] })).to.equal(0);
  });
});
