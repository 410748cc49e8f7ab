import { expect } from "chai";
import { type CanonicalObject, type Member, membershipHash, toBase64Url, toHex } from "#base";
import { type ChangeDraft, commandClaims, LedgerState } from "#state";
import { codes, hasher, keyOf, START } from "./ledger-kit.ts";
import { MembershipKit, memberOf, OPERATORS, renewed } from "./membership-kit.ts";

function kitWith(...learners: readonly string[]): MembershipKit {
  const kit = new MembershipKit();
  for (const id of learners) expect(codes(kit.apply([kit.change(kit.learner(id))]))).to.deep.equal(["OK"]);
  return kit;
}

function ids(kit: MembershipKit): readonly string[] {
  return kit.state.membership().members.map(({ id, weight }) => `${id} ${weight}`);
}

describe("state: members", () => {
  it("admits a learner without weight, and makes it a member after the delay", () => {
    const kit = kitWith("node-5");
    expect(kit.state.learners().map(({ id }) => id)).to.deep.equal(["node-5"]);
    expect(kit.state.membership().epoch).to.equal(0);
    const change = kit.apply([kit.change(kit.members({ add: [["node-5", 1]] }))]);
    const committed = kit.state.height;
    expect(codes(change)).to.deep.equal(["OK"]);
    const pending = kit.state.pendingChange();
    expect(pending?.lastHeight).to.equal(committed + 3 - 1);
    expect(pending?.next.epoch).to.equal(1);
    expect(kit.state.learners()).to.deep.equal([]);
    expect(ids(kit)).to.have.length(4);
    kit.activate();
    expect(kit.state.height).to.equal(committed + 2);
    expect(ids(kit)).to.deep.equal(["node-1 1", "node-2 1", "node-3 1", "node-4 1", "node-5 1"]);
    expect(kit.state.epochFirstHeight()).to.equal(committed + 3);
    expect([0, 1].map((height) => kit.state.membershipAt(height).epoch)).to.deep.equal([0, 0]);
    expect(kit.state.membershipAt(committed + 2).epoch).to.equal(0);
    expect(kit.state.membershipAt(committed + 3).epoch).to.equal(1);
  });

  it("seals the hash of its own members and of the next height's: they differ at an epoch's last height only", () => {
    const kit = kitWith("node-5");
    kit.apply([kit.change(kit.members({ add: [["node-5", 1]], remove: ["node-1"], reweight: [["node-2", 1]] }))]);
    const last = kit.state.pendingChange()?.lastHeight;
    const next = kit.state.pendingChange()?.next;
    kit.activate();
    kit.apply([]);
    const hash = (epoch: number): string =>
      toHex(membershipHash(hasher, epoch === 0 ? kit.genesis.membership : (next ?? kit.genesis.membership)));
    kit.applied.forEach(({ entries }, index) => {
      const sealed = entries.at(-1)?.content as CanonicalObject;
      const height = index + 1;
      expect(sealed["membershipHash"]).to.equal(hash(height <= (last ?? 0) ? 0 : 1));
      expect(sealed["nextMembershipHash"]).to.equal(hash(height < (last ?? 0) ? 0 : 1));
    });
  });

  it("records who approved what as an entry of kind membership", () => {
    const kit = kitWith("node-5");
    const [entry] = kit.apply([kit.change(kit.members({ add: [["node-5", 1]] }), { approvedBy: ["oscar", "otto"] })]).entries;
    expect([entry?.kind, entry?.actor, entry?.subject, entry?.reason]).to.deep.equal(["membership", "olga", "cluster", "OK"]);
    expect(entry?.content["action"]).to.equal("membership.changed");
    const request = entry?.content["request"] as { change: { add: unknown }; approvals: readonly { operator: string }[] };
    expect(request.change.add).to.deep.equal([{ id: "node-5", weight: 1 }]);
    expect(request.approvals.map(({ operator }) => operator)).to.deep.equal(["oscar", "otto"]);
  });

  it("goes on alike after a restart, before a change is active and after", () => {
    const kit = kitWith("node-5", "node-6");
    kit.apply([kit.change(kit.members({ add: [["node-5", 1]], remove: ["node-2"] }))]);
    for (let round = 0; round < 2; round++) {
      const restored = LedgerState.restore(kit.options(), kit.stored());
      expect(restored.pendingChange()).to.deep.equal(kit.state.pendingChange());
      expect(restored.membership()).to.deep.equal(kit.state.membership());
      expect(restored.learners()).to.deep.equal(kit.state.learners());
      expect(restored.nodeRecords()).to.deep.equal(kit.state.nodeRecords());
      expect(restored.stateRoot()).to.equal(kit.state.stateRoot());
      kit.activate();
    }
    expect(kit.state.membership().epoch).to.equal(1);
  });

  it("halts on a block of another epoch than its height's", () => {
    const kit = kitWith();
    const block = kit.block([]);
    expect(() => kit.state.apply({ ...block, header: { ...block.header, epoch: 1 } })).to.throw("epoch of its height");
  });
});

