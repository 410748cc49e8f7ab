import { equalBytes, type Hasher, hashNode, largestPowerOfTwoBelow, QuorumgateError } from "#base";

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

/** What a consistency proof claims. */
export interface ConsistencyClaim {
  readonly from: { readonly size: number; readonly root: Uint8Array };
  readonly to: { readonly size: number; readonly root: Uint8Array };
  readonly path: readonly Uint8Array[];
}

/** True when the path proves that the smaller tree is a prefix of the larger. Source: RFC 9162, section 2.1.4.2. */
export function verifyConsistency(hasher: Hasher, { from, to, path }: ConsistencyClaim): boolean {
  // Every tree extends the empty one: a proof of that would prove nothing.
  if (from.size < 1 || from.size > to.size || path.some((hash) => hash.length !== 32)) return false;
  if (from.size === to.size) return path.length === 0 && equalBytes(from.root, to.root);
  const hashes = isPowerOfTwo(from.size) ? [from.root, ...path] : path;
  const [seed, ...siblings] = hashes;
  if (seed === undefined) return false;
  return climb(hasher, seed, siblings, { from, to, path });
}

function climb(hasher: Hasher, seed: Uint8Array, siblings: readonly Uint8Array[], { from, to }: ConsistencyClaim): boolean {
  let position = from.size - 1;
  let last = to.size - 1;
  while (position % 2 === 1) [position, last] = [halve(position), halve(last)];
  let oldRoot = seed;
  let newRoot = seed;
  for (const sibling of siblings) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      oldRoot = hashNode(hasher, sibling, oldRoot);
      newRoot = hashNode(hasher, sibling, newRoot);
      while (position % 2 === 0 && position !== 0) [position, last] = [halve(position), halve(last)];
    } else {
      newRoot = hashNode(hasher, newRoot, sibling);
    }
    [position, last] = [halve(position), halve(last)];
  }
  return last === 0 && equalBytes(oldRoot, from.root) && equalBytes(newRoot, to.root);
}

/** Root over the leaves [from, to), where `from` is aligned as the splits of RFC 9162 make it. */
function rangeRoot(tree: SubtreeHashes, from: number, to: number): Uint8Array {
  const count = to - from;
  if (isPowerOfTwo(count)) return tree.subtree(Math.log2(count), from / count);
  const left = largestPowerOfTwoBelow(count);
  return hashNode(tree.hasher, rangeRoot(tree, from, from + left), rangeRoot(tree, from + left, to));
}

/** Sizes may exceed 32 bits, hence no bit operators. */
function isPowerOfTwo(value: number): boolean {
  let power = 1;
  while (power < value) power *= 2;
  return power === value;
}

function halve(value: number): number {
  return Math.floor(value / 2);
}

function checkRange(holds: boolean): void {
  if (!holds) throw new QuorumgateError("AUDIT_RANGE", "the range does not lie within the log");
}
