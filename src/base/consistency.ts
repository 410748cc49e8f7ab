import { equalBytes } from "./bytes.ts";
import type { Hasher } from "./hasher.ts";
import { hashNode } from "./merkle.ts";

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

/** True for 1, 2, 4, … Sizes may exceed 32 bits, hence no bit operators. */
export function isPowerOfTwo(value: number): boolean {
  let power = 1;
  while (power < value) power *= 2;
  return power === value;
}

function halve(value: number): number {
  return Math.floor(value / 2);
}
