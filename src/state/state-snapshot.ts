import { encodeCanonical, equalBytes, fromHex, type Hash, type Hasher, invariant, QuorumgateError, toHash } from "#base";
import { type LedgerOptions, LedgerState } from "./ledger-state.ts";
import { isInTree, STATE_HASH_KEY } from "./meta.ts";
import { ProvedParts } from "./proved-parts.ts";
import type { StateItem, StatePart } from "./state-part.ts";
import { type BranchHashes, hashBranch, hashSubtree, nibbleAt, STATE_PATH_MAX, StateTree, stateKeyHash } from "./state-tree.ts";

/** What a state's tree stands over: every stored key but the state hash (docs/protocols/state-transfer.md, T4). */
export function* itemsOf(state: LedgerState): IterableIterator<StateItem> {
  for (const [key, value] of state.entries()) if (isInTree(key)) yield { key, value };
}

/** The state whose tree has these items (docs/protocols/state-transfer.md, I2). @throws {QuorumgateError} STORAGE_CORRUPT */
export function stateOf(options: LedgerOptions, snapshot: { readonly items: readonly StateItem[]; readonly stateHash: Hash }): LedgerState {
  const items = snapshot.items.map(({ key, value }) => [key, value] as const);
  return LedgerState.restore(options, [...items, [STATE_HASH_KEY, encodeCanonical(snapshot.stateHash)]]);
}

interface Leaf extends StateItem {
  readonly keyHash: Uint8Array;
}

/** The state at a stable checkpoint, as it is given out part by part (docs/protocols/state-transfer.md, T1). */
export class StateSnapshot {
  readonly root: Hash;
  readonly #tree: StateTree;
  /** In ascending H(key). */
  readonly #leaves: readonly Leaf[];
  /** Bytes of keys and values before each leaf, and of all: a few bytes ask about any path, and must not make this node count the state. */
  readonly #bytesBefore: Float64Array;

