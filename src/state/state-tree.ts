import { concatBytes, encodeUtf8, equalBytes, type Hash, type Hasher, invariant, LIMITS, type StateChange, toHash, ZERO_HASH } from "#base";

interface Leaf {
  readonly keyHash: Uint8Array;
  readonly hash: Uint8Array;
}

interface Branch {
  readonly children: (Node | undefined)[];
  /** Absent while something below has changed. */
  hash: Uint8Array | undefined;
}

type Node = Leaf | Branch;

/** The hashes below a branch: a bit for each child that is there, the first child's the lowest, and as many hashes in that order. */
export interface BranchHashes {
  readonly present: number;
  readonly hashes: readonly Uint8Array[];
}

/**
 * Radix-16 Merkle tree over H(key): what a joining node checks each part of the state against.
 *
 * A leaf is H(0x00 ‖ H(key) ‖ value) and stands as high as its path is unique; a branch is
 * H(0x01 ‖ u16 bit set of children ‖ their hashes) and exists exactly where two keys or more share the path, so the shape
 * follows from the set of keys and not from the order of changes. Of no keys the root is zeros. The leaf binds the whole
 * H(key), so that it proves one key wherever it stands.
 * A change hashes its key and leaf at once and marks its path; paths are hashed together when the root is asked for, or by
 * `settle` when many wait.
 */
export class StateTree {
  readonly #hasher: Hasher;
  #top: Node | undefined;
  #pending = 0;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  /** Sets or deletes one key. */
  apply(change: StateChange): void {
    const keyHash = stateKeyHash(this.#hasher, change.key);
    if (change.value === undefined) this.#top = remove(this.#top, keyHash, 0);
    else this.#top = put(this.#top, { keyHash, hash: hashStateLeaf(this.#hasher, keyHash, change.value) }, 0);
    this.#pending++;
  }

  /** Hashes waiting paths once there are many, so that no stable checkpoint has to hash those of 128 blocks. */
  settle(): void {
    if (this.#pending >= LIMITS.stateTreePendingMax) this.root();
  }

  /** The root over all keys. */
  root(): Hash {
    this.#pending = 0;
    return this.#top === undefined ? ZERO_HASH : toHash(this.#hashOf(this.#top));
  }

  /** The branch at a path of nibbles; undefined where none stands. */
  branch(path: Uint8Array): BranchHashes | undefined {
    let node = this.#top;
    for (const nibble of path) {
      if (node === undefined || "keyHash" in node) return undefined;
      node = node.children[nibble];
    }
    return node === undefined || "keyHash" in node ? undefined : this.#branchHashes(node);
  }

  #hashOf(node: Node): Uint8Array {
    if ("keyHash" in node) return node.hash;
    node.hash ??= hashBranch(this.#hasher, this.#branchHashes(node));
    return node.hash;
  }

  #branchHashes(node: Branch): BranchHashes {
    const hashes: Uint8Array[] = [];
    let present = 0;
    node.children.forEach((child, nibble) => {
      if (child === undefined) return;
      present |= 1 << nibble;
      hashes.push(this.#hashOf(child));
    });
    return { present, hashes };
  }
}

/** Hash of a branch: H(0x01 ‖ u16 bit set of children ‖ their hashes). */
export function hashBranch(hasher: Hasher, { present, hashes }: BranchHashes): Uint8Array {
  return hasher.sha256(concatBytes(Uint8Array.of(1, present >> 8, present & 0xff), ...hashes));
}

/** Hash of a leaf: H(0x00 ‖ H(key) ‖ value). */
export function hashStateLeaf(hasher: Hasher, keyHash: Uint8Array, value: Uint8Array): Uint8Array {
  return hasher.sha256(concatBytes(Uint8Array.of(0), keyHash, value));
}

/** Where a key stands: H(key). */
export function stateKeyHash(hasher: Hasher, key: string): Uint8Array {
  return hasher.sha256(encodeUtf8(key));
}

/** Nibbles of a path to a key, at most: two for each byte of its hash. */
export const STATE_PATH_MAX = 64;

/** Hash of the node over leaves that share the first `depth` nibbles: at least one leaf, no key twice. */
export function hashSubtree(
  hasher: Hasher,
  depth: number,
  leaves: readonly { readonly keyHash: Uint8Array; readonly value: Uint8Array }[],
): Uint8Array {
  const [first] = leaves;
  invariant(first !== undefined, "a node stands over a leaf");
  if (leaves.length === 1) return hashStateLeaf(hasher, first.keyHash, first.value);
  const children = Array.from({ length: 16 }, (_, nibble) => leaves.filter(({ keyHash }) => nibbleAt(keyHash, depth) === nibble));
  const present = children.reduce((bits, below, nibble) => (below.length > 0 ? bits | (1 << nibble) : bits), 0);
  const hashes = children.flatMap((below) => (below.length > 0 ? [hashSubtree(hasher, depth + 1, below)] : []));
  return hashBranch(hasher, { present, hashes });
}

function put(node: Node | undefined, leaf: Leaf, depth: number): Node {
  if (node === undefined) return leaf;
  if ("keyHash" in node) {
    if (sameKey(node, leaf.keyHash)) return leaf;
    const branch: Branch = { children: new Array<Node | undefined>(16).fill(undefined), hash: undefined };
    branch.children[nibbleAt(node.keyHash, depth)] = node;
    return put(branch, leaf, depth);
  }
  const nibble = nibbleAt(leaf.keyHash, depth);
  node.children[nibble] = put(node.children[nibble], leaf, depth + 1);
  node.hash = undefined;
  return node;
}

function remove(node: Node | undefined, keyHash: Uint8Array, depth: number): Node | undefined {
  if (node === undefined) return undefined;
  if ("keyHash" in node) return sameKey(node, keyHash) ? undefined : node;
  const nibble = nibbleAt(keyHash, depth);
  node.children[nibble] = remove(node.children[nibble], keyHash, depth + 1);
  node.hash = undefined;
  const left = node.children.filter((child) => child !== undefined);
  const [only] = left;
  // A branch over one leaf would depend on what stood here before.
  return left.length === 1 && only !== undefined && "keyHash" in only ? only : node;
}

/** The nibble of a hash at a depth. */
export function nibbleAt(keyHash: Uint8Array, depth: number): number {
  const byte = keyHash[depth >> 1];
  invariant(byte !== undefined, "two keys do not share a whole digest");
  return depth % 2 === 0 ? byte >> 4 : byte & 15;
}

function sameKey(leaf: Leaf, keyHash: Uint8Array): boolean {
  return equalBytes(leaf.keyHash, keyHash);
}
