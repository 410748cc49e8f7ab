import { LIMITS } from "#base";
import { partBytes, type StatePart } from "./state-part.ts";

/** What a key or a hash takes in memory beside its bytes. */
const OVERHEAD_BYTES = 200;

interface Kept {
  readonly part: StatePart;
  readonly bytes: number;
}

/**
 * Parts of states by the hash that they were proved against (docs/protocols/state-transfer.md, T3), so that an attempt to fetch a state that fails leaves to the next one what both have in
 * common. Bounded: whatever was of no use for longest goes first.
 */
export class ProvedParts {
  readonly #kept = new Map<string, Kept>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax of all parts, as they are held in memory */
  constructor(bytesMax: number = LIMITS.transferKeptBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Parts that are here. */
  get size(): number {
    return this.#kept.size;
  }

  /** The part that was proved against the hash. */
  get(hash: string): StatePart | undefined {
    const kept = this.#kept.get(hash);
    if (kept === undefined) return undefined;
    this.#kept.delete(hash);
    this.#kept.set(hash, kept);
    return kept.part;
  }

  /** Keeps a part that was proved against the hash. */
  add(hash: string, part: StatePart): void {
    if (this.#kept.has(hash)) return;
    const bytes = partBytes(part) + OVERHEAD_BYTES * (part.kind === "leaves" ? part.items.length : part.hashes.length);
    this.#kept.set(hash, { part, bytes });
    this.#bytes += bytes;
    for (const [oldest, { bytes: freed }] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#kept.delete(oldest);
      this.#bytes -= freed;
    }
  }

  /** Forgets all of them. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }
}
