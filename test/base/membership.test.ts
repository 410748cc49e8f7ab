import { expect } from "chai";
import fc from "fast-check";
import {
  type CanonicalObject,
  checkMembership,
  findMember,
  leaderOf,
  type Member,
  type Membership,
  membershipHash,
  membershipToCanonical,
  memberToCanonical,
  parseMember,
  parseMembership,
  portableHasher,
  toHex,
  totalWeight,
  weightOf,
} from "#base";
import { codeThrownBy, expectCode } from "../refusals.ts";
import { someKey, someMember } from "./members.ts";

const membershipOf = (...members: readonly Member[]): Membership => ({ epoch: 3, members });
const FOUR = membershipOf(...["a", "b", "c", "d"].map((id) => someMember(id)));
const strict = { zeroFaultTolerance: false };

describe("a membership", () => {
  it("is read back from its canonical form, and its hash changes with every part", () => {
    expect(parseMembership(membershipToCanonical(FOUR), strict)).to.deep.equal(FOUR);
    const hash = (membership: Membership): string => toHex(membershipHash(portableHasher, membership));
    const [first, ...others] = FOUR.members;
    if (first === undefined) throw new Error("no member");
    const changes: readonly Partial<Member>[] = [
      { weight: 2 },
      { peerAddress: "x:1" },
      { httpUrl: "https://x" },
      { tlsAuthority: "AAAA" },
      { keys: { ...first.keys, vote: someKey() } },
      { keys: { ...first.keys, tls: "AAAA" } },
    ];
    const hashes = [
      hash(FOUR),
      hash({ ...FOUR, epoch: 4 }),
      ...changes.map((change) => hash(membershipOf({ ...first, ...change }, ...others))),
    ];
    expect(new Set(hashes).size).to.equal(hashes.length);
  });

  it("is refused without members, out of order, with an id twice or too many members", () => {
    const refused = (...members: readonly Member[]): void =>
      expectCode("MEMBERSHIP_INVALID", () => checkMembership(membershipOf(...members), { zeroFaultTolerance: true }));
    refused();
    refused(someMember("b"), someMember("a"));
    refused(someMember("a"), someMember("a"));
    const many = Array.from({ length: 32 }, (_, index) => someMember(`n${String(index).padStart(2, "0")}`));
    expectCode("FORMAT_TOO_LARGE", () => parseMembership(membershipToCanonical(membershipOf(...many)), strict));
  });

  it("is refused with any key in two places, of one member or of two", () => {
    const roles = ["vote", "log", "witness", "gateway", "tls"] as const;
    const [first, second, ...others] = FOUR.members;
    if (first === undefined || second === undefined) throw new Error("no members");
    for (const role of roles) {
      for (const other of roles) {
        const copied = { ...second, keys: { ...second.keys, [other]: first.keys[role] } };
        expectCode("MEMBERSHIP_INVALID", () => checkMembership(membershipOf(first, copied, ...others), strict));
        if (role === other) continue;
        const twice = { ...first, keys: { ...first.keys, [other]: first.keys[role] } };
        expectCode("MEMBERSHIP_INVALID", () => checkMembership(membershipOf(twice, second, ...others), strict));
      }
    }
  });

  it("is refused exactly when a weight is a third or more, unless zero fault tolerance is declared", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }), (weights) => {
        const membership = membershipOf(...weights.map((weight, index) => someMember(`n${index}`, weight)));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const refused = codeThrownBy(() => checkMembership(membership, strict)) === "MEMBERSHIP_INVALID";
        expect(refused).to.equal(Math.max(...weights) >= total / 3);
        expect(codeThrownBy(() => checkMembership(membership, { zeroFaultTolerance: true }))).to.equal("nothing was thrown");
      }),
      { numRuns: 60 },
    );
  });

  it("is refused when its weights sum to more than the bound", () => {
    const heavy = ["a", "b", "c", "d"].map((id) => someMember(id, 300_000));
    expectCode("MEMBERSHIP_INVALID", () => checkMembership(membershipOf(...heavy), strict));
  });

  it("reads no member with weights, keys or fields that are off", () => {
    const good = memberToCanonical(someMember("a"));
    const keys = good["keys"] as CanonicalObject;
    const read = (change: CanonicalObject): string => codeThrownBy(() => parseMember({ ...good, ...change }));
    expect(read({})).to.equal("nothing was thrown");
    for (const weight of [0, -1, 1_000_001]) expect(read({ weight })).to.equal("FORMAT_SHAPE_INVALID");
    expect(read({ weight: "1" })).to.equal("FORMAT_SHAPE_INVALID");
    expect(read({ id: "A" })).to.equal("FORMAT_ID_INVALID");
    expect(read({ extra: 1 })).to.equal("FORMAT_SHAPE_INVALID");
    expect(read({ keys: { ...keys, extra: "x" } })).to.equal("FORMAT_SHAPE_INVALID");
    expect(read({ keys: { ...keys, vote: "short" } })).to.equal("FORMAT_KEY_INVALID");
    expect(read({ keys: { ...keys, tls: "A" } })).to.equal("FORMAT_ENCODING_INVALID");
    expect(read({ tlsAuthority: "AB" })).to.equal("FORMAT_ENCODING_INVALID");
    expect(read({ peerAddress: "x".repeat(257) })).to.equal("FORMAT_TOO_LARGE");
  });

  it("counts the weight of distinct members, and nothing for strangers", () => {
    const membership = membershipOf(someMember("a", 3), someMember("b", 4), someMember("c", 5), someMember("d", 4));
    expect(totalWeight(membership)).to.equal(16);
    expect(weightOf(membership, ["a", "a", "a", "z", "c"])).to.equal(8);
    expect(weightOf(membership, [])).to.equal(0);
    expect([findMember(membership, "b")?.weight, findMember(membership, "z")]).to.deep.equal([4, undefined]);
  });

  it("is led by each member in turn", () => {
    expect([0, 1, 2, 3, 4, 7, 4_000_000_001].map((view) => leaderOf(FOUR, view))).to.deep.equal(["a", "b", "c", "d", "a", "d", "b"]);
  });
});
