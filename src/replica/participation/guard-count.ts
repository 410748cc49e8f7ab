import {
  ByteReader,
  ByteWriter,
  concatBytes,
  encodeUtf8,
  equalBytes,
  fromHex,
  type Hash,
  type Hasher,
  type KeyValueStore,
  type NodeId,
  QuorumgateError,
  type WriteOperation,
} from "#base";
import { STORE_KEYS } from "../keys.ts";
import type { GuardAnchor } from "../types.ts";

const COUNT_BYTES = 8;
const OWNER_BYTES = 32;
const NOBODY = new Uint8Array(0);

/** Where a node's memory of its votes stands: in the store, and in the anchor outside the data folder. */
export interface GuardPorts {
  readonly store: KeyValueStore;
  readonly anchor: GuardAnchor;
}

/**
 * True when the data folder remembers every vote that this node ever sent (vote guard, rule G3). Each vote is counted in the store, in the
 * batch that records it, then in the anchor, and only then sent: a folder that was lost, or replaced by an older copy, counts fewer than the
 * anchor, and one that merely crashed never does.
 */
export function isGuardCurrent({ store, anchor }: GuardPorts): boolean {
  const anchored = anchor.read();
  const stored = store.get(STORE_KEYS.votes);
  return anchored !== undefined && stored !== undefined && decodeCount(stored).votes >= decodeCount(anchored).votes;
}

/** What a node counted of its votes before it started. */
export interface GuardCount {
  /** By whichever of store and anchor counted more. */
  readonly votes: number;
  /** By the anchor. */
  readonly anchored: number;
  /** Whose votes: stands beside the count wherever it is written. */
  readonly owner: Uint8Array;
}

/** The name under which a node counts: of no use to another node, or in another cluster. */
export function guardOwner(hasher: Hasher, node: { readonly cluster: Hash; readonly self: NodeId }): Uint8Array {
  return hasher.sha256(concatBytes(encodeUtf8("guard\0"), fromHex(node.cluster), encodeUtf8(node.self)));
}

/**
 * Reads both counts. Folder or anchor of another node count votes that this node did not send, and would make it pass for one that forgot
 * nothing; what nobody voted with yet has no owner. @throws {QuorumgateError} STORAGE_FOREIGN, STORAGE_CORRUPT
 */
export function readGuardCount({ store, anchor }: GuardPorts, owner: Uint8Array): GuardCount {
  const stored = readOwn(store.get(STORE_KEYS.votes), owner, "the data folder");
  const anchored = readOwn(anchor.read(), owner, "the vote guard's anchor");
  return { votes: Math.max(stored, anchored), anchored, owner };
}

function readOwn(bytes: Uint8Array | undefined, owner: Uint8Array, what: string): number {
  if (bytes === undefined) return 0;
  const count = decodeCount(bytes);
  if (count.owner.length > 0 && !equalBytes(count.owner, owner))
    throw new QuorumgateError("STORAGE_FOREIGN", `${what} is of another node, or of another cluster`);
  return count.votes;
}

/** The write that counts votes in the store. */
export function countOperation(votes: number, owner: Uint8Array): WriteOperation {
  return { key: STORE_KEYS.votes, value: encodeCount(votes, owner) };
}

/** The count as it stands in store and anchor: u64 ‖ owner, 32 bytes, absent before the first vote. */
export function encodeCount(votes: number, owner: Uint8Array = NOBODY): Uint8Array {
  return new ByteWriter().u64(votes).raw(owner).finish();
}

/**
 * Marks an empty data folder as that of a new node. Only what creates a node calls this: a node started without it has lost its disk
 * and rejoins by the vote guard's rule.
 */
export function initializeGuard({ store, anchor }: GuardPorts, done: (error?: Error) => void): void {
  store.write([{ key: STORE_KEYS.votes, value: encodeCount(0) }], (error) => {
    if (error !== undefined) done(error);
    else anchor.write(encodeCount(0), done);
  });
}

function decodeCount(bytes: Uint8Array): { readonly votes: number; readonly owner: Uint8Array } {
  if (bytes.length !== COUNT_BYTES && bytes.length !== COUNT_BYTES + OWNER_BYTES)
    throw new QuorumgateError("STORAGE_CORRUPT", "a count of votes does not read");
  return { votes: new ByteReader(bytes.subarray(0, COUNT_BYTES)).u64(), owner: bytes.subarray(COUNT_BYTES) };
}
