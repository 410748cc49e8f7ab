import { chmod, mkdir, readdir } from "node:fs/promises";
import { Level } from "level";
import { errorCode, type KeyValueStore, QuorumgateError, type Telemetry, type WriteOperation } from "#base";
import { BatchChain } from "./batch-chain.ts";
import { type PendingWrite, PendingWrites } from "./pending-writes.ts";
import { openValue } from "./stored-value.ts";
import { systemCode } from "./system-code.ts";

type Database = Level<string, Uint8Array>;

/** A block's batch is some megabytes: a larger memory table means fewer, larger compactions on a shared disk. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/** Recent blocks and tree tiles are read again soon; the state itself is kept in memory by its owner. */
const CACHE_BYTES = 16 * 1024 * 1024;
/** Entries fetched at once by a scan. */
const SCAN_ENTRIES = 512;
const SCAN_BYTES = 1024 * 1024;

/**
 * Opens the LevelDB in a folder, making the folder (mode 0700) where there is none.
 *
 * Every write is one batch with `sync: true`; calls that come while one is being synced share the next (group commit). The first
 * failed write stops the store for good: after a failed fsync the kernel may have dropped the pages, and a retry that succeeds
 * would acknowledge what is lost.
 *
 * Source: Rebello et al. 2020, "Can applications recover from fsync failures?", section 5.
 * @throws {QuorumgateError} STORAGE_LOCKED, STORAGE_CORRUPT or STORAGE_FAILED
 */
export async function openLevelStore(folder: string, telemetry: Telemetry): Promise<KeyValueStore> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await refuseHeadless(folder);
    const database: Database = new Level<string, Uint8Array>(folder, {
      keyEncoding: "utf8",
      valueEncoding: "view",
      writeBufferSize: WRITE_BUFFER_BYTES,
      cacheSize: CACHE_BYTES,
    });
    await database.open();
    return new LevelStore(database, await openChain(database), telemetry);
  } catch (error) {
    const { code, message, data } = storageError(error, `the store could not be opened: ${rootOf(error)}`);
    throw new QuorumgateError(code, message, { data: { ...data, folder }, cause: error });
  }
}

/** Without the file that names the newest list of files LevelDB begins anew, and deletes the others: what can be put back by hand would be gone. */
async function refuseHeadless(folder: string): Promise<void> {
  const files = await readdir(folder);
  if (files.includes("CURRENT") || !files.some((name) => /^(?:MANIFEST-\d+|\d+\.(?:ldb|sst|log))$/.test(name))) return;
  throw new QuorumgateError("STORAGE_CORRUPT", "the store's files are there without CURRENT, which names the newest of them");
}

/** Checks that nothing is missing. A store that fails here is closed again: another try shall find it corrupt, and not in use. */
async function openChain(database: Database): Promise<BatchChain> {
  try {
    const { chain, isNew } = await BatchChain.open(database);
    if (!isNew) return chain;
    const first = database.batch();
    for (const { key, stored } of chain.next([])) if (stored !== undefined) first.put(key, stored);
    await first.write({ sync: true });
    // Opening moves it into a table file: damage to the log that holds the next batches must not take the first link along.
    await database.close();
    await database.open();
    return chain;
  } catch (error) {
    await database.close();
    throw error;
  }
}

class LevelStore implements KeyValueStore {
  readonly #database: Database;
  readonly #chain: BatchChain;
  readonly #telemetry: Telemetry;
  readonly #pending = new PendingWrites();
  readonly #closers: ((error?: Error) => void)[] = [];
  #writing = false;
  #scheduled = false;
  #closing = false;
  /** Set by the first failure and never cleared. */
  #failure: QuorumgateError | undefined;

  constructor(database: Database, chain: BatchChain, telemetry: Telemetry) {
    this.#database = database;
    this.#chain = chain;
    this.#telemetry = telemetry;
  }

