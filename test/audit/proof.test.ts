import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { consistencyPath, GrowingTree, inclusionPath, rowLength, treeRoot, verifyConsistency } from "#audit";
import { equalBytes, fromBase64, hashLeaf, hashNode, merklePath, merkleRoot, portableHasher, u64be, verifyInclusion } from "#base";
import { expectCode } from "../refusals.ts";
import { needVectors, readVectors, vectorFiles } from "../vectors.ts";
import { hasher, Ledger } from "./log-kit.ts";

interface ConsistencyCase {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly desc: string;
  readonly wantErr: boolean;
}

const SIZE = 1_400;
const leaves = Array.from({ length: SIZE }, (_, index) => hashLeaf(hasher, u64be(index)));

describe("proofs over the growing tree", () => {
  it("agrees with every consistency case of transparency-dev", function () {
    const folder = join(needVectors(this, "transparency-merkle"), "testdata", "consistency");
    const files = vectorFiles(folder);
    expect(files.length).to.be.greaterThan(80);
    for (const file of files) {
      const test = readVectors<ConsistencyCase>(folder, file);
      const claim = {
        from: { size: test.size1, root: fromBase64(test.root1) },
        to: { size: test.size2, root: fromBase64(test.root2) },
        path: (test.proof ?? []).map(fromBase64),
      };
      expect(verifyConsistency(portableHasher, claim), `${file}: ${test.desc}`).to.equal(!test.wantErr);
    }
  });

  it("gives the roots of RFC 9162 while it grows", () => {
    const tree = new GrowingTree(hasher);
    for (const [index, leaf] of leaves.entries()) {
      if (index < 300 || index % 97 === 0) expect(equalBytes(tree.root(), merkleRoot(hasher, leaves.slice(0, index)))).to.equal(true);
      tree.append(leaf, () => {});
    }
    expect(equalBytes(tree.root(), merkleRoot(hasher, leaves))).to.equal(true);
  });

  it("proves inclusion at any size as the naive computation does", () => {
    const ledger = new Ledger().grow(SIZE, 60);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: SIZE }), fc.nat(), (size, pick) => {
        const index = pick % size;
        const proof = ledger.log.inclusionProof({ index, size }, ledger.read);
        const known = ledger.leaves.slice(0, size);
        expect(proof.map((hash) => [...hash])).to.deep.equal(merklePath(hasher, known, index).map((hash) => [...hash]));
        const claim = { index, size, leaf: ledger.leaves[index] ?? new Uint8Array(0), path: proof, root: merkleRoot(hasher, known) };
        expect(verifyInclusion(hasher, claim)).to.equal(true);
      }),
      { numRuns: 100 },
    );
  });

  it("proves consistency between any two sizes, and nothing else with the same path", () => {
    const ledger = new Ledger().grow(SIZE, 60);
    const rootAt = (size: number): Uint8Array => merkleRoot(hasher, ledger.leaves.slice(0, size));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: SIZE }), fc.integer({ min: 1, max: SIZE }), fc.nat(), (left, right, pick) => {
        const [from, to] = [Math.min(left, right), Math.max(left, right)];
        const path = ledger.log.consistencyProof({ from, to }, ledger.read);
        const claim = { from: { size: from, root: rootAt(from) }, to: { size: to, root: rootAt(to) }, path };
        expect(verifyConsistency(hasher, claim)).to.equal(true);
        if (from === to) return;
        expect(verifyConsistency(hasher, { ...claim, from: { size: from, root: rootAt(to) } })).to.equal(false);
        expect(verifyConsistency(hasher, { ...claim, to: { size: to, root: rootAt(from) } })).to.equal(false);
        expect(verifyConsistency(hasher, { ...claim, path: [...path, rootAt(1)] })).to.equal(false);
        const altered = path.map((hash, at) => (at === pick % path.length ? rootAt(3) : hash));
        expect(verifyConsistency(hasher, { ...claim, path: altered })).to.equal(false);
      }),
      { numRuns: 60 },
    );
  });

  it("reaches beyond 32 bits", () => {
    const leaf = hasher.sha256(new Uint8Array(1));
    // All leaves alike: a subtree depends on its height only.
    const byHeight = [leaf];
    for (let height = 0; height < 41; height++) byHeight.push(hashNode(hasher, byHeight[height] ?? leaf, byHeight[height] ?? leaf));
    const tree = { hasher, subtree: (height: number) => byHeight[height] ?? leaf };
    const size = 2 ** 40 + 5;
    const index = 2 ** 40 + 3;
    const path = inclusionPath(tree, { index, size });
    expect(verifyInclusion(hasher, { index, size, leaf, path, root: treeRoot(tree, size) })).to.equal(true);
    expect(rowLength(size, 1)).to.equal(2 ** 32);
  });

  it("refuses ranges that the log has not reached", () => {
    const ledger = new Ledger().grow(20);
    const { size } = ledger.log.point;
    expectCode("AUDIT_RANGE", () => ledger.log.inclusionProof({ index: size, size }, ledger.read));
    expectCode("AUDIT_RANGE", () => ledger.log.inclusionProof({ index: 0, size: size + 1 }, ledger.read));
    expectCode("AUDIT_RANGE", () => ledger.log.inclusionProof({ index: -1, size }, ledger.read));
    expectCode("AUDIT_RANGE", () => ledger.log.consistencyProof({ from: 5, to: size + 1 }, ledger.read));
    expectCode("AUDIT_RANGE", () => ledger.log.consistencyProof({ from: 6, to: 5 }, ledger.read));
    expectCode("AUDIT_RANGE", () => consistencyPath({ hasher, subtree: () => new Uint8Array(32) }, { from: 0, to: 5 }));
    expectCode("AUDIT_RANGE", () => ledger.log.inclusionProof({ shard: "1999h1", index: 0, size: 1 }, ledger.read));
  });
});
