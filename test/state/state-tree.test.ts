import { expect } from "chai";
import fc from "fast-check";
import { concatBytes, encodeUtf8, type StateChange, toHash, ZERO_HASH } from "#base";
import { StateTree } from "#state";
import { hasher } from "./ledger-kit.ts";

interface Item {
  readonly path: string;
  readonly leaf: Uint8Array;
}

/** The definition of the root, by recursion over the whole set: as little like the tree as can be. */
function rootFromScratch(rows: ReadonlyMap<string, Uint8Array>): string {
  const items = [...rows].map(([key, value]): Item => {
    const keyHash = hasher.sha256(encodeUtf8(key));
    return { path: toHash(keyHash), leaf: hasher.sha256(concatBytes(Uint8Array.of(0), keyHash, value)) };
  });
  return items.length === 0 ? ZERO_HASH : toHash(hashOf(items, 0));
}

function hashOf(items: readonly Item[], depth: number): Uint8Array {
  const [only] = items;
  if (items.length === 1 && only !== undefined) return only.leaf;
  const children = "0123456789abcdef".split("").map((nibble) => items.filter(({ path }) => path[depth] === nibble));
  const bits = children.reduce((set, child, nibble) => (child.length > 0 ? set | (1 << nibble) : set), 0);
  const hashes = children.filter((child) => child.length > 0).map((child) => hashOf(child, depth + 1));
  return hasher.sha256(concatBytes(Uint8Array.of(1, bits >> 8, bits & 255), ...hashes));
}

const change = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.option(fc.uint8Array({ maxLength: 8 }), { nil: undefined, freq: 2 }));

function changeOf(key: string, value: Uint8Array | undefined): StateChange {
  return value === undefined ? { key } : { key, value };
}

describe("state: the state tree", () => {
  it("has the root that its definition gives, whatever was set, changed and deleted before", () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 20 }), { maxLength: 10 }), (blocks) => {
        const tree = new StateTree(hasher);
        const rows = new Map<string, Uint8Array>();
        for (const block of blocks) {
          for (const [number, value] of block) {
            const key = `bucket/${number}`;
            tree.apply(changeOf(key, value));
            if (value === undefined) rows.delete(key);
            else rows.set(key, value);
          }
          tree.settle();
          expect(tree.root()).to.equal(rootFromScratch(rows));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("keeps its root over thousands of keys, and is empty again when all are gone", () => {
    const tree = new StateTree(hasher);
    const rows = new Map<string, Uint8Array>();
    for (let number = 0; number < 3_000; number++) {
      const value = encodeUtf8(`value ${number}`);
      rows.set(`bucket/${number}`, value);
      tree.apply({ key: `bucket/${number}`, value });
      if (number % 100 === 0) tree.settle();
    }
    expect(tree.root()).to.equal(rootFromScratch(rows));
    for (const key of rows.keys()) tree.apply({ key });
    expect(tree.root()).to.equal(ZERO_HASH);
  });

  it("binds key and value", () => {
    const roots = [
      [["a/1", "x"]],
      [["a/1", "y"]],
      [["a/2", "x"]],
      [
        ["a/1", "x"],
        ["a/2", "x"],
      ],
    ].map((rows) => {
      const tree = new StateTree(hasher);
      for (const [key, value] of rows) tree.apply({ key: key ?? "", value: encodeUtf8(value ?? "") });
      return tree.root();
    });
    expect(new Set(roots).size).to.equal(roots.length);
  });
});
