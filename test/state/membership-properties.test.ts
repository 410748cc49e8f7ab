import { expect } from "chai";
import fc from "fast-check";
import { checkMembership, totalWeight } from "#base";
import { LedgerState } from "#state";
import { hasher } from "./ledger-kit.ts";
import { MembershipKit, memberOf, renewed } from "./membership-kit.ts";

const node = fc.integer({ min: 1, max: 9 }).map((number) => `node-${number}`);
const weighted = fc.tuple(node, fc.integer({ min: 1, max: 4 }));

/** What operators try; most of it is refused. */
const step = fc.oneof(
  fc.record({ does: fc.constant("learn" as const), id: node, keysOf: fc.option(node, { nil: undefined }) }),
  fc.record({ does: fc.constant("leave" as const), id: node }),
  fc.record({
    does: fc.constant("change" as const),
    add: fc.array(weighted, { maxLength: 3 }),
    remove: fc.array(node, { maxLength: 2 }),
    reweight: fc.array(weighted, { maxLength: 2 }),
    stale: fc.boolean(),
  }),
  // By place among those who are there, so that many are taken.
  fc.record({ does: fc.constant("swap" as const), learner: fc.nat(3), member: fc.option(fc.nat(6), { nil: undefined }) }),
  fc.record({ does: fc.constant("join" as const), id: node }),
  fc.record({ does: fc.constant("renew" as const), member: fc.nat(6), keysOf: node, round: fc.nat(2) }),
  fc.record({ does: fc.constant("wait" as const), blocks: fc.integer({ min: 1, max: 3 }) }),
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(kit: MembershipKit, what: Step): void {
  if (what.does === "wait") for (let block = 0; block < what.blocks; block++) kit.apply([]);
  else if (what.does === "learn")
    kit.apply([kit.change(kit.learner(what.id, what.keysOf === undefined ? {} : { keys: memberOf(what.keysOf).keys }))]);
  else if (what.does === "join") kit.apply([kit.change(kit.learner(what.id))]);
  else if (what.does === "swap") {
    const [learners, { members }] = [kit.state.learners(), kit.state.membership()];
    const add = learners.slice(0, 1 + (what.learner % 2)).map(({ id }) => [id, 1] as const);
    const remove = what.member === undefined ? [] : members.slice(what.member, what.member + 1).map(({ id }) => id);
    kit.apply([kit.change(kit.members({ add, remove }))]);
  } else if (what.does === "renew") {
    const present = kit.state.membership().members.slice(what.member, what.member + 1);
    // Mostly its own keys of some round; now and then those of another node.
    const { log, witness } = renewed(what.round === 0 ? memberOf(what.keysOf) : (present[0] ?? memberOf("node-1")), what.round).keys;
    kit.apply([kit.change(kit.members({ renew: present.map((member) => ({ ...member, keys: { ...member.keys, log, witness } })) }))]);
  } else if (what.does === "leave") kit.apply([kit.change(kit.leave(what.id))]);
  else {
    const draft = kit.members(what);
    kit.apply([kit.change(what.stale ? { ...draft, epoch: draft.epoch + 1 } : draft)]);
  }
}

describe("state: members, over random sequences of changes", () => {
  const history = fc.array(step, { minLength: 20, maxLength: 50, size: "max" });

  it("keeps epochs in steps of one, memberships within the rules, and ids and keys with their first owner", () => {
    let begun = 0;
    fc.assert(
      fc.property(history, (steps) => {
        const kit = new MembershipKit();
        const ownerOfKey = new Map<string, string>();
        const gone = new Set<string>();
        let before = kit.state.membership();
        for (const what of steps) {
          perform(kit, what);
          const { state } = kit;
          const membership = state.membership();
          expect(membership.epoch - before.epoch).to.be.oneOf([0, 1]);
          if (membership.epoch === before.epoch) expect(membership).to.equal(before);
          else begun += 1;
          const pending = state.pendingChange();
          for (const next of [membership, ...(pending === undefined ? [] : [pending.next])]) {
            checkMembership(next, kit.genesis);
            for (const { weight } of next.members) expect(3 * weight).to.be.lessThan(totalWeight(next));
          }
          if (pending !== undefined)
            expect([pending.next.epoch, pending.lastHeight > state.height]).to.deep.equal([membership.epoch + 1, true]);
          const nodes = [...membership.members, ...(pending?.next.members ?? []), ...state.nodeRecords().map(({ member }) => member)];
          for (const { id, keys } of nodes) {
            for (const key of Object.values(keys)) {
              if ((ownerOfKey.get(key) ?? id) !== id) expect.fail(`a key of ${id} was another's`);
              ownerOfKey.set(key, id);
            }
          }
          for (const { member, standing } of state.nodeRecords()) {
            if (standing === "retired") gone.add(member.id);
            else expect(gone.has(member.id)).to.equal(false);
          }
          for (const { id } of [...(pending?.next.members ?? []), ...state.learners()]) expect(gone.has(id)).to.equal(false);
          before = membership;
        }
      }),
      { numRuns: 60 },
    );
    expect(begun, "epochs begun in all runs").to.be.greaterThan(10);
  }).timeout(10_000);

  it("comes to the same on every replica, and after a restart at any height", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const kit = new MembershipKit();
        for (const what of steps) perform(kit, what);
        const other = LedgerState.fromGenesis(kit.options());
        for (const [at, block] of kit.blocks.entries()) expect(other.apply(block)).to.deep.equal(kit.applied[at]);
        expect(other.stateRoot()).to.equal(kit.state.stateRoot());
        const restored = LedgerState.restore({ ...kit.options(), hasher }, [...kit.stored()].reverse());
        expect(restored.pendingChange()).to.deep.equal(kit.state.pendingChange());
        expect(restored.stateRoot()).to.equal(kit.state.stateRoot());
        const next = kit.block([kit.change(kit.learner("node-7"))]);
        expect(restored.apply(next)).to.deep.equal(kit.state.apply(next));
      }),
      { numRuns: 30 },
    );
  }).timeout(10_000);
});
