import { type KeyValueStore, QuorumgateError, type WriteOperation } from "#base";

/**
 * A store that lives and dies with the process, for clusters inside one process. It keeps the contract of the port, durability
 * across restarts excepted; answers come later and in order, as from a disk.
 */
export class MemoryStore implements KeyValueStore {
  readonly #values: Map<string, Uint8Array>;
  /** Ascending keys, made when a scan needs them and dropped when a key comes or goes. */
  #sortedKeys: readonly string[] | undefined;
  #closed = false;

  constructor(values: Iterable<readonly [string, Uint8Array]> = []) {
    this.#values = new Map(values);
  }

  /** A store of its own with the same content, such as the disk of a node at an earlier time. */
  clone(): MemoryStore {
    return new MemoryStore(this.#values);
  }

  get(key: string): Uint8Array | undefined {
    if (this.#closed) throw closedError();
    return this.#values.get(key);
  }

  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    if (this.#closed) {
      setImmediate(done, closedError());
      return;
    }
    for (const { key, value } of operations) this.#apply(key, value);
    setImmediate(done);
  }

  scan(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, value: Uint8Array) => void,
    done: (error?: Error) => void,
  ): void {
    if (this.#closed) {
      setImmediate(done, closedError());
      return;
    }
    // Taken now: the visitor sees the store as of this call, whatever is written before it runs.
    const entries = this.#entries(range);
    setImmediate(() => {
      done(visitAll(entries, visit));
    });
  }

  close(done: (error?: Error) => void): void {
    this.#closed = true;
    setImmediate(done);
  }

  #apply(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) {
      if (this.#values.delete(key)) this.#sortedKeys = undefined;
      return;
    }
    if (!this.#values.has(key)) this.#sortedKeys = undefined;
    // A copy, as on a disk: what the caller does with its bytes later must not change what was stored.
    this.#values.set(key, new Uint8Array(value));
  }

  #entries(range: { readonly from: string; readonly to: string }): readonly (readonly [string, Uint8Array])[] {
    // Keys are ASCII, so that code unit order is byte order.
    this.#sortedKeys ??= [...this.#values.keys()].sort();
    const entries: [string, Uint8Array][] = [];
    for (let at = firstNotBelow(this.#sortedKeys, range.from); at < this.#sortedKeys.length; at++) {
      const key = this.#sortedKeys[at] ?? "";
      const value = this.#values.get(key);
      if (key >= range.to || value === undefined) break;
      entries.push([key, value]);
    }
    return entries;
  }
}

/** A visitor that throws ends the scan with its error, as in the store on disk. */
function visitAll(entries: readonly (readonly [string, Uint8Array])[], visit: (key: string, value: Uint8Array) => void): Error | undefined {
  try {
    for (const [key, value] of entries) visit(key, value);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new QuorumgateError("STORAGE_FAILED", "a scan was given up", { cause: error });
  }
}

function firstNotBelow(keys: readonly string[], from: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function closedError(): QuorumgateError {
  return new QuorumgateError("QUORUM_STOPPED", "the store is closed");
}
