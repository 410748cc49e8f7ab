import { concatBytes, equalBytes } from "./bytes.ts";
import type { Hasher } from "./hasher.ts";

const HASH_BYTES = 32;

// What is hashed is put together in the same place each time: a new array for each hash would cost as much as the hash.
let leaf = new Uint8Array(4_096);
const node = new Uint8Array(1 + 2 * HASH_BYTES).fill(1, 0, 1);

/** Leaf hash of RFC 6962: SHA-256(0x00 ‖ data). */
export function hashLeaf(hasher: Hasher, data: Uint8Array): Uint8Array {
  if (data.length >= leaf.length) leaf = new Uint8Array(2 * data.length);
  leaf.set(data, 1);
  return hasher.sha256(leaf.subarray(0, 1 + data.length));
}

/** Inner node of RFC 6962: SHA-256(0x01 ‖ left ‖ right). */
export function hashNode(hasher: Hasher, left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) return hasher.sha256(concatBytes(Uint8Array.of(1), left, right));
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return hasher.sha256(node);
}

/** The last inner node at a level of the paths that were walked. */
interface WalkedNode {
  hasher: Hasher;
  readonly children: Uint8Array;
  hash: Uint8Array;
}

const walked: WalkedNode[] = [];

/** `hashNode` for a walk along a path: leaves of one tree that come in order share most of what is above them, and hash it once. */
function hashWalked(hasher: Hasher, level: number, left: Uint8Array, right: Uint8Array): Uint8Array {
  const known = walked[level];
  if (known?.hasher === hasher && isChild(known.children, left, 0) && isChild(known.children, right, HASH_BYTES)) return known.hash;
  const hash = hashNode(hasher, left, right);
  const next = known ?? { hasher, children: new Uint8Array(2 * HASH_BYTES), hash };
  next.hasher = hasher;
  next.children.set(left, 0);
  next.children.set(right, HASH_BYTES);
  next.hash = hash;
  walked[level] = next;
  return hash;
}

function isChild(children: Uint8Array, hash: Uint8Array, at: number): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (children[at + i] !== hash[i]) return false;
  return true;
}

/** Root over leaf hashes; of none, SHA-256(""). Source: RFC 9162, section 2.1.1. */
export function merkleRoot(hasher: Hasher, leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return hasher.sha256(new Uint8Array(0));
  return rootOfRange(hasher, leaves, 0, leaves.length);
}

/** Sibling hashes from leaf to root for one of the leaves. Source: RFC 9162, section 2.1.3.1. */
export function merklePath(hasher: Hasher, leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  const path: Uint8Array[] = [];
  let from = 0;
  let to = leaves.length;
  while (to - from > 1) {
    const middle = from + largestPowerOfTwoBelow(to - from);
    if (index < middle) {
      path.push(rootOfRange(hasher, leaves, middle, to));
      to = middle;
    } else {
      path.push(rootOfRange(hasher, leaves, from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

/** The root and every leaf's path at once, each inner node hashed once. */
export function merklePaths(
  hasher: Hasher,
  leaves: readonly Uint8Array[],
): { readonly root: Uint8Array; readonly paths: readonly (readonly Uint8Array[])[] } {
  const paths = leaves.map((): Uint8Array[] => []);
  const build = (from: number, to: number): Uint8Array => {
    const only = leaves[from];
    if (only === undefined) return merkleRoot(hasher, []);
    if (to - from === 1) return only;
    const middle = from + largestPowerOfTwoBelow(to - from);
    const [left, right] = [build(from, middle), build(middle, to)];
    for (let i = from; i < to; i++) paths[i]?.push(i < middle ? right : left);
    return hashNode(hasher, left, right);
  };
  return { root: build(0, leaves.length), paths };
}

/**
 * Root that an inclusion path leads to, or undefined when the path's length does not fit.
 * Source: RFC 9162, section 2.1.3.2. Indices may exceed 32 bits, hence no bit operators.
 */
export function rootFromPath(
  hasher: Hasher,
  claim: { readonly index: number; readonly size: number; readonly leaf: Uint8Array; readonly path: readonly Uint8Array[] },
): Uint8Array | undefined {
  // A size of zero or a fraction would end the walk at once and take the leaf itself for the root; so would NaN.
  if (!Number.isSafeInteger(claim.index) || !Number.isSafeInteger(claim.size)) return undefined;
  if (claim.index < 0 || claim.index >= claim.size || claim.leaf.length !== 32) return undefined;
  let position = claim.index;
  let last = claim.size - 1;
  let hash = claim.leaf;
  let level = 0;
  for (const sibling of claim.path) {
    if (sibling.length !== 32 || last === 0) return undefined;
    if (position % 2 === 1 || position === last) {
      hash = hashWalked(hasher, level, sibling, hash);
      while (position % 2 === 0 && position !== 0) {
        position = Math.floor(position / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = hashWalked(hasher, level, hash, sibling);
    }
    level += 1;
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : undefined;
}

/** True when the path proves the leaf under the root. */
export function verifyInclusion(
  hasher: Hasher,
  claim: {
    readonly index: number;
    readonly size: number;
    readonly leaf: Uint8Array;
    readonly path: readonly Uint8Array[];
    readonly root: Uint8Array;
  },
): boolean {
  const root = rootFromPath(hasher, claim);
  return root !== undefined && equalBytes(root, claim.root);
}

function rootOfRange(hasher: Hasher, leaves: readonly Uint8Array[], from: number, to: number): Uint8Array {
  const first = leaves[from];
  if (first === undefined) throw new RangeError("empty range of leaves");
  if (to - from === 1) return first;
  const middle = from + largestPowerOfTwoBelow(to - from);
  return hashNode(hasher, rootOfRange(hasher, leaves, from, middle), rootOfRange(hasher, leaves, middle, to));
}

/** The largest power of two strictly below n, for n above 1. */
export function largestPowerOfTwoBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}
