import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import {
  fromBase64,
  portableHasher as hasher,
  hashLeaf,
  hashNode,
  largestPowerOfTwoBelow,
  merklePath,
  merklePaths,
  merkleRoot,
  rootFromPath,
  toHex,
  verifyInclusion,
} from "#base";
import { needVectors, readVectors, vectorFiles } from "../vectors.ts";

interface InclusionCase {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string | null;
  readonly leafHash: string | null;
  readonly proof: readonly string[] | null;
  readonly desc: string;
  readonly wantErr: boolean;
}

const leavesOf = (size: number): readonly Uint8Array[] =>
  Array.from({ length: size }, (_, index) => hashLeaf(hasher, Uint8Array.of(index)));

describe("the Merkle tree", () => {
  it("has the published roots of RFC 6962's reference data", () => {
    const data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const leaves = data.map((hex) => hashLeaf(hasher, Buffer.from(hex, "hex")));
    const roots = Array.from({ length: 9 }, (_, size) => toHex(merkleRoot(hasher, leaves.slice(0, size))));
    expect(roots[0]).to.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(roots[1]).to.equal("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    expect(roots[2]).to.equal("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    expect(roots[8]).to.equal("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
  });

  it("accepts and refuses the inclusion proofs of transparency-dev", function () {
    const folder = join(needVectors(this, "transparency-merkle"), "testdata", "inclusion");
    const files = vectorFiles(folder);
    expect(files.length).to.be.greaterThan(80);
    for (const file of files) {
      const test = readVectors<InclusionCase>(folder, file);
      const claim = {
        index: test.leafIdx,
        size: test.treeSize,
        leaf: fromBase64(test.leafHash ?? ""),
        path: (test.proof ?? []).map(fromBase64),
        root: fromBase64(test.root ?? ""),
      };
      expect(verifyInclusion(hasher, claim), `${file}: ${test.desc}`).to.equal(!test.wantErr);
    }
  });

  it("proves every leaf of every tree to 24, at its own index and size only", () => {
    for (let size = 1; size <= 24; size++) {
      const leaves = leavesOf(size);
      const root = merkleRoot(hasher, leaves);
      for (const [index, leaf] of leaves.entries()) {
        const path = merklePath(hasher, leaves, index);
        const proven = leaves.flatMap((_, other) => (verifyInclusion(hasher, { index: other, size, leaf, path, root }) ? [other] : []));
        expect(proven, `leaf ${index} of ${size}`).to.deep.equal([index]);
      }
    }
  });

  it("gives all paths at once as it gives them one by one", () => {
    for (let size = 0; size <= 33; size++) {
      const leaves = leavesOf(size);
      const { root, paths } = merklePaths(hasher, leaves);
      expect(toHex(root)).to.equal(toHex(merkleRoot(hasher, leaves)));
      expect(paths.map((path) => path.map(toHex))).to.deep.equal(leaves.map((_, index) => merklePath(hasher, leaves, index).map(toHex)));
    }
  });

  it("proves nothing after a change of any bit of leaf, path or root, or of the path's length", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat(), (size, which, bit) => {
        const leaves = leavesOf(size);
        const index = which % size;
        const claim = {
          index,
          size,
          leaf: leaves[index] ?? new Uint8Array(0),
          path: merklePath(hasher, leaves, index),
          root: merkleRoot(hasher, leaves),
        };
        const flip = (hash: Uint8Array): Uint8Array =>
          Uint8Array.from(hash, (byte, at) => (at === (bit >> 3) % 32 ? byte ^ (1 << (bit & 7)) : byte));
        expect(verifyInclusion(hasher, claim)).to.equal(true);
        expect(verifyInclusion(hasher, { ...claim, leaf: flip(claim.leaf) })).to.equal(false);
        expect(verifyInclusion(hasher, { ...claim, root: flip(claim.root) })).to.equal(false);
        expect(
          verifyInclusion(hasher, { ...claim, path: claim.path.map((hash, at) => (at === bit % claim.path.length ? flip(hash) : hash)) }),
        ).to.equal(false);
        expect(verifyInclusion(hasher, { ...claim, path: claim.path.slice(1) })).to.equal(false);
        expect(verifyInclusion(hasher, { ...claim, path: [...claim.path, claim.root] })).to.equal(false);
      }),
    );
  });

  it("finds each tree's own root, whichever tree and whose hashes it walked before", () => {
    const other = { sha256: (bytes: Uint8Array) => hasher.sha256(hasher.sha256(bytes)) };
    const trees = [hasher, other].flatMap((by) =>
      [leavesOf(16), leavesOf(17).slice(1), leavesOf(13)].map((leaves) => ({ by, leaves, root: toHex(merkleRoot(by, leaves)) })),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...trees), fc.nat(12)), { maxLength: 40 }), (walks) => {
        for (const [{ by, leaves, root }, index] of walks) {
          const leaf = Uint8Array.from(leaves[index] ?? []);
          const path = merklePath(by, leaves, index).map((hash) => Uint8Array.from(hash));
          expect(toHex(rootFromPath(by, { index, size: leaves.length, leaf, path }) ?? leaf)).to.equal(root);
          // What was walked is remembered by its bytes, and not by arrays that may change.
          for (const hash of [leaf, ...path]) hash.fill(0);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("answers nothing for numbers that are no index or size, and hashes that are none", () => {
    const [leaf = new Uint8Array(0)] = leavesOf(1);
    for (const [index, size] of [
      [-1, 1],
      [1, 1],
      [0, 0],
      [0.5, 1],
      [Number.NaN, 1],
      [0, Number.NaN],
      [0, 1.5],
      [0, Number.POSITIVE_INFINITY],
    ] as const) {
      expect(rootFromPath(hasher, { index, size, leaf, path: [] }), `${index} of ${size}`).to.equal(undefined);
    }
    expect(rootFromPath(hasher, { index: 0, size: 1, leaf: new Uint8Array(0), path: [] })).to.equal(undefined);
    expect(rootFromPath(hasher, { index: 0, size: 2, leaf, path: [new Uint8Array(31)] })).to.equal(undefined);
  });

  it("is right for indices beyond 32 bits", () => {
    const size = 2 ** 40 + 1;
    const [leaf = new Uint8Array(0), sibling = new Uint8Array(0)] = leavesOf(2);
    const root = hashNode(hasher, sibling, leaf);
    expect(verifyInclusion(hasher, { index: 2 ** 40, size, leaf, path: [sibling], root })).to.equal(true);
    expect(verifyInclusion(hasher, { index: 2 ** 40 - 1, size, leaf, path: [sibling], root })).to.equal(false);
  });

  it("splits at the largest power of two below n", () => {
    expect([2, 3, 4, 5, 8, 9, 2 ** 40 + 1].map(largestPowerOfTwoBelow)).to.deep.equal([1, 2, 2, 4, 4, 8, 2 ** 40]);
  });
});
