import { type Hash, type Hasher, QuorumgateError, toHash, ZERO_HASH } from "#base";
import { type Checkpoint, parseCheckpointText } from "./checkpoint-text.ts";
import { type AuditEntry, parseEntry } from "./entry.ts";

/** Something that an entry says and that does not follow from the entries before it. */
export interface ChainFault {
  readonly index: number;
  readonly message: string;
  /** `entry`: this entry is wrong by itself. `link`: it and its predecessor do not fit, and either may be wrong. */
  readonly kind: "entry" | "link";
}

interface Previous {
  readonly entry: AuditEntry;
  readonly hash: Hash;
}

/**
 * Follows the entries of one shard in order: canonical and well formed, numbered without a gap, each naming its predecessor's hash, blocks
 * sealed one after another, times never going back.
 */
export class ChainWalk {
  readonly #hasher: Hasher;
  readonly #onFault: (fault: ChainFault) => void;
  #previous: Previous | undefined;
  #opening: Checkpoint | undefined;

  constructor(hasher: Hasher, onFault: (fault: ChainFault) => void) {
    this.#hasher = hasher;
    this.#onFault = onFault;
  }

  /** The last checkpoint of the shard before, to which the first entry commits. */
  get previousShard(): Checkpoint | undefined {
    return this.#opening;
  }

  /** The last entry that was well formed. */
  get last(): AuditEntry | undefined {
    return this.#previous?.entry;
  }

  step(index: number, bytes: Uint8Array): void {
    const entry = this.#parse(index, bytes);
    if (entry !== undefined) {
      const previous = this.#previous;
      const faults = index === 0 ? this.#openingFaults(entry) : previous === undefined ? [] : linkFaults(previous, entry);
      for (const message of faults) this.#onFault({ index, message, kind: index === 0 ? "entry" : "link" });
    }
    this.#previous = entry === undefined ? undefined : { entry, hash: toHash(this.#hasher.sha256(bytes)) };
  }

  /** Says that entries are missing here: what follows is not compared with what came before. */
  skip(): void {
    this.#previous = undefined;
  }

  #parse(index: number, bytes: Uint8Array): AuditEntry | undefined {
    try {
      return parseEntry(bytes);
    } catch (error) {
      if (!(error instanceof QuorumgateError)) throw error;
      this.#onFault({ index, message: `the entry is not well formed: ${error.message} (${error.code})`, kind: "entry" });
      return undefined;
    }
  }

  #openingFaults(entry: AuditEntry): string[] {
    if (entry.kind !== "log.start") return ["the first entry of a shard is log.start"];
    const text = entry.content["previousCheckpoint"];
    const isFirstShard = entry.seq === 0;
    if (isFirstShard !== (entry.previousHash === ZERO_HASH) || isFirstShard !== (text === undefined)) {
      return ["exactly the very first entry has no predecessor"];
    }
    if (isFirstShard) return [];
    try {
      this.#opening = parseCheckpointText(typeof text === "string" ? text : "");
      return [];
    } catch {
      return ["log.start commits to the last checkpoint before it"];
    }
  }
}

function linkFaults(previous: Previous, entry: AuditEntry): string[] {
  const before = previous.entry;
  const faults: string[] = [];
  if (entry.previousHash !== previous.hash) faults.push("the entry does not name the hash of the one before it");
  if (entry.seq !== before.seq + 1) faults.push(`the entry has number ${entry.seq} after ${before.seq}`);
  if (entry.kind === "log.start") faults.push("log.start stands within a shard");
  faults.push(...(before.kind === "block.sealed" ? nextBlockFaults(before, entry) : sameBlockFaults(before, entry)));
  return faults;
}

function nextBlockFaults(before: AuditEntry, entry: AuditEntry): string[] {
  if (entry.block.height !== before.block.height + 1) return [`block ${entry.block.height} follows block ${before.block.height}`];
  return entry.block.timeUs > before.block.timeUs ? [] : ["agreed time does not go on"];
}

function sameBlockFaults(before: AuditEntry, entry: AuditEntry): string[] {
  const [left, right] = [before.block, entry.block];
  const same =
    left.height === right.height &&
    left.timeUs === right.timeUs &&
    left.proposer === right.proposer &&
    left.digest === right.digest &&
    left.originView === right.originView &&
    left.algorithm === right.algorithm;
  return same ? [] : ["a block ends without block.sealed"];
}
