import {
  ByteReader,
  ByteWriter,
  type Hasher,
  invariant,
  type KeyValueStore,
  QuorumgateError,
  type StateChange,
  type WriteOperation,
} from "#base";
import { itemsOf, type LedgerState, type StateItem, StateSnapshot } from "#state";
import { STORE_KEYS } from "../keys.ts";
import type { Salvage } from "../salvage.ts";

const STABLE_BYTES = 16;

/** A multiple of the checkpoint interval that was applied here. */
export interface StableHeight {
  readonly height: number;
  /** Of its `block.sealed`. */
  readonly seq: number;
}

/** A multiple, and the keys that changed since. */
interface Kept extends StableHeight {
  readonly changed: Set<string>;
}

/** A block that was applied, as far as this needs it. */
export interface AppliedChanges {
  readonly height: number;
  readonly isStable: boolean;
  /** Of its `block.sealed`. */
  readonly sealSeq: number;
  /** Keys without the prefix under which the state stands in the store. */
  readonly changes: readonly StateChange[];
}

/**
 * Keeps what is needed to give out the state as it was at the newest certified multiple of the checkpoint interval, and at those after it: for each
 * key that changed since, the value of then (docs/protocols/state-transfer.md, S2).
 */
export class StableState {
  readonly #store: KeyValueStore;
  readonly #salvage: Salvage;
  /** Ascending. */
  readonly #kept: Kept[];

  private constructor(store: KeyValueStore, salvage: Salvage, kept: Kept[]) {
    this.#store = store;
    this.#salvage = salvage;
    this.#kept = kept;
  }

  /** Errors: STORAGE_CORRUPT and those of the store. */
  static load(store: KeyValueStore, salvage: Salvage, done: (error: Error | undefined, state?: StableState) => void): void {
    const keys: string[] = [];
    salvage.scan(
      STORE_KEYS.stablePrefix,
      (key) => keys.push(key),
      (error, damaged) => {
        if (error !== undefined) return done(error);
        try {
          const bytes = store.get(STORE_KEYS.stable);
          const heights = bytes === undefined ? [] : decodeStable(bytes);
          const kept = heights.map((stable) => ({ ...stable, changed: changedSince(stable.height, [...keys, ...damaged]) }));
          return done(undefined, new StableState(store, salvage, kept));
        } catch (cause) {
          return done(cause instanceof Error ? cause : new Error(String(cause)));
        }
      },
    );
  }

  /** The newest multiple that is certified; undefined before the first. */
  stableAt(certifiedHeight: number): StableHeight | undefined {
    return this.#kept.findLast(({ height }) => height <= certifiedHeight);
  }

  /** What goes into the block's batch. The store still gives the values before the block. */
  operationsFor(applied: AppliedChanges): WriteOperation[] {
    const operations: WriteOperation[] = [];
    for (const { key } of applied.changes) {
      const waiting = this.#kept.filter(({ changed }) => !changed.has(key));
      if (waiting.length === 0) continue;
      const value = encodeBefore(this.#store.get(STORE_KEYS.statePrefix + key));
      for (const { height, changed } of waiting) {
        changed.add(key);
        operations.push({ key: STORE_KEYS.beforeOf(height) + key, value });
      }
    }
    if (applied.isStable) {
      this.#kept.push({ height: applied.height, seq: applied.sealSeq, changed: new Set() });
      operations.push(this.#list());
    }
    return operations;
  }

  /** What was kept for multiples below the newest certified one goes: one that is not certified may never be while somebody lacks the one below. */
  drop(certifiedHeight: number): WriteOperation[] {
    const newest = this.#kept.findLastIndex(({ height }) => height <= certifiedHeight);
    if (newest <= 0) return [];
    const dropped = forgotten(this.#kept.splice(0, newest));
    return [...dropped, this.#list()];
  }

  /** The state is now that of a certified multiple: whatever was kept for others goes. */
  moveTo(stable: StableHeight): WriteOperation[] {
    const dropped = forgotten(this.#kept.splice(0, this.#kept.length, { ...stable, changed: new Set() }));
    return [...dropped, this.#list()];
  }

  /** The state at a multiple, from the present one; another one where the disk lost values of then. Takes as long as hashing all of it. */
  snapshot(height: number, state: LedgerState, hasher: Hasher): StateSnapshot {
    const kept = this.#kept.find((stable) => stable.height === height);
    invariant(kept !== undefined, "only a kept height is given out");
    return new StateSnapshot(hasher, this.#items(kept, state));
  }

  *#items({ height, changed }: Kept, state: LedgerState): IterableIterator<StateItem> {
    for (const item of itemsOf(state)) if (!changed.has(item.key)) yield item;
    for (const key of changed) {
      const bytes = this.#salvage.get(STORE_KEYS.beforeOf(height) + key);
      const value = bytes === undefined ? undefined : decodeBefore(bytes);
      if (value !== undefined) yield { key, value };
    }
  }

  #list(): WriteOperation {
    return { key: STORE_KEYS.stable, value: encodeStable(this.#kept) };
  }
}

function forgotten(kept: readonly Kept[]): WriteOperation[] {
  return kept.flatMap(({ height, changed }) => [...changed].map((key) => ({ key: STORE_KEYS.beforeOf(height) + key })));
}

function changedSince(height: number, keys: readonly string[]): Set<string> {
  const prefix = STORE_KEYS.beforeOf(height);
  return new Set(keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)));
}

/** u8 1 ‖ value, or u8 0 where the key was not there. */
function encodeBefore(value: Uint8Array | undefined): Uint8Array {
  return value === undefined ? Uint8Array.of(0) : new ByteWriter().u8(1).raw(value).finish();
}

function decodeBefore(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === 0 ? undefined : bytes.subarray(1);
}

/** u64 height ‖ u64 seq for each. */
function encodeStable(kept: readonly StableHeight[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { height, seq } of kept) writer.u64(height).u64(seq);
  return writer.finish();
}

function decodeStable(bytes: Uint8Array): StableHeight[] {
  try {
    const reader = new ByteReader(bytes);
    const stable = Array.from({ length: bytes.length / STABLE_BYTES }, () => ({ height: reader.u64(), seq: reader.u64() }));
    reader.end();
    return stable;
  } catch (cause) {
    throw new QuorumgateError("STORAGE_CORRUPT", "the list of stable heights does not read", { cause });
  }
}
