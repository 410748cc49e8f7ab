import type { KeyValueStore, WriteOperation } from "#base";
import { decodeGuardRecord, decodeWalRecord, type GuardRecord, type WalRecord } from "#consensus";
import { prefixRange, STORE_KEYS } from "./keys.ts";

/** What the write-ahead log held at the start. */
export interface RestoredRecords {
  readonly records: readonly WalRecord[];
  readonly guard: readonly GuardRecord[];
}

/** Reads the records of the core and of the vote guard. Errors of the store and of records that do not decode are passed on. */
export function loadRecords(store: KeyValueStore, done: (error: Error | undefined, restored?: RestoredRecords) => void): void {
  const records: Uint8Array[] = [];
  const guard: Uint8Array[] = [];
  scanPrefix(
    store,
    STORE_KEYS.walPrefix,
    (value) => records.push(value),
    (walError) => {
      if (walError !== undefined) return done(walError);
      scanPrefix(
        store,
        STORE_KEYS.guardPrefix,
        (value) => guard.push(value),
        (guardError) => {
          if (guardError !== undefined) return done(guardError);
          try {
            const restored = { records: records.map(decodeWalRecord), guard: guard.map(decodeGuardRecord) };
            return done(undefined, restored);
          } catch (cause) {
            return done(cause instanceof Error ? cause : new Error(String(cause)));
          }
        },
      );
    },
  );
}

/** Deletes every record of core and guard: those of a folder that was an old copy must not be taken for memory. */
export function forgetRecords(
  store: KeyValueStore,
  done: (error: Error | undefined, operations?: readonly WriteOperation[]) => void,
): void {
  const operations: WriteOperation[] = [];
  scanKeys(store, STORE_KEYS.walPrefix, operations, (walError) => {
    if (walError !== undefined) return done(walError);
    scanKeys(store, STORE_KEYS.guardPrefix, operations, (guardError) => done(guardError, operations));
  });
}

function scanKeys(store: KeyValueStore, prefix: string, into: WriteOperation[], done: (error?: Error) => void): void {
  store.scan(prefixRange(prefix), (key) => into.push({ key }), done);
}

function scanPrefix(store: KeyValueStore, prefix: string, visit: (value: Uint8Array) => void, done: (error?: Error) => void): void {
  store.scan(prefixRange(prefix), (_key, value) => visit(value), done);
}
