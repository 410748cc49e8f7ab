import { LIMITS, type WriteOperation } from "#base";
import { sealedValue, sealValue } from "./stored-value.ts";

/** One operation in the form in which it reaches the disk; without `stored` the key is deleted. */
export interface StoredOperation {
  readonly key: string;
  readonly stored: Uint8Array | undefined;
}

/** One call of `write` that is not durable yet. */
export interface PendingWrite {
  readonly operations: readonly StoredOperation[];
  readonly bytes: number;
  readonly done: (error?: Error) => void;
}

interface OverlayEntry {
  readonly stored: Uint8Array | undefined;
  /** The call that wrote it: only its own completion may drop the entry. */
  readonly owner: PendingWrite;
}

/**
 * Writes on their way to the disk: calls wait in order while one batch is being synced, and the next batch takes as many of
 * them as fit (group commit), each of them whole. Readers see pending values through the overlay.
 *
 * Source: group commit as in DeWitt et al. 1984, "Implementation techniques for main memory database systems", section 5.2.
 */
export class PendingWrites {
  readonly #overlay = new Map<string, OverlayEntry>();
  #waiting: PendingWrite[] = [];

  add(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    // Sealing copies: what the caller does with its bytes while they wait must not change what is stored.
    const sealed = operations.map(({ key, value }) => ({ key, stored: value === undefined ? undefined : sealValue(key, value) }));
    const bytes = sealed.reduce((sum, { key, stored }) => sum + key.length + (stored?.length ?? 0), 0);
    const write: PendingWrite = { operations: sealed, bytes, done };
    for (const { key, stored } of sealed) this.#overlay.set(key, { stored, owner: write });
    this.#waiting.push(write);
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** The next batch: at least one call, further ones while they fit. */
  takeBatch(): readonly PendingWrite[] {
    let bytes = 0;
    let count = 0;
    for (const write of this.#waiting) {
      bytes += write.bytes;
      if (count > 0 && bytes > LIMITS.storageBatchBytesMax) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Forgets the overlay of a batch that is durable, but for keys that were written again since. */
  complete(batch: readonly PendingWrite[]): void {
    for (const write of batch) {
      for (const { key } of write.operations) {
        if (this.#overlay.get(key)?.owner === write) this.#overlay.delete(key);
      }
    }
  }

  /** Gives up everything that waits, for a store that failed. */
  abandon(): readonly PendingWrite[] {
    this.#overlay.clear();
    return this.#waiting.splice(0);
  }

  /** What is pending for a key; `undefined` when nothing is. */
  lookup(key: string): { readonly value: Uint8Array | undefined } | undefined {
    const entry = this.#overlay.get(key);
    return entry === undefined ? undefined : { value: pendingValue(entry) };
  }

  /** Pending values of keys in [from, to), ascending. */
  range(from: string, to: string): readonly (readonly [string, Uint8Array | undefined])[] {
    const found: [string, Uint8Array | undefined][] = [];
    for (const [key, entry] of this.#overlay) if (key >= from && key < to) found.push([key, pendingValue(entry)]);
    return found.sort(([left], [right]) => (left < right ? -1 : 1));
  }
}

function pendingValue(entry: OverlayEntry): Uint8Array | undefined {
  return entry.stored === undefined ? undefined : sealedValue(entry.stored);
}
