import { type AppendedBlock, AuditLog, type AuditLogOptions, type LogPoint, parseEntry, wholeEntry } from "#audit";
import {
  type AppliedBlock,
  ByteReader,
  checkpointIntervalOf,
  clusterIdOf,
  type Genesis,
  type Hash,
  type Hasher,
  invariant,
  type KeyValueStore,
  LIMITS,
  type Membership,
  parseGenesis,
  QuorumgateError,
  type SignedCommand,
  u64be,
  type WriteOperation,
  ZERO_HASH,
} from "#base";
import { type CommitCertificate, decodeMessage, encodeMessage, type Tip } from "#consensus";
import { isInTree, LedgerState, resultOfEntry, type StateItem, type LedgerOptions as StateOptions, stateOf } from "#state";
import { prefixRange, STORE_KEYS } from "../keys.ts";
import { type ReplicaRules, replicaRules } from "../rules.ts";
import { Salvage } from "../salvage.ts";
import type { CheckedOffer } from "../transfer/check-offer.ts";
import type { LogAdoption } from "../transfer/log-adoption.ts";
import { StableState } from "../transfer/stable-state.ts";
import type { BlockEvent, OrderedRecord, ReplicaOptions } from "../types.ts";
import { type DecidedCommands, eventOf, type ResultRecord, recordsOf } from "./block-results.ts";
import {
  encodePoint,
  encodeTip,
  prunedOperation,
  readNumber,
  readPoint,
  readRecord,
  readTip,
  recordOperation,
  SEQ_BYTES,
} from "./stored.ts";

/** Points of the log that are kept over a restart: what a proposal may name as certified, and as many again. */
const POINTS_KEPT = 2 * LIMITS.uncertifiedHeightsMax;

/** One applied block: what is written, what observers see, and the log's point after it. */
export interface AppliedHeight {
  readonly height: number;
  readonly operations: readonly WriteOperation[];
  readonly point: LogPoint;
  readonly event: BlockEvent;
  readonly records: readonly OrderedRecord[];
}

/** What the ledger is made from. */
export interface LedgerOptions {
  readonly genesisBytes: Uint8Array;
  readonly hasher: Hasher;
  readonly store: KeyValueStore;
  /** Over the same store; one that tells nobody by default. */
  readonly salvage?: Salvage;
  readonly rules?: Pick<NonNullable<ReplicaOptions["rules"]>, "replica" | "state" | "audit">;
}

/**
 * The one ledger of a node: state, log and tip move together. A block becomes one list of writes for one atomic, synced batch,
 * so that no crash can leave the log without the state or the state without the log.
 */
export class Ledger {
  readonly genesis: Genesis;
  readonly cluster: Hash;
  /** What the state at the newest multiple of the checkpoint interval is given out from. */
  readonly stable: StableState;
  /** How a log is made that begins where this one is stored. */
  readonly logOptions: AuditLogOptions;
  readonly #store: KeyValueStore;
  readonly #salvage: Salvage;
  readonly #stateOptions: StateOptions;
  readonly #interval: number;
  #state: LedgerState;
  #log: AuditLog;
  readonly #keepsFirstAnswer: boolean;
  #tip: Tip;
  #prunedHeight: number;
  /** Agreed time of the newest state that was taken over; 0 before the first. */
  #skippedUntilUs: number;

  private constructor(parts: {
    genesis: Genesis;
    cluster: Hash;
    store: KeyValueStore;
    salvage: Salvage;
    stateOptions: StateOptions;
    logOptions: AuditLogOptions;
    stable: StableState;
    state: LedgerState;
    log: AuditLog;
    tip: Tip;
    rules: ReplicaRules;
  }) {
    this.#stateOptions = parts.stateOptions;
    this.logOptions = parts.logOptions;
    this.stable = parts.stable;
    this.#interval = checkpointIntervalOf(parts.genesis);
    this.#prunedHeight = readNumber(parts.store, STORE_KEYS.pruned);
    this.#skippedUntilUs = readNumber(parts.store, STORE_KEYS.skippedUntil);
    this.genesis = parts.genesis;
    this.cluster = parts.cluster;
    this.#store = parts.store;
    this.#salvage = parts.salvage;
    this.#state = parts.state;
    this.#log = parts.log;
    this.#tip = parts.tip;
    this.#keepsFirstAnswer = parts.rules.keepsFirstAnswer;
  }