/** A member with these keys in place of its own. */
function withKeys(id: string, keys: Partial<Member["keys"]>): Member {
  const member = memberOf(id);
  return { ...member, keys: { ...member.keys, ...keys } };
}

describe("state: renewed keys", () => {
  it("are those of the next epoch, under the same id and weight, and the old ones those of the epochs before", () => {
    const kit = kitWith();
    const old = kit.genesis.membership.members[0] as Member;
    const next = { ...renewed(old), weight: 7, peerAddress: "10.0.0.1:7501" };
    expect(codes(kit.apply([kit.change(kit.members({ renew: [next] }))]))).to.deep.equal(["OK"]);
    expect(kit.state.membership().members[0]).to.deep.equal(old);
    kit.activate();
    expect(kit.state.membership().members[0]).to.deep.equal({ ...next, weight: old.weight });
    expect(kit.state.membershipAt(kit.state.height).members[0]).to.deep.equal(old);
    expect(kit.state.nodeRecords()).to.deep.equal([]);
  });

  it("make the old ones nobody's, for ever: after a restart too, and after the node has left", () => {
    const kit = kitWith("node-5");
    const first = memberOf("node-1");
    for (const round of [1, 2]) {
      kit.apply([kit.change(kit.members({ renew: [renewed(first, round)] }))]);
      kit.activate();
    }
    kit.apply([kit.change(kit.members({ add: [["node-5", 1]], remove: ["node-1"] }))]);
    kit.activate();
    kit.state = LedgerState.restore(kit.options(), kit.stored());
    for (const keys of [first.keys, renewed(first, 1).keys, renewed(first, 2).keys]) {
      for (const key of [keys.log, keys.witness]) {
        const back = kit.learner("node-9", { keys: { ...memberOf("node-9").keys, log: key } });
        expect(codes(kit.apply([kit.change(back)]))).to.deep.equal(["IDENTITY_KEY_REUSED"]);
        expect(codes(kit.apply([kit.change(kit.members({ renew: [withKeys("node-2", { witness: key })] }))]))).to.deep.equal([
          "IDENTITY_KEY_REUSED",
        ]);
      }
    }
  });

  it("are proved by every key of the node, those that it keeps too", () => {
    const kit = kitWith();
    const node = renewed(memberOf("node-1"));
    const { command } = kit.change(kit.members({ renew: [node] }), { approvedBy: [] });
    const claims = commandClaims(command, { ...kit.genesis, hasher });
    expect(claims.map(({ publicKey }) => toBase64Url(publicKey))).to.deep.equal([
      node.keys.vote,
      node.keys.log,
      node.keys.witness,
      node.keys.gateway,
    ]);
  });
});

