import { ByteReader, ByteWriter, type KeyValueStore, type WriteOperation } from "#base";
import { STORE_KEYS } from "../keys.ts";
import type { GuardAnchor } from "../types.ts";

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
  return anchored !== undefined && stored !== undefined && decodeCount(stored) >= decodeCount(anchored);
}

/** Votes counted so far, by whichever of the two counted more. */
export function votesCounted({ store, anchor }: GuardPorts): number {
  const anchored = anchor.read();
  const stored = store.get(STORE_KEYS.votes);
  return Math.max(anchored === undefined ? 0 : decodeCount(anchored), stored === undefined ? 0 : decodeCount(stored));
}

/** The write that counts votes in the store. */
export function countOperation(count: number): WriteOperation {
  return { key: STORE_KEYS.votes, value: encodeCount(count) };
}

/** The count as it stands in store and anchor: u64. */
export function encodeCount(count: number): Uint8Array {
  return new ByteWriter().u64(count).finish();
}

/**
 * Marks an empty data folder as that of a new node. Only what creates a node calls this: a node started without it has lost its disk
 * and rejoins by the vote guard's rule.
 */
export function initializeGuard({ store, anchor }: GuardPorts, done: (error?: Error) => void): void {
  store.write([countOperation(0)], (error) => {
    if (error !== undefined) done(error);
    else anchor.write(encodeCount(0), done);
  });
}

function decodeCount(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  const count = reader.u64();
  reader.end();
  return count;
}
