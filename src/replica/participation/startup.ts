import type { KeyValueStore, WriteOperation } from "#base";
import { decodeGuardRecord, type RestoredLog, type WalRecord } from "#consensus";
import { prefixRange, STORE_KEYS } from "../keys.ts";

/** Reads the records of an epoch's core and of the vote guard. Errors of the store and of records that do not decode are passed on. */
export function loadRecords(store: KeyValueStore, epoch: number, done: (error: Error | undefined, restored?: RestoredLog) => void): void {
  const prefix = STORE_KEYS.walOfEpoch(epoch);
  const records: WalRecord[] = [];
  const guard: Uint8Array[] = [];
  scanPrefix(
    store,
    prefix,
    (bytes, key) => records.push({ key: key.slice(prefix.length), bytes }),
    (walError) => {
      if (walError !== undefined) return done(walError);
      scanPrefix(
        store,
        STORE_KEYS.guardPrefix,
        (value) => guard.push(value),
        (guardError) => {
          if (guardError !== undefined) return done(guardError);
          let restored: RestoredLog;
          try {
            restored = { records, guard: guard.map(decodeGuardRecord) };
          } catch (cause) {
            return done(cause instanceof Error ? cause : new Error(String(cause)));
          }
          return done(undefined, restored);
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

function scanPrefix(
  store: KeyValueStore,
  prefix: string,
  visit: (value: Uint8Array, key: string) => void,
  done: (error?: Error) => void,
): void {
  store.scan(prefixRange(prefix), (key, value) => visit(value, key), done);
}
