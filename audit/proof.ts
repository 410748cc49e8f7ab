import { type Hasher, hashNode, isPowerOfTwo, largestPowerOfTwoBelow, QuorumgateError } from "#base";

export { type ConsistencyClaim, verifyConsistency } from "#base";

/** Where proofs get hashes of complete subtrees from. */
export interface SubtreeHashes {
  readonly hasher: Hasher;
  /** Root of the subtree over the leaves [index · 2^height, (index + 1) · 2^height). */
  subtree(height: number, index: number): Uint8Array;
}

/** Root over the first `size` leaves; of none, SHA-256(""). Source: RFC 9162, section 2.1.1. */
export function treeRoot(tree: SubtreeHashes, size: number): Uint8Array {
  return size === 0 ? tree.hasher.sha256(new Uint8Array(0)) : rangeRoot(tree, 0, size);
}

/** Sibling hashes from leaf to root. Source: RFC 9162, section 2.1.3.1. @throws {QuorumgateError} AUDIT_RANGE */
export function inclusionPath(tree: SubtreeHashes, place: { readonly index: number; readonly size: number }): Uint8Array[] {
  checkRange(place.index >= 0 && place.index < place.size);
  const path: Uint8Array[] = [];
  let from = 0;
  let to = place.size;
  while (to - from > 1) {
    const middle = from + largestPowerOfTwoBelow(to - from);
    if (place.index < middle) {
      path.push(rangeRoot(tree, middle, to));
      to = middle;
    } else {
      path.push(rangeRoot(tree, from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

/**
 * Proof that the tree of `from` leaves, at least one, is a prefix of the tree of `to`. Empty where both are equal.
 * Source: RFC 9162, section 2.1.4.1. @throws {QuorumgateError} AUDIT_RANGE
 */
export function consistencyPath(tree: SubtreeHashes, sizes: { readonly from: number; readonly to: number }): Uint8Array[] {
  checkRange(sizes.from > 0 && sizes.from <= sizes.to);
  if (sizes.from === sizes.to) return [];
  const path: Uint8Array[] = [];
  let from = 0;
  let to = sizes.to;
  while (to !== sizes.from) {
    const middle = from + largestPowerOfTwoBelow(to - from);
    if (sizes.from <= middle) {
      path.push(rangeRoot(tree, middle, to));
      to = middle;
    } else {
      path.push(rangeRoot(tree, from, middle));
      from = middle;
    }
  }
  // When nothing was split off to the left, the verifier holds this hash already: it is the old root.
  if (from !== 0) path.push(rangeRoot(tree, from, to));
  return path.reverse();
}

/** Root over the leaves [from, to), where `from` is aligned as the splits of RFC 9162 make it. */
function rangeRoot(tree: SubtreeHashes, from: number, to: number): Uint8Array {
  const count = to - from;
  if (isPowerOfTwo(count)) return tree.subtree(Math.log2(count), from / count);
  const left = largestPowerOfTwoBelow(count);
  return hashNode(tree.hasher, rangeRoot(tree, from, from + left), rangeRoot(tree, from + left, to));
}

function checkRange(holds: boolean): void {
  if (!holds) throw new QuorumgateError("AUDIT_RANGE", "the range does not lie within the log");
}
