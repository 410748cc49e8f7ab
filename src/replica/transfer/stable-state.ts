import { ByteReader, ByteWriter, type Hasher, type KeyValueStore, QuorumgateError, type StateChange, type WriteOperation } from "#base";
import { itemsOf, type LedgerState, type StateItem, StateSnapshot } from "#state";
import { prefixRange, STORE_KEYS } from "../keys.ts";

/** The newest multiple of the checkpoint interval that was applied here. */
export interface StableHeight {
  readonly height: number;
  /** Of its `block.sealed`. */
  readonly seq: number;
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
 * Keeps what is needed to give out the state as it was at the newest multiple of the checkpoint interval: for each key that changed since, the
 * value of then (docs/protocols/state-transfer.md, S2).
 */
export class StableState {
  readonly #store: KeyValueStore;
  readonly #changed: Set<string>;
  #newest: StableHeight | undefined;

  private constructor(store: KeyValueStore, changed: Set<string>, newest: StableHeight | undefined) {
    this.#store = store;
    this.#changed = changed;
    this.#newest = newest;
  }

  /** Errors: STORAGE_CORRUPT and those of the store. */
  static load(store: KeyValueStore, done: (error: Error | undefined, state?: StableState) => void): void {
    const changed = new Set<string>();
    store.scan(
      prefixRange(STORE_KEYS.stablePrefix),
      (key) => changed.add(key.slice(STORE_KEYS.stablePrefix.length)),
      (error) => {
        if (error !== undefined) return done(error);
        try {
          const bytes = store.get(STORE_KEYS.stable);
          return done(undefined, new StableState(store, changed, bytes === undefined ? undefined : decodeStable(bytes)));
        } catch (cause) {
          return done(cause instanceof Error ? cause : new Error(String(cause)));
        }
      },
    );
  }

  /** Undefined before the first multiple. */
  get newest(): StableHeight | undefined {
    return this.#newest;
  }

  /** What goes into the block's batch. The store still gives the values before the block. */
  operationsFor(applied: AppliedChanges): WriteOperation[] {
    if (applied.isStable) return this.moveTo({ height: applied.height, seq: applied.sealSeq });
    if (this.#newest === undefined) return [];
    const operations: WriteOperation[] = [];
    for (const { key } of applied.changes) {
      if (this.#changed.has(key)) continue;
      this.#changed.add(key);
      operations.push({ key: STORE_KEYS.stablePrefix + key, value: encodeBefore(this.#store.get(STORE_KEYS.statePrefix + key)) });
    }
    return operations;
  }

  /** The state is now that of a multiple: what was kept for the last one goes. */
  moveTo(newest: StableHeight): WriteOperation[] {
    const dropped = [...this.#changed].map((key): WriteOperation => ({ key: STORE_KEYS.stablePrefix + key }));
    this.#changed.clear();
    this.#newest = newest;
    return [...dropped, { key: STORE_KEYS.stable, value: encodeStable(newest) }];
  }

  /** The state at `newest`, from the present one. Takes as long as hashing all of it. */
  snapshot(hasher: Hasher, state: LedgerState): StateSnapshot {
    return new StateSnapshot(hasher, this.#items(state));
  }

  *#items(state: LedgerState): IterableIterator<StateItem> {
    for (const item of itemsOf(state)) if (!this.#changed.has(item.key)) yield item;
    for (const key of this.#changed) {
      const bytes = this.#store.get(STORE_KEYS.stablePrefix + key);
      if (bytes === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "a value of the stable state is missing");
      const value = decodeBefore(bytes);
      if (value !== undefined) yield { key, value };
    }
  }
}

/** u8 1 ‖ value, or u8 0 where the key was not there. */
function encodeBefore(value: Uint8Array | undefined): Uint8Array {
  return value === undefined ? Uint8Array.of(0) : new ByteWriter().u8(1).raw(value).finish();
}

function decodeBefore(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === 0 ? undefined : bytes.subarray(1);
}

function encodeStable({ height, seq }: StableHeight): Uint8Array {
  return new ByteWriter().u64(height).u64(seq).finish();
}

function decodeStable(bytes: Uint8Array): StableHeight {
  try {
    const reader = new ByteReader(bytes);
    const stable = { height: reader.u64(), seq: reader.u64() };
    reader.end();
    return stable;
  } catch (cause) {
    throw new QuorumgateError("STORAGE_CORRUPT", "the stable height does not read", { cause });
  }
}