  /** @param items every key of the tree, in any order */
  constructor(hasher: Hasher, items: Iterable<StateItem>) {
    this.#tree = new StateTree(hasher);
    const leaves: Leaf[] = [];
    for (const item of items) {
      this.#tree.apply(item);
      leaves.push({ ...item, keyHash: stateKeyHash(hasher, item.key) });
    }
    this.#leaves = leaves.sort((left, right) => compare(left.keyHash, right.keyHash));
    this.#bytesBefore = new Float64Array(leaves.length + 1);
    for (const [at, { key, value }] of this.#leaves.entries())
      this.#bytesBefore[at + 1] = (this.#bytesBefore[at] ?? 0) + key.length + value.length;
    this.root = this.#tree.root();
  }

  /** What stands at the path; undefined where nothing does. @param bytesMax more than this is given as a branch, but for a single key */
  part(path: Uint8Array, bytesMax: number): StatePart | undefined {
    const { from, to } = this.#below(path);
    if (from === to) return undefined;
    const bytes = (this.#bytesBefore[to] ?? 0) - (this.#bytesBefore[from] ?? 0);
    if (to - from === 1 || bytes <= bytesMax)
      return { kind: "leaves", items: this.#leaves.slice(from, to).map(({ key, value }) => ({ key, value })) };
    const branch = this.#tree.branch(path);
    invariant(branch !== undefined, "two keys below a path share a branch");
    return { kind: "branch", ...branch };
  }

  /** The leaves below a path, as indices. */
  #below(path: Uint8Array): { readonly from: number; readonly to: number } {
    const from = this.#firstWhere((keyHash) => comparePrefix(keyHash, path) >= 0);
    return { from, to: this.#firstWhere((keyHash) => comparePrefix(keyHash, path) > 0) };
  }

  #firstWhere(holds: (keyHash: Uint8Array) => boolean): number {
    let low = 0;
    let high = this.#leaves.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const leaf = this.#leaves[middle];
      if (leaf !== undefined && holds(leaf.keyHash)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Puts a state together from parts, each of which is checked when it comes (docs/protocols/state-transfer.md, T1 and T2). */
export class StateAssembly {
  readonly #hasher: Hasher;
  /** Paths whose parts are wanted, with the hash of what stands there; the last is asked for next, so that few wait. */
  readonly #wanted: { readonly path: Uint8Array; readonly hash: Uint8Array }[];
  readonly #items: StateItem[] = [];
  readonly #proved: ProvedParts;

  /** @param proved parts of earlier attempts, at this state or others: those that stand in this one too are not asked for; what is proved goes there */
  constructor(hasher: Hasher, root: Hash, proved: ProvedParts = new ProvedParts()) {
    this.#hasher = hasher;
    this.#proved = proved;
    this.#wanted = [{ path: new Uint8Array(0), hash: fromHex(root) }];
    this.#takeProved();
  }

  /** The path to ask for; undefined once everything is here. */
  get next(): Uint8Array | undefined {
    return this.#wanted.at(-1)?.path;
  }

  /** Keys that are here. */
  get size(): number {
    return this.#items.length;
  }

  /** All keys and values, once there is no path to ask for. */
  get items(): readonly StateItem[] {
    invariant(this.#wanted.length === 0, "a state is used when it is whole");
    return this.#items;
  }

  /** Takes the part at `next`. @throws {QuorumgateError} SYNC_PART_INVALID, and nothing of it is kept */
  accept(part: StatePart): void {
    const wanted = this.#wanted.at(-1);
    if (wanted === undefined) throw invalid("nothing is wanted");
    if (part.kind === "leaves") this.#checkLeaves(wanted, part.items);
    else this.#checkBranch(wanted, part);
    this.#proved.add(toHash(wanted.hash), part);
    this.#take(wanted.path, part);
    this.#takeProved();
  }

  /** A hash has one preimage: what was proved against it before is what stands there. */
  #takeProved(): void {
    for (let wanted = this.#wanted.at(-1); wanted !== undefined; wanted = this.#wanted.at(-1)) {
      const part = this.#proved.get(toHash(wanted.hash));
      if (part === undefined) return;
      this.#take(wanted.path, part);
    }
  }

  /** Takes a part that was proved in the place of the path that was asked for last. */
  #take(path: Uint8Array, part: StatePart): void {
    this.#wanted.pop();
    if (part.kind === "leaves") for (const item of part.items) this.#items.push(item);
    else this.#wantChildren(path, part);
  }

  #checkLeaves({ path, hash }: { readonly path: Uint8Array; readonly hash: Uint8Array }, items: readonly StateItem[]): void {
    if (items.length === 0) throw invalid("nothing stands there");
    const leaves = items.map(({ key, value }) => ({ keyHash: stateKeyHash(this.#hasher, key), value }));
    leaves.forEach(({ keyHash }, index) => {
      const before = leaves[index - 1];
      if (before !== undefined && compare(before.keyHash, keyHash) >= 0) throw invalid("its keys are not in order");
      if (comparePrefix(keyHash, path) !== 0) throw invalid("a key stands elsewhere");
    });
    if (!equalBytes(hashSubtree(this.#hasher, path.length, leaves), hash)) throw invalid("its keys and values have another hash");
  }

  #checkBranch({ path, hash }: { readonly path: Uint8Array; readonly hash: Uint8Array }, branch: BranchHashes): void {
    if (path.length >= STATE_PATH_MAX || countOf(branch.present) !== branch.hashes.length) throw invalid("not a branch");
    if (!equalBytes(hashBranch(this.#hasher, branch), hash)) throw invalid("the branch has another hash");
  }

  #wantChildren(path: Uint8Array, branch: BranchHashes): void {
    let at = branch.hashes.length;
    for (let nibble = 15; nibble >= 0; nibble--) {
      const child = (branch.present >> nibble) % 2 === 1 ? branch.hashes[--at] : undefined;
      if (child !== undefined) this.#wanted.push({ path: Uint8Array.of(...path, nibble), hash: child });
    }
  }
}

function countOf(bits: number): number {
  let count = 0;
  for (let rest = bits; rest > 0; rest >>= 1) count += rest % 2;
  return count;
}

function compare(left: Uint8Array, right: Uint8Array): number {
  for (const [index, byte] of left.entries()) {
    const other = right[index] ?? 0;
    if (byte !== other) return byte - other;
  }
  return 0;
}

/** Whether a hash lies before, below or after a path of nibbles. */
function comparePrefix(keyHash: Uint8Array, path: Uint8Array): number {
  for (const [depth, nibble] of path.entries()) {
    const own = nibbleAt(keyHash, depth);
    if (own !== nibble) return own - nibble;
  }
  return 0;
}

function invalid(reason: string): QuorumgateError {
  return new QuorumgateError("SYNC_PART_INVALID", `a part of the state: ${reason}`);
}
