import { expect } from "chai";
import fc from "fast-check";
import { equalBytes } from "#base";
import { ProvedParts, StateAssembly, type StateItem, type StatePart, StateSnapshot, StateTree } from "#state";
import { expectCode } from "../refusals.ts";
import { hasher } from "./ledger-kit.ts";

const items = fc.uniqueArray(
  fc.record({ key: fc.integer({ min: 0, max: 5_000 }).map((n) => `bucket/${n}`), value: fc.uint8Array({ maxLength: 20 }) }),
  {
    minLength: 1,
    maxLength: 120,
    selector: ({ key }) => key,
  },
);

/** Fetches the whole state; `change` may alter an answer on its way. */
function fetched(
  snapshot: StateSnapshot,
  bytesMax: number,
  change: (part: StatePart, at: number) => StatePart = (part) => part,
): readonly StateItem[] {
  const assembly = new StateAssembly(hasher, snapshot.root);
  for (let at = 0, path = assembly.next; path !== undefined; path = assembly.next, at++) {
    const part = snapshot.part(path, bytesMax);
    if (part === undefined) throw new Error("nothing stands where the hashes say that something does");
    assembly.accept(change(part, at));
  }
  return assembly.items;
}

function byKey(left: StateItem, right: StateItem): number {
  return left.key < right.key ? -1 : 1;
}

/** The same part with one thing about it changed. */
function altered(part: StatePart, choice: number): StatePart {
  if (part.kind === "branch") {
    const at = choice % part.hashes.length;
    if (choice % 3 === 0) return { ...part, present: part.present ^ (1 << (choice % 16)) };
    return { ...part, hashes: part.hashes.map((hash, index) => (index === at ? flipped(hash, choice) : hash)) };
  }
  const at = choice % part.items.length;
  const item = part.items[at];
  if (item === undefined) return part;
  const others = part.items.filter((_, index) => index !== at);
  switch (choice % 4) {
    case 0:
      return { kind: "leaves", items: others };
    case 1:
      return { kind: "leaves", items: [...others, { ...item, key: `${item.key}x` }] };
    case 2:
      return { kind: "leaves", items: [...part.items, item] };
    default:
      return {
        kind: "leaves",
        items: part.items.map((same, index) => (index === at ? { ...same, value: flipped(same.value, choice) } : same)),
      };
  }
}

function flipped(bytes: Uint8Array, choice: number): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(choice % 256);
  return bytes.map((byte, index) => (index === choice % bytes.length ? byte ^ 1 : byte));
}