  /** Loads what the store holds, or begins at genesis. Errors: STORAGE_CORRUPT, GENESIS_INVALID. */
  static load(options: LedgerOptions, done: (error: Error | undefined, ledger?: Ledger) => void): void {
    const salvage = options.salvage ?? new Salvage(options.store);
    const entries: [string, Uint8Array][] = [];
    const { from, to } = prefixRange(STORE_KEYS.statePrefix);
    options.store.scan(
      { from, to },
      (key, value) => entries.push([key.slice(STORE_KEYS.statePrefix.length), value]),
      (error) => {
        if (error !== undefined) return done(error);
        return StableState.load(options.store, salvage, (stableError, stable) => {
          if (stableError !== undefined || stable === undefined) return done(stableError ?? new Error("no stable state"));
          let ledger: Ledger;
          try {
            ledger = Ledger.#fromEntries({ ...options, salvage }, entries, stable);
          } catch (cause) {
            return done(cause instanceof Error ? cause : new Error(String(cause)));
          }
          return done(undefined, ledger);
        });
      },
    );
  }

  static #fromEntries(
    options: LedgerOptions & { readonly salvage: Salvage },
    entries: readonly (readonly [string, Uint8Array])[],
    stable: StableState,
  ): Ledger {
    const { genesisBytes, hasher, store, salvage } = options;
    const rules = options.rules?.replica ?? replicaRules;
    const genesis = parseGenesis(genesisBytes);
    const cluster = clusterIdOf(hasher, genesisBytes);
    const base = { genesis, cluster, hasher, ...(options.rules?.state && { rules: options.rules.state }) };
    const auditRules = options.rules?.audit;
    const logOptions = { trustDomain: genesis.trustDomain, cluster, hasher, ...(auditRules && { rules: auditRules }) };
    const about = { genesis, cluster, store, salvage, stateOptions: base, logOptions, stable, rules };
    const stored = store.get(STORE_KEYS.tip);
    if (stored === undefined) {
      const state = LedgerState.fromGenesis(base);
      const tip = { height: 0, digest: ZERO_HASH, timeUs: genesis.timeUs, view: 0 };
      const log = AuditLog.empty(logOptions);
      return new Ledger({ ...about, state, log, tip });
    }
    const state = LedgerState.restore(base, entries);
    const tip = readTip(stored, store);
    if (state.height !== tip.height) throw new QuorumgateError("STORAGE_CORRUPT", "state and tip name different heights");
    const log = AuditLog.restore(logOptions, (key) => store.get(key));
    // A head that is lost leaves an empty log, and an old one a shorter log: what this node cosigned then would convict it.
    if (log.point.timeUs !== tip.timeUs) throw new QuorumgateError("STORAGE_CORRUPT", "log and tip end with different blocks");
    return new Ledger({ ...about, state, log, tip });
  }

  get state(): LedgerState {
    return this.#state;
  }

  /** Members of the epoch of the next height. */
  get membership(): Membership {
    return this.#state.membership();
  }

  get log(): AuditLog {
    return this.#log;
  }

  get tip(): Tip {
    return this.#tip;
  }

  /** Applies a decided block in memory and says what has to be written before anyone hears of it. */
  apply(block: DecidedCommands): AppliedHeight {
    const { header, digest, headerBytes, batch } = block.proposal;
    const applied = this.#state.apply({ header, digest, commands: block.commands });
    const { height, timeUs, proposer, originView } = header;
    const appended = this.#log.append({ height, timeUs, proposer, originView, digest, algorithm: this.genesis.engine }, applied.entries);
    const records = recordsOf(block, applied, appended).flatMap((result) => this.#firstAnswer(result));
    this.#tip = { height: header.height, digest, timeUs: header.timeUs, view: block.certificate.view, certificate: block.certificate };
    const message = encodeMessage({ type: "block", headerBytes, batch, certificate: block.certificate });
    const operations: WriteOperation[] = [
      { key: STORE_KEYS.block(header.height), value: message },
      ...this.#stableOperations(header, applied, appended),
      ...applied.changes.map((change) => ({ ...change, key: STORE_KEYS.statePrefix + change.key })),
      ...appended.writes,
      // Those of an earlier height are recorded already.
      ...records.filter((record) => record.height === height).map(recordOperation),
      { key: STORE_KEYS.tip, value: encodeTip(this.#tip) },
      { key: STORE_KEYS.point(header.height), value: encodePoint(appended.checkpoint) },
      { key: STORE_KEYS.point(header.height - POINTS_KEPT) },
    ];
    return { height: header.height, operations, point: appended.checkpoint, records, event: eventOf(block, applied, appended) };
  }

  /**
   * What may be deleted along with the next block: blocks below a stable height (S1) that are further below the tip than `blocksKept`, and nothing
   * else (docs/protocols/state-transfer.md, P1 to P3).
   */
  prune(certifiedHeight: number, blocksKept: number): WriteOperation[] {
    const stableHeight = certifiedHeight - (certifiedHeight % this.#interval);
    const upTo = Math.min(stableHeight - 1, this.#tip.height - blocksKept, this.#prunedHeight + LIMITS.blocksPrunedAtOnce);
    if (upTo <= this.#prunedHeight) return [];
    const operations: WriteOperation[] = [];
    for (let height = this.#prunedHeight + 1; height <= upTo; height++) operations.push({ key: STORE_KEYS.block(height) });
    this.#prunedHeight = upTo;
    return [...operations, prunedOperation(upTo)];
  }

  /** The lowest height whose block is still here. */
  get blocksFrom(): number {
    return this.#prunedHeight + 1;
  }

  /**
   * Makes a transferred state the ledger's own and says what has to be written, in one batch; until that is durable the node does nothing
   * (docs/protocols/state-transfer.md, I2). @throws {QuorumgateError} STORAGE_CORRUPT
   */
  install(offer: CheckedOffer, parts: { readonly items: readonly StateItem[]; readonly adoption: LogAdoption }): WriteOperation[] {
    const { tip, seal, stateHash, handovers, block } = offer;
    const { items, adoption } = parts;
    const state = stateOf(this.#stateOptions, { items, stateHash });
    invariant(state.height === tip.height, "the meta values are of the height of the seal");
    const operations: WriteOperation[] = [];
    const written = new Set<string>();
    for (const [key, value] of state.entries()) {
      written.add(key);
      operations.push({ key: STORE_KEYS.statePrefix + key, value });
    }
    for (const [key] of this.#state.entries()) if (!written.has(key)) operations.push({ key: STORE_KEYS.statePrefix + key });
    for (let height = this.#prunedHeight + 1; height <= this.#tip.height; height++) operations.push({ key: STORE_KEYS.block(height) });
    for (let height = this.#tip.height; height > this.#tip.height - POINTS_KEPT && height > 0; height--)
      if (height <= tip.height - POINTS_KEPT) operations.push({ key: STORE_KEYS.point(height) });
    for (const { height, point } of adoption.points) operations.push({ key: STORE_KEYS.point(height), value: encodePoint(point) });
    for (const { epoch, file } of handovers) operations.push({ key: STORE_KEYS.handover(epoch), value: file });
    operations.push(
      ...this.stable.moveTo({ height: tip.height, seq: seal.seq }),
      ...adoption.log.headWrites(),
      { key: STORE_KEYS.block(tip.height), value: block },
      { key: STORE_KEYS.tip, value: encodeTip(tip) },
      prunedOperation(tip.height - 1),
      { key: STORE_KEYS.skippedUntil, value: u64be(tip.timeUs) },
    );
    this.#state = state;
    this.#log = adoption.log;
    this.#tip = tip;
    this.#prunedHeight = tip.height - 1;
    this.#skippedUntilUs = tip.timeUs;
    return operations;
  }

  #stableOperations({ height }: { readonly height: number }, applied: AppliedBlock, appended: AppendedBlock): WriteOperation[] {
    const seal = appended.entries.at(-1);
    invariant(seal !== undefined, "every block ends with its seal");
    const changes = applied.changes.filter(({ key }) => isInTree(key));
    return this.stable.operationsFor({ height, isStable: height % this.#interval === 0, sealSeq: seal.seq, changes });
  }

  /** What became of a command, if it was ordered. */
  find(command: Hash): OrderedRecord | undefined {
    const bytes = this.#store.get(STORE_KEYS.record(command));
    if (bytes === undefined) return undefined;
    if (bytes.length !== SEQ_BYTES) return readRecord(command, bytes);
    const seq = new ByteReader(bytes).u64();
    // Records of adopted entries stand ahead of the log's head.
    return seq < this.#log.nextSeq ? this.#recordOfEntry(command, seq) : undefined;
  }

  /** True when nothing is recorded of the command: its id is unspent, and no block can have refused it as expired. Spares a look into the store. */
  isNew({ command }: SignedCommand): boolean {
    return this.#state.usedBy(command) === undefined && command.expiresAtUs > this.#state.timeUs;
  }

  /** True when the command was ordered and has not expired since; cheap enough for every command that arrives. */
  wasOrdered(signed: SignedCommand): boolean {
    return this.#state.usedBy(signed.command) === signed.hash;
  }

  /**
   * The log's points after the last heights, oldest first. A proposal that is proposed again may name any of them as certified: a node that
   * forgot them at a restart could not vote for it.
   */
  recentPoints(): { readonly height: number; readonly point: LogPoint }[] {
    const points: { height: number; point: LogPoint }[] = [];
    for (let height = Math.max(1, this.#tip.height - POINTS_KEPT + 1); height <= this.#tip.height; height++) {
      const bytes = height === this.#tip.height ? undefined : this.#salvage.get(STORE_KEYS.point(height));
      if (bytes !== undefined) points.push({ height, point: readPoint(bytes) });
    }
    return this.#tip.height === 0 ? points : [...points, { height: this.#tip.height, point: this.#log.point }];
  }

  /** The encoded block message of a height, as it is sent to a peer that is behind. */
  encodedBlock(height: number): Uint8Array | undefined {
    return this.#store.get(STORE_KEYS.block(height));
  }

  /** What decided a height, as far as its block is still stored, and the bytes read for it. @throws {QuorumgateError} STORAGE_CORRUPT and format errors */
  certificateAt(height: number): { readonly certificate: CommitCertificate; readonly bytesRead: number } | undefined {
    const { certificate } = this.#tip;
    if (height === this.#tip.height) return certificate && { certificate, bytesRead: 0 };
    const encoded = this.encodedBlock(height);
    const block = encoded && decodeMessage(encoded);
    return block?.type === "block" ? { certificate: block.certificate, bytesRead: encoded?.length ?? 0 } : undefined;
  }

  #recordOfEntry(command: Hash, seq: number): OrderedRecord {
    const read = (key: string): Uint8Array | undefined => this.#store.get(key);
    const entry = wholeEntry(parseEntry(this.#log.entry(seq, read)), read);
    if (entry.command !== command) throw new QuorumgateError("STORAGE_CORRUPT", "a record names the entry of another command");
    const { height, timeUs } = entry.block;
    return { command, height, timeUs, seq, ...resultOfEntry(entry, entry.block) };
  }

  /**
   * An entry is a command's answer, and where there is none the first refusal, for who asks later and for who still waits: a command that was ordered
   * twice is refused the second time. All nodes keep the same, or nothing (docs/protocols/state-transfer.md, I5).
   */
  #firstAnswer({ record, issuedAtUs }: ResultRecord): OrderedRecord[] {
    if (record.outcome !== "refused" || !this.#keepsFirstAnswer) return [record];
    const first = this.find(record.command);
    if (first !== undefined) return [first];
    const isEntry = record.seq !== undefined;
    return isEntry || this.#isFirstRefusal(record, issuedAtUs) ? [record] : [];
  }

  /** Whether a refusal without an entry is the first for sure, and the last word. */
  #isFirstRefusal({ code, timeUs }: OrderedRecord, issuedAtUs: number): boolean {
    // The first answer was given in a block that this node skipped, and that there was one is no answer; or may have been.
    if (code === "COMMAND_DUPLICATE" || issuedAtUs <= this.#skippedUntilUs + LIMITS.clockSkewMaxUs) return false;
    // Before its time a command is refused as if it had expired: in its time it may be allowed.
    return issuedAtUs <= timeUs + LIMITS.clockSkewMaxUs;
  }
}
