import { type AuditEntry, AuditLog, type AuditLogOptions, isNamed, LOG_KEYS, type LogPoint, verifyConsistency, withheldIn } from "#audit";
import { equalBytes, fromHex, type Hash, type KeyValueStore, LIMITS, QuorumgateError, u64be, type WriteOperation } from "#base";
import { STORE_KEYS } from "../keys.ts";
import type { LogPartFrame } from "../peers/frames.ts";
import type { CheckedOffer } from "./check-offer.ts";

/** A checked part: what stores it ahead of the log's head. */
export interface AdoptedPart {
  readonly writes: readonly WriteOperation[];
}

/** The log after a block that was adopted. */
export interface AdoptedPoint {
  readonly height: number;
  readonly point: LogPoint;
}

/** Points that are kept of the blocks that were skipped: as many as after a restart. */
const POINTS_KEPT = 2 * LIMITS.uncertifiedHeightsMax;

/** Takes over the log up to an offer's seal, part by part, each proved before anything of it is written (docs/protocols/state-transfer.md, G1 to G3). */
export class LogAdoption {
  readonly #options: AuditLogOptions;
  readonly #store: KeyValueStore;
  #log: AuditLog;
  /** The first entry that was not stored as this node's own when this began. */
  #firstSeq: number;
  #points: readonly AdoptedPoint[] = [];

  /** Begins where the stored log ends. @throws {QuorumgateError} STORAGE_CORRUPT */
  constructor(options: AuditLogOptions, store: KeyValueStore) {
    this.#options = options;
    this.#store = store;
    this.#log = this.#stored();
    this.#firstSeq = this.#log.nextSeq;
  }

  /** The first entry that is not here. */
  get nextSeq(): number {
    return this.#log.nextSeq;
  }

  /** The log with everything that was adopted. */
  get log(): AuditLog {
    return this.#log;
  }

  /** Points after the newest blocks, oldest first. */
  get points(): readonly AdoptedPoint[] {
    return this.#points;
  }

  /** What to ask for next; undefined once the offer's seal is the last entry here. @throws {QuorumgateError} STORAGE_CORRUPT */
  next(offer: CheckedOffer): { readonly seq: number; readonly last: number; readonly size: number } | undefined {
    this.#startAgainIfNeeded(offer);
    if (this.#log.nextSeq > offer.seal.seq) return undefined;
    const { size } = this.#treeOf(offer, this.#shardOfNext(offer));
    return { seq: this.#log.nextSeq, last: offer.seal.seq, size };
  }

  /** Takes the entries after the last one. @throws {QuorumgateError} SYNC_PART_INVALID, and nothing of them is kept */
  accept(offer: CheckedOffer, part: Pick<LogPartFrame, "entries" | "proof" | "objects">): AdoptedPart {
    const { entries, proof } = part;
    if (entries.length === 0) throw invalid("it is empty");
    const log = this.#log.fork();
    const writes: WriteOperation[] = [];
    const commands = new Map<Hash, number>();
    const objects = [...part.objects];
    const points = [...this.#points];
    for (const bytes of entries) {
      const { seq } = offer.seal;
      if (log.nextSeq > seq || (log.nextSeq === seq && !equalBytes(bytes, offer.seal.entry))) throw invalid("it goes beyond the seal");
      const { entry, writes: stored } = log.adopt(bytes);
      writes.push(...stored, ...this.#objectsOf(entry, objects));
      if (entry.command !== undefined && !commands.has(entry.command)) commands.set(entry.command, entry.seq);
      if (entry.kind === "block.sealed") points.push({ height: entry.block.height, point: log.point });
    }
    if (objects.length > 0) throw invalid("no entry names its objects");
    const head = log.treeHead();
    const tree = this.#treeOf(offer, head.shard);
    if (!verifyConsistency(this.#options.hasher, { from: head, to: { size: tree.size, root: fromHex(tree.root) }, path: proof }))
      throw invalid("it does not lead to the certified tree");
    this.#log = log;
    this.#points = points.slice(-POINTS_KEPT);
    for (const [command, seq] of commands) writes.push(...this.#recordOf(command, seq));
    return { writes };
  }

  /**
   * Entries of an earlier offer may reach beyond this one's seal, and a state goes only with the log that ends where it does. Blocks that were applied
   * meanwhile wrote their tiles over those that were ahead of them, which were longer.
   */
  #startAgainIfNeeded(offer: CheckedOffer): void {
    const stored = this.#stored();
    if (this.#log.nextSeq <= offer.seal.seq + 1 && stored.nextSeq === this.#firstSeq) return;
    this.#log = stored;
    this.#firstSeq = stored.nextSeq;
    this.#points = [];
  }

  #stored(): AuditLog {
    return AuditLog.restore(this.#options, (key) => this.#store.get(key));
  }

  /** The shard of the next entry: the one after a tree that is complete. */
  #shardOfNext(offer: CheckedOffer): string {
    const { shard, size } = this.#log.treeHead();
    if (shard !== "" && size < this.#treeOf(offer, shard).size) return shard;
    const next = [...offer.trees.keys()].sort().find((name) => name > shard);
    if (next === undefined) throw invalid("there is no further shard");
    return next;
  }

  #treeOf(offer: CheckedOffer, shard: string): { readonly size: number; readonly root: Hash } {
    const tree = offer.trees.get(shard);
    if (tree === undefined) throw invalid("the offer does not prove its shard");
    return tree;
  }

  /** The bytes that an entry names are part of the log: a node without them could not answer for its command. */
  #objectsOf(entry: AuditEntry, objects: Uint8Array[]): WriteOperation[] {
    return withheldIn(entry).map((named) => {
      const object = objects.shift();
      if (object === undefined || !isNamed(this.#options.hasher, named, object)) throw invalid("an entry names other bytes");
      return { key: LOG_KEYS.object(named.hash), value: object };
    });
  }

  /** The first entry of a command is its record, also where an earlier refusal without an entry was recorded in full, as where its block is applied. */
  #recordOf(command: Hash, seq: number): WriteOperation[] {
    const key = STORE_KEYS.record(command);
    const value = u64be(seq);
    return this.#store.get(key)?.length === value.length ? [] : [{ key, value }];
  }
}

function invalid(reason: string): QuorumgateError {
  return new QuorumgateError("SYNC_PART_INVALID", `a part of the log: ${reason}`);
}