describe("state: changes of members that are refused", () => {
  const refusals: readonly (readonly [claim: string, code: string, draft: (kit: MembershipKit) => ChangeDraft])[] = [
    ["a stale epoch", "MEMBERSHIP_STALE", (kit) => ({ ...kit.members({ reweight: [["node-1", 1]] }), epoch: 1 })],
    ["approvals that have expired", "MEMBERSHIP_STALE", (kit) => ({ ...kit.members({ remove: ["node-1"] }), expiresAtUs: START })],
    ["the removal of a stranger", "MEMBERSHIP_NODE_UNKNOWN", (kit) => kit.members({ remove: ["node-9"] })],
    ["a weight for a stranger", "MEMBERSHIP_NODE_UNKNOWN", (kit) => kit.members({ reweight: [["node-9", 1]] })],
    ["a member that was no learner", "MEMBERSHIP_NODE_UNKNOWN", (kit) => kit.members({ add: [["node-9", 1]] })],
    ["a member added again", "MEMBERSHIP_NODE_UNKNOWN", (kit) => kit.members({ add: [["node-1", 1]] })],
    ["a weight of a third", "MEMBERSHIP_INVALID", (kit) => kit.members({ reweight: [["node-1", 2]] })],
    ["a removal that leaves weights of a third", "MEMBERSHIP_INVALID", (kit) => kit.members({ remove: ["node-1"] })],
    [
      "a change after which nobody is left",
      "MEMBERSHIP_INVALID",
      (kit) => kit.members({ remove: ["node-1", "node-2", "node-3", "node-4"] }),
    ],
    ["weights beyond what may be summed", "MEMBERSHIP_INVALID", (kit) => kit.members({ reweight: [["node-1", 1_000_000]] })],
    ["a learner with a member's id", "IDENTITY_EXISTS", (kit) => kit.learner("node-1")],
    ["a learner with a learner's id", "IDENTITY_EXISTS", (kit) => kit.learner("node-5")],
    ["a learner with an operator's id", "IDENTITY_EXISTS", (kit) => kit.learner("olga")],
    ["a learner with a service's id", "IDENTITY_EXISTS", (kit) => kit.learner("trader")],
    ["a learner with a member's key", "IDENTITY_KEY_REUSED", (kit) => kit.learner("node-9", { keys: memberOf("node-1").keys })],
    [
      "a learner with a service's key in one role",
      "IDENTITY_KEY_REUSED",
      (kit) => kit.learner("node-9", { keys: { ...memberOf("node-9").keys, gateway: keyOf("trader") } }),
    ],
    [
      "a learner with one key in two roles",
      "MEMBERSHIP_INVALID",
      (kit) => kit.learner("node-9", { keys: { ...memberOf("node-9").keys, gateway: keyOf("node-9 vote") } }),
    ],
    ["a learner of another trust domain", "MEMBERSHIP_INVALID", (kit) => kit.learner("node-9", {}, "other.example")],
    ["the removal of a learner that is none", "MEMBERSHIP_NODE_UNKNOWN", (kit) => kit.leave("node-1")],
    ["a renewal of a stranger", "MEMBERSHIP_NODE_UNKNOWN", (kit) => kit.members({ renew: [renewed(memberOf("node-9"))] })],
    ["a renewal of a learner", "MEMBERSHIP_NODE_UNKNOWN", (kit) => kit.members({ renew: [renewed(memberOf("node-5"))] })],
    ["a renewal that changes nothing", "MEMBERSHIP_INVALID", (kit) => kit.members({ renew: [memberOf("node-1")] })],
    ["a renewal by another vote key", "MEMBERSHIP_INVALID", (kit) => kit.members({ renew: [withKeys("node-1", { vote: keyOf("new") })] })],
    [
      "a renewal of the gateway key",
      "MEMBERSHIP_INVALID",
      (kit) => kit.members({ renew: [withKeys("node-1", { gateway: keyOf("new") })] }),
    ],
    ["a renewal of the TLS key", "MEMBERSHIP_INVALID", (kit) => kit.members({ renew: [withKeys("node-1", { tls: "AAAA" })] })],
    [
      "a renewal under another authority",
      "MEMBERSHIP_INVALID",
      (kit) => kit.members({ renew: [{ ...renewed(memberOf("node-1")), tlsAuthority: "AAAA" }] }),
    ],
    [
      "a renewal by another node's key",
      "IDENTITY_KEY_REUSED",
      (kit) => kit.members({ renew: [withKeys("node-1", { log: keyOf("node-5 log") })] }),
    ],
    [
      "a renewal that swaps the node's own keys",
      "IDENTITY_KEY_REUSED",
      (kit) => kit.members({ renew: [withKeys("node-1", { log: keyOf("node-1 witness"), witness: keyOf("node-1 log") })] }),
    ],
    [
      "one new key for two nodes",
      "MEMBERSHIP_INVALID",
      (kit) => kit.members({ renew: [withKeys("node-1", { log: keyOf("new") }), withKeys("node-2", { log: keyOf("new") })] }),
    ],
    [
      "a renewal of a node that leaves",
      "FORMAT_SHAPE_INVALID",
      (kit) => kit.members({ remove: ["node-1"], renew: [renewed(memberOf("node-1"))] }),
    ],
    ["more renewals than a command holds", "FORMAT_TOO_LARGE", (kit) => kit.members({ renew: Array(9).fill(renewed(memberOf("node-1"))) })],
    ["an empty change", "FORMAT_SHAPE_INVALID", (kit) => kit.members({})],
    ["a node named twice", "FORMAT_SHAPE_INVALID", (kit) => kit.members({ remove: ["node-1"], reweight: [["node-1", 1]] })],
  ];
  for (const [claim, code, draft] of refusals) {
    it(`refuses ${claim}`, () => {
      const kit = kitWith("node-5");
      kit.apply([kit.register("trader")]);
      const before = kit.state.nodeRecords();
      expect(codes(kit.apply([kit.change(draft(kit))]))).to.deep.equal([code]);
      expect(kit.state.pendingChange()).to.equal(undefined);
      expect(kit.state.nodeRecords()).to.deep.equal(before);
    });
  }

  it("refuses a second change while one is in flight, in the same block too, and takes it in the next epoch", () => {
    const kit = kitWith("node-5", "node-6");
    const first = kit.change(kit.members({ add: [["node-5", 1]] }));
    const second = kit.change(kit.members({ add: [["node-6", 1]] }));
    expect(codes(kit.apply([first, second]))).to.deep.equal(["OK", "MEMBERSHIP_IN_FLIGHT"]);
    const height = kit.state.pendingChange()?.lastHeight ?? 0;
    while (kit.state.height < height) {
      expect(codes(kit.apply([kit.change(kit.members({ add: [["node-6", 1]] }))]))).to.deep.equal(["MEMBERSHIP_IN_FLIGHT"]);
    }
    expect(codes(kit.apply([kit.change(kit.members({ add: [["node-6", 1]] }))]))).to.deep.equal(["OK"]);
    expect(kit.state.pendingChange()?.next.epoch).to.equal(2);
  });

  it("refuses what exactly half of the operators approved", () => {
    const operators = OPERATORS.filter(({ id }) => id !== "otto");
    const kit = new MembershipKit({ operators });
    const draft = kit.learner("node-5");
    expect(codes(kit.apply([kit.change(draft, { approvedBy: [] }), kit.change(draft)]))).to.deep.equal(["MEMBERSHIP_APPROVALS", "OK"]);
  });

  it("refuses what more than half of the operators did not approve", () => {
    const kit = kitWith("node-5");
    const draft = kit.members({ add: [["node-5", 1]] });
    const attempts = [
      kit.change(draft, { approvedBy: [] }),
      kit.change(draft, { approvedBy: ["olga"] }),
      kit.change(draft, { approvedBy: ["aldo"] }),
      kit.change(draft, { approvedBy: ["mallory", "oscar"] }),
      kit.change(draft, { by: "aldo", approvedBy: ["olga", "oscar"] }),
      kit.change(draft, { approvedBy: ["oscar", "oscar"] }),
      kit.change(draft, { approvedBy: ["otto"] }),
    ];
    expect(codes(kit.apply(attempts))).to.deep.equal([
      "MEMBERSHIP_APPROVALS",
      "MEMBERSHIP_APPROVALS",
      "IDENTITY_ROLE_MISSING",
      "IDENTITY_ROLE_MISSING",
      "IDENTITY_ROLE_MISSING",
      "FORMAT_SHAPE_INVALID",
      "OK",
    ]);
  });

  it("never takes the id or a key of a node that left, whether learner or member", () => {
    const kit = kitWith("node-5", "node-6");
    kit.apply([kit.change(kit.leave("node-6"))]);
    kit.apply([kit.change(kit.members({ add: [["node-5", 1]], remove: ["node-1"] }))]);
    kit.activate();
    for (const gone of ["node-6", "node-1"]) {
      expect(codes(kit.apply([kit.change(kit.learner(gone))]))).to.deep.equal(["IDENTITY_EXISTS"]);
      const reused = { ...memberOf("node-9").keys, vote: memberOf(gone).keys.log };
      expect(codes(kit.apply([kit.change(kit.learner("node-9", { keys: reused }))]))).to.deep.equal(["IDENTITY_KEY_REUSED"]);
      const add = kit.change(kit.members({ add: [[gone, 1]] }));
      expect(codes(kit.apply([add]))).to.deep.equal(["MEMBERSHIP_NODE_UNKNOWN"]);
      expect(codes(kit.apply([kit.register("service-1", { publicKey: memberOf(gone).keys.vote })]))).to.deep.equal(["IDENTITY_KEY_REUSED"]);
    }
    expect(kit.state.nodeRecords().map(({ member, standing }) => `${member.id} ${standing}`)).to.deep.equal([
      "node-1 retired",
      "node-5 member",
      "node-6 retired",
    ]);
  });

  // Beside three members of weight 10: the least weight by which the first can stop them alone; and how many of four may not leave.
  for (const [engine, share, fatal, leaving] of [
    ["pbft", "a third", 15, 1],
    ["tendermint", "a third", 15, 1],
    ["raft", "a half", 30, 2],
  ] as const) {
    it(`refuses a weight of ${share} in ${engine}, given or left over, and takes the one below`, () => {
      const kit = new MembershipKit({ engine });
      const weighed = (weight: number): ChangeDraft =>
        kit.members({ reweight: [["node-1", weight], ...["node-2", "node-3", "node-4"].map((id) => [id, 10] as const)] });
      const removal = kit.members({ remove: ["node-4", "node-3"].slice(0, leaving) });
      for (const draft of [weighed(fatal), weighed(1_000), removal])
        expect(codes(kit.apply([kit.change(draft)]))).to.deep.equal(["MEMBERSHIP_INVALID"]);
      expect(codes(kit.apply([kit.change(weighed(fatal - 1))]))).to.deep.equal(["OK"]);
    });
  }

  it("lets one node be fatal only where genesis declares it", () => {
    const kit = new MembershipKit({ zeroFaultTolerance: true });
    expect(codes(kit.apply([kit.change(kit.members({ remove: ["node-1", "node-2", "node-3"] }))]))).to.deep.equal(["OK"]);
    kit.activate();
    expect(ids(kit)).to.deep.equal(["node-4 1"]);
  });

  it("expires at the block's time, not a microsecond later", () => {
    const kit = kitWith();
    const draft = { ...kit.members({ reweight: [["node-1", 1]] }), expiresAtUs: kit.state.timeUs + 5 };
    expect(codes(kit.apply([kit.change(draft)], 5))).to.deep.equal(["MEMBERSHIP_STALE"]);
    expect(codes(kit.apply([kit.change({ ...draft, expiresAtUs: kit.state.timeUs + 6 })], 5))).to.deep.equal(["OK"]);
  });
});
