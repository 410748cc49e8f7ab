import type { Level } from "level";
import { QuorumgateError } from "#base";
import type { StoredOperation } from "./pending-writes.ts";
import { openValue, sealValue, storedChecksum } from "./stored-value.ts";

/** Keys of the store's own; callers' keys are lower. */
const LINK_PREFIX = "~link/";
/** What an owner reads as a whole when it starts, and has to find whole: votes, memory of the consensus, state, and what stands alone. */
const COUNTED: ReadonlySet<string> = new Set(["g/", "m/", "s/", "t/", "w/"]);

/** Entries fetched at once. */
const PAGE_ENTRIES = 512;
const PAGE_BYTES = 1024 * 1024;

type Source = Level<string, Uint8Array>;

/**
 * Shows that no batch and no record is missing between others.
 *
 * LevelDB skips the damaged part of its log at the next opening and goes on with the batches behind it, and a damaged key in a table file is a
 * record that is not found: neither is an error, and both would make a node forget a vote or a grant and remember later ones. So each batch
 * deletes the link that the one before it left, and leaves its own. A single link is there unless a batch between others is gone. Its value is
 * the sum of the checksums of all counted records: one that is gone, or stands as it was earlier, changes it. Their exclusive or would not do: CRC-32
 * is linear, so sixteen records with numbered keys and one value give zero, and one flipped bit in a key that LevelDB shares among neighbours takes
 * sixteen. A tail that is gone takes its links along and is not seen here; the vote guard's anchor shows it.
 */
export class BatchChain {
  readonly #checksums = new Map<string, number>();
  #number: number;
  #sum = 0;

  private constructor(number: number) {
    this.#number = number;
  }

  /** Checks what is there. `isNew` when it holds no link yet, so that one has to be written. @throws {QuorumgateError} STORAGE_CORRUPT */
  static async open(source: Source): Promise<{ readonly chain: BatchChain; readonly isNew: boolean }> {
    const links = await read(source, LINK_PREFIX);
    if (links.length > 1) throw corrupt("batches between others are missing in the store");
    const [link] = links;
    const chain = new BatchChain(link === undefined ? 0 : Number(link[0].slice(LINK_PREFIX.length)));
    for (const prefix of COUNTED) {
      for (const [key, stored] of await read(source, prefix)) chain.#count({ key, stored });
    }
    if (link !== undefined && readSum(link) !== chain.#sum) throw corrupt("records are missing in the store");
    return { chain, isNew: link === undefined };
  }

  /** What is written along with the next batch, after its operations. */
  next(operations: Iterable<StoredOperation>): readonly StoredOperation[] {
    for (const operation of operations) if (COUNTED.has(operation.key.slice(0, 2))) this.#count(operation);
    const before = linkKey(this.#number);
    this.#number += 1;
    const key = linkKey(this.#number);
    const sum = Buffer.alloc(4);
    sum.writeInt32BE(this.#sum);
    return [
      { key: before, stored: undefined },
      { key, stored: sealValue(key, sum) },
    ];
  }

  #count({ key, stored }: StoredOperation): void {
    this.#sum = (this.#sum - (this.#checksums.get(key) ?? 0)) | 0;
    if (stored === undefined) return void this.#checksums.delete(key);
    const checksum = storedChecksum(stored);
    this.#checksums.set(key, checksum);
    this.#sum = (this.#sum + checksum) | 0;
  }
}

/** Every record whose key begins with the prefix, which ends in a slash: up to the character behind it. */
async function read(source: Source, prefix: string): Promise<(readonly [string, Uint8Array])[]> {
  const iterator = source.iterator({ gte: prefix, lt: `${prefix.slice(0, -1)}0`, highWaterMarkBytes: PAGE_BYTES });
  const found: (readonly [string, Uint8Array])[] = [];
  try {
    for (let page = await iterator.nextv(PAGE_ENTRIES); page.length > 0; page = await iterator.nextv(PAGE_ENTRIES)) {
      for (const [key, stored] of page) {
        openValue(key, stored);
        found.push([key, stored]);
      }
    }
    return found;
  } finally {
    await iterator.close();
  }
}

function readSum([key, stored]: readonly [string, Uint8Array]): number {
  const value = openValue(key, stored);
  if (value.length !== 4) throw corrupt("a link of the store does not read");
  return new DataView(value.buffer, value.byteOffset).getInt32(0);
}

function linkKey(number: number): string {
  return LINK_PREFIX + String(number).padStart(16, "0");
}

function corrupt(message: string): QuorumgateError {
  return new QuorumgateError("STORAGE_CORRUPT", message);
}
