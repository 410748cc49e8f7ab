import { type CanonicalValue, encodeCanonical, invariant, parseCanonical, type StateChange } from "#base";

/** How one kind of record is written and read again. `key` is the part after `<bucket>/`. */
export interface Codec<T> {
  readonly bucket: string;
  write(record: T): CanonicalValue;
  read(key: string, value: CanonicalValue): T;
}

/** Told of every record that is added, replaced or removed, so that indexes follow the rows. */
export type RowObserver<T> = (row: { readonly before: T | undefined; readonly after: T | undefined }) => void;

/**
 * Records of one kind by key. Writes wait in an overlay until the command that made them is applied, and are dropped with a
 * refused one. Rows are kept decoded: a record is encoded once per block that changed it, and never decoded again.
 */
export class Bucket<T> {
  readonly #codec: Codec<T>;
  readonly #observe: RowObserver<T>;
  readonly #rows = new Map<string, T>();
  readonly #overlay = new Map<string, T | undefined>();
  readonly #changed = new Set<string>();

  constructor(codec: Codec<T>, observe: RowObserver<T> = () => undefined) {
    this.#codec = codec;
    this.#observe = observe;
  }

  get name(): string {
    return this.#codec.bucket;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** The record as the running command sees it. */
  get(key: string): T | undefined {
    return this.#overlay.size > 0 && this.#overlay.has(key) ? this.#overlay.get(key) : this.#rows.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#rows.keys();
  }

  put(key: string, record: T): void {
    this.#overlay.set(key, record);
  }

  delete(key: string): void {
    this.#overlay.set(key, undefined);
  }

  /** Makes the overlay's writes part of the block. */
  commit(): void {
    if (this.#overlay.size === 0) return;
    for (const [key, after] of this.#overlay) {
      const before = this.#rows.get(key);
      if (after === undefined) this.#rows.delete(key);
      else this.#rows.set(key, after);
      this.#changed.add(key);
      this.#observe({ before, after });
    }
    this.#overlay.clear();
  }

  /** Forgets the overlay's writes. */
  drop(): void {
    this.#overlay.clear();
  }

  /** What the block wrote so far, in no particular order; starts the next block. */
  takeChanges(): StateChange[] {
    invariant(this.#overlay.size === 0, "a block is sealed between commands");
    const changes: StateChange[] = [];
    for (const key of this.#changed) {
      const record = this.#rows.get(key);
      const stored = `${this.#codec.bucket}/${key}`;
      changes.push(record === undefined ? { key: stored } : { key: stored, value: encodeCanonical(this.#codec.write(record)) });
    }
    this.#changed.clear();
    return changes;
  }

  /** Takes a stored record. @throws {QuorumgateError} format errors */
  load(key: string, bytes: Uint8Array): void {
    const record = this.#codec.read(key, parseCanonical(bytes));
    invariant(!this.#rows.has(key), "a key is loaded once");
    this.#rows.set(key, record);
    this.#observe({ before: undefined, after: record });
  }

  /** Every stored key with its canonical bytes. */
  *entries(): IterableIterator<readonly [string, Uint8Array]> {
    for (const [key, record] of this.#rows) yield [`${this.#codec.bucket}/${key}`, encodeCanonical(this.#codec.write(record))];
  }
}