describe("state: a snapshot", () => {
  it("is fetched whole, in parts of any size, and stands under the root of the same tree", () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 0, max: 400 }), (all, bytesMax) => {
        const snapshot = new StateSnapshot(hasher, all);
        const tree = new StateTree(hasher);
        for (const item of all) tree.apply(item);
        expect(snapshot.root).to.equal(tree.root());
        const sorted = [...fetched(snapshot, bytesMax)].sort(byKey);
        const expected = [...all].sort(byKey);
        expect(sorted.map(({ key }) => key)).to.deep.equal(expected.map(({ key }) => key));
        expect(sorted.every(({ value }, index) => equalBytes(value, expected[index]?.value ?? new Uint8Array(0)))).to.equal(true);
      }),
      { numRuns: 60 },
    );
  });

  it("is given in parts that keep to their size, but for a single key", () => {
    const all = Array.from({ length: 300 }, (_, n) => ({ key: `bucket/${n}`, value: new Uint8Array(n === 7 ? 5_000 : 50) }));
    fetched(new StateSnapshot(hasher, all), 1_000, (part) => {
      if (part.kind === "leaves" && part.items.length > 1)
        expect(part.items.reduce((sum, { key, value }) => sum + key.length + value.length, 0)).to.be.at.most(1_000);
      return part;
    });
  });

  it("is refused at the first part that is not what stands there, and keeps nothing of it", () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 0, max: 400 }), fc.nat(40), fc.nat(10_000), (all, bytesMax, at, choice) => {
        const snapshot = new StateSnapshot(hasher, all);
        const assembly = new StateAssembly(hasher, snapshot.root);
        for (let count = 0, path = assembly.next; path !== undefined; path = assembly.next, count++) {
          const part = snapshot.part(path, bytesMax);
          if (part === undefined) throw new Error("nothing stands there");
          if (count === at) {
            const { size } = assembly;
            expectCode("SYNC_PART_INVALID", () => assembly.accept(altered(part, choice)));
            expect(assembly.size).to.equal(size);
            expect(assembly.next).to.equal(path);
          }
          assembly.accept(part);
        }
        expect(assembly.items).to.have.length(all.length);
      }),
      { numRuns: 120 },
    );
  });

  it("looks at no value to say that a path has too much below it: who asks again and again costs little", () => {
    let looks = 0;
    class Watched extends Uint8Array {
      override get length(): number {
        looks += 1;
        return super.length;
      }
    }
    const snapshot = new StateSnapshot(
      hasher,
      Array.from({ length: 500 }, (_, at) => ({ key: `key/${at}`, value: new Watched(10) })),
    );
    looks = 0;
    expect(snapshot.part(new Uint8Array(0), 1_000)?.kind).to.equal("branch");
    expect(looks).to.equal(0);
  });

  it("takes no part of another path, and no more than was wanted", () => {
    const all = Array.from({ length: 40 }, (_, n) => ({ key: `bucket/${n}`, value: Uint8Array.of(n) }));
    const snapshot = new StateSnapshot(hasher, all);
    const assembly = new StateAssembly(hasher, snapshot.root);
    assembly.accept(snapshot.part(new Uint8Array(0), 0) as StatePart);
    const elsewhere = [...Array(16).keys()]
      .map((nibble) => Uint8Array.of(nibble))
      .find((path) => path.join() !== assembly.next?.join() && snapshot.part(path, 1_000));
    expectCode("SYNC_PART_INVALID", () => assembly.accept(snapshot.part(elsewhere ?? new Uint8Array(0), 1_000) as StatePart));
    expect(snapshot.part(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8), 1_000)).to.equal(undefined);
  });

  it("is put together from parts of earlier attempts too, at this state or another: only what differs is asked for", () => {
    fc.assert(
      fc.property(items, items, fc.integer({ min: 0, max: 400 }), fc.nat(60), (before, changed, bytesMax, upTo) => {
        const proved = new ProvedParts();
        const earlier = new StateSnapshot(hasher, before);
        const attempt = new StateAssembly(hasher, earlier.root, proved);
        for (let at = 0, path = attempt.next; path !== undefined && at < upTo; path = attempt.next, at++)
          attempt.accept(earlier.part(path, bytesMax) as StatePart);
        const known = proved.size;
        const after = [...new Map([...before, ...changed.slice(0, 3)].map((item) => [item.key, item] as const)).values()];
        for (const [all, snapshot] of [
          [before, earlier],
          [after, new StateSnapshot(hasher, after)],
        ] as const) {
          const assembly = new StateAssembly(hasher, snapshot.root, proved);
          let asked = 0;
          for (let path = assembly.next; path !== undefined; path = assembly.next, asked++)
            assembly.accept(snapshot.part(path, bytesMax) as StatePart);
          expect([...assembly.items].sort(byKey)).to.deep.equal([...all].sort(byKey));
          if (snapshot === earlier) expect(asked + known).to.be.at.most(proved.size);
        }
        expect(new StateAssembly(hasher, earlier.root, proved).next).to.equal(undefined);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps no more of earlier attempts than its bound, and of that what was of use last", () => {
    const all = Array.from({ length: 200 }, (_, n) => ({ key: `bucket/${n}`, value: new Uint8Array(300) }));
    const snapshot = new StateSnapshot(hasher, all);
    const proved = new ProvedParts(20_000);
    const assembly = new StateAssembly(hasher, snapshot.root, proved);
    const useful = snapshot.part(new Uint8Array(0), 2_000) as StatePart;
    for (let path = assembly.next; path !== undefined; path = assembly.next) {
      assembly.accept(snapshot.part(path, 2_000) as StatePart);
      expect(proved.get(snapshot.root)).to.deep.equal(useful);
      expect(proved.size).to.be.at.most(60);
    }
    expect(assembly.items).to.have.length(200);
    expect(proved.size).to.be.within(3, 59);
    proved.clear();
    expect(proved.size).to.equal(0);
  });
});