  get(key: string): Uint8Array | undefined {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    const pending = this.#pending.lookup(key);
    if (pending !== undefined) return pending.value;
    try {
      const stored = this.#database.getSync(key);
      return stored === undefined ? undefined : openValue(key, stored);
    } catch (error) {
      throw this.#reportRead(error);
    }
  }

  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      setImmediate(done, refusal);
      return;
    }
    this.#pending.add(operations, done);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // At the end of this turn: what one step of a replica writes becomes durable in one sync instead of two.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#writeNext();
    });
  }

  scan(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, value: Uint8Array) => void,
    done: (error?: Error) => void,
  ): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      setImmediate(done, refusal);
      return;
    }
    this.#scan(range, visit).then(
      () => done(),
      (error: unknown) => done(this.#reportRead(error)),
    );
  }

  close(done: (error?: Error) => void): void {
    this.#closing = true;
    this.#closers.push(done);
    if (!this.#writing && !this.#pending.hasWaiting) this.#closeDatabase();
  }

  #refusal(): QuorumgateError | undefined {
    return this.#failure ?? (this.#closing ? new QuorumgateError("QUORUM_STOPPED", "the store is closed") : undefined);
  }

  #writeNext(): void {
    if (this.#writing || !this.#pending.hasWaiting) return;
    this.#writing = true;
    const batch = this.#pending.takeBatch();
    const started = performance.now();
    this.#writeBatch(batch).then(
      () => this.#onWritten(batch, started),
      (error: unknown) => this.#onFailed(batch, error),
    );
  }

  /** A chained batch hands each operation over as it is; one made from an array copies it three times and costs ten times as much. */
  #writeBatch(batch: readonly PendingWrite[]): Promise<void> {
    const chained = this.#database.batch();
    const operations = batch.flatMap((write) => write.operations);
    for (const { key, stored } of [...operations, ...this.#chain.next(operations)]) {
      if (stored === undefined) chained.del(key);
      else chained.put(key, stored);
    }
    return chained.write({ sync: true });
  }

  #onWritten(batch: readonly PendingWrite[], started: number): void {
    this.#writing = false;
    this.#telemetry.observe("quorumgate_storage_write_seconds", (performance.now() - started) / 1_000);
    this.#telemetry.count("quorumgate_storage_written_bytes_total", totalBytes(batch));
    this.#pending.complete(batch);
    // The disk works on the next batch while the callers of this one go on.
    this.#writeNext();
    for (const write of batch) write.done();
    if (this.#closing && !this.#writing) this.#closeDatabase();
  }

  #onFailed(batch: readonly PendingWrite[], cause: unknown): void {
    this.#writing = false;
    const failure = storageError(cause, ["a write failed", ...reasonOf(cause)].join(": "));
    this.#failure = failure;
    this.#telemetry.log("error", "storage.write-failed", { code: failure.code, cause: systemCode(cause) });
    for (const write of [...batch, ...this.#pending.abandon()]) write.done(failure);
    if (this.#closing) this.#closeDatabase();
  }

  #closeDatabase(): void {
    const closers = this.#closers.splice(0);
    if (closers.length === 0) return;
    this.#database.close().then(
      () => {
        for (const done of closers) done();
      },
      (error: unknown) => {
        for (const done of closers) done(storageError(error, "the store could not be closed"));
      },
    );
  }

  async #scan(range: { from: string; to: string }, visit: (key: string, value: Uint8Array) => void): Promise<void> {
    // The iterator's snapshot and the overlay are taken in one go: together they are the store as of this call.
    const overlay = this.#pending.range(range.from, range.to);
    const iterator = this.#database.iterator({ gte: range.from, lt: range.to, highWaterMarkBytes: SCAN_BYTES });
    let next = 0;
    const visitPendingBefore = (key: string | undefined): void => {
      for (let entry = overlay[next]; entry !== undefined && (key === undefined || entry[0] < key); entry = overlay[++next]) {
        if (entry[1] !== undefined) visit(entry[0], entry[1]);
      }
    };
    try {
      for (let page = await iterator.nextv(SCAN_ENTRIES); page.length > 0; page = await iterator.nextv(SCAN_ENTRIES)) {
        for (const [key, stored] of page) {
          visitPendingBefore(key);
          // A pending write of the same key stands for it and is visited before the next one.
          if (overlay[next]?.[0] !== key) visit(key, openValue(key, stored));
        }
      }
      visitPendingBefore(undefined);
    } finally {
      await iterator.close();
    }
  }

  #reportRead(error: unknown): QuorumgateError {
    const failure = storageError(error, "a read failed");
    this.#telemetry.log("error", "storage.read-failed", { code: failure.code, cause: systemCode(error), ...failure.data });
    return failure;
  }
}

function totalBytes(batch: readonly PendingWrite[]): number {
  return batch.reduce((sum, write) => sum + write.bytes, 0);
}

/** What LevelDB says of a file that is gone, or shorter than it was: of the store's own, not of the disk's. */
const BROKEN_FILE = /No such file or directory|Invalid argument/;

/** Gives an error of the library its code: the reason is in it or in its cause. */
function storageError(error: unknown, message: string): QuorumgateError {
  if (errorCode(error) !== "INTERNAL_ERROR" && error instanceof QuorumgateError) return error;
  const errors = [error, error instanceof Error ? error.cause : undefined].filter((one) => one instanceof Error);
  const codes = errors.map(systemCode);
  if (codes.includes("LEVEL_LOCKED")) return new QuorumgateError("STORAGE_LOCKED", "another process has the store open", { cause: error });
  const isBroken = codes.includes("LEVEL_IO_ERROR") && errors.some((one) => BROKEN_FILE.test(one.message));
  const isCorrupt = codes.includes("LEVEL_CORRUPTION") || isBroken;
  return new QuorumgateError(isCorrupt ? "STORAGE_CORRUPT" : "STORAGE_FAILED", message, { cause: error });
}

/** What the system says of the disk, such as `No space left on device`: the last part of the library's words, behind the file's name. */
function reasonOf(error: unknown): readonly string[] {
  const [, reason] = /: ([A-Z][A-Za-z /]{2,63})$/.exec(rootOf(error)) ?? [];
  return reason === undefined ? [] : [reason];
}

/** What the library or the system says, which names files: for who starts the node, and for no client. */
function rootOf(error: unknown): string {
  const root = error instanceof Error ? (error.cause ?? error) : error;
  return root instanceof Error ? root.message : String(root);
}
