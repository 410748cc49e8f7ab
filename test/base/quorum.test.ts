import { expect } from "chai";
import fc from "fast-check";
import { holdsOneHonest, isByzantineQuorum, isMajority, isQuorum, LIMITS, tolerableWeight } from "#base";

/** Weights of members and two sets of them. */
const sets = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.boolean(), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 12 })
  .map((members) => {
    const weigh = (choose: (left: boolean, right: boolean, faulty: boolean) => boolean): number =>
      members.reduce((sum, [weight, left, right, faulty]) => sum + (choose(left, right, faulty) ? weight : 0), 0);
    return { weigh, total: weigh(() => true) };
  });

describe("quorums by weight", () => {
  it("of Byzantine kind share more weight than may be faulty", () => {
    fc.assert(
      fc.property(sets, ({ weigh, total }) => {
        fc.pre(
          isByzantineQuorum(
            weigh((left) => left),
            total,
          ) &&
            isByzantineQuorum(
              weigh((_, right) => right),
              total,
            ),
        );
        expect(weigh((left, right) => left && right)).to.be.greaterThan(tolerableWeight(total));
      }),
      { numRuns: 500 },
    );
  });

  it("are left when as much as is tolerable fails, and no more than that is promised", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LIMITS.totalWeightMax }), (total) => {
        const tolerable = tolerableWeight(total);
        expect(tolerable).to.be.at.least(0);
        expect(isByzantineQuorum(total - tolerable, total)).to.equal(true);
        expect(isByzantineQuorum(total - tolerable - 1, total)).to.equal(false);
        expect(3 * tolerable).to.be.lessThan(total);
      }),
    );
  });

  it("hold an honest member whenever the faulty weigh less than a third", () => {
    fc.assert(
      fc.property(sets, ({ weigh, total }) => {
        fc.pre(weigh((_l, _r, faulty) => faulty) <= tolerableWeight(total));
        fc.pre(
          holdsOneHonest(
            weigh((left) => left),
            total,
          ),
        );
        expect(weigh((left, _, faulty) => left && !faulty)).to.be.greaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  it("of crash kind share a member", () => {
    fc.assert(
      fc.property(sets, ({ weigh, total }) => {
        fc.pre(
          isMajority(
            weigh((left) => left),
            total,
          ) &&
            isMajority(
              weigh((_, right) => right),
              total,
            ),
        );
        expect(weigh((left, right) => left && right)).to.be.greaterThan(0);
      }),
    );
  });

  it("are the known numbers for equal weights, and not 2f + 1 of every n", () => {
    const least = (total: number): number =>
      Array.from({ length: total + 1 }, (_, weight) => weight).find((weight) => isQuorum(weight, total, "byzantine")) ?? -1;
    expect([1, 2, 3, 4, 5, 6, 7, 10].map(least)).to.deep.equal([1, 2, 3, 3, 4, 5, 5, 7]);
    expect([3, 4, 5].map((total) => isQuorum(2, total, "crash"))).to.deep.equal([true, false, false]);
    expect([1, 3, 4, 6, 7, 10].map((total) => tolerableWeight(total))).to.deep.equal([0, 0, 1, 1, 2, 3]);
  });
});
