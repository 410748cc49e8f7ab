import { errorCode, type KeyValueStore, QuorumgateError, silentTelemetry, type Telemetry } from "#base";
import { prefixRange, SPARE_PREFIXES } from "./keys.ts";

/**
 * Reads records that a node can do without (`SPARE_PREFIXES`): one that the disk damaged is told to the operator and counts as one that is not
 * there. What this node promised or agreed to is never read this way: a node that lacks a part of that must not go on.
 */
export class Salvage {
  readonly #store: KeyValueStore;
  readonly #telemetry: Telemetry;
  /** Keys that were told: a record that nobody can replace is looked for again and again. */
  readonly #told = new Set<string>();

  constructor(store: KeyValueStore, telemetry: Telemetry = silentTelemetry) {
    this.#store = store;
    this.#telemetry = telemetry;
  }

  /** A record; undefined where it is not there, or damaged. Other errors of the store are thrown. */
  get(key: string): Uint8Array | undefined {
    try {
      return this.#store.get(key);
    } catch (cause) {
      if (errorCode(cause) !== "STORAGE_CORRUPT") throw cause;
      this.setAside(key, cause);
      return undefined;
    }
  }

  /** Visits the records of a prefix that are whole; `done` gets the keys of the others. A store that cannot name what is damaged fails the scan. */
  scan(
    prefix: string,
    visit: (key: string, value: Uint8Array) => void,
    done: (error: Error | undefined, damaged: readonly string[]) => void,
  ): void {
    const { from, to } = prefixRange(prefix);
    const damaged: string[] = [];
    const scanFrom = (start: string): void =>
      this.#store.scan({ from: start, to }, visit, (error) => {
        const key = damagedKey(error);
        if (key === undefined || key < start || key >= to) return done(error, damaged);
        this.setAside(key, error);
        damaged.push(key);
        return scanFrom(`${key}\0`);
      });
    scanFrom(from);
  }

  /** Tells the operator of a record that does not read, once. */
  setAside(key: string, cause: unknown): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const [kind = "other"] = SPARE_PREFIXES.filter(([prefix]) => key.startsWith(prefix)).map(([, name]) => name);
    this.#telemetry.log("error", "stored record set aside: it is damaged", { key, code: errorCode(cause) });
    this.#telemetry.count("quorumgate_storage_set_aside_total", 1, { kind });
  }
}

function damagedKey(error: Error | undefined): string | undefined {
  if (!(error instanceof QuorumgateError) || error.code !== "STORAGE_CORRUPT") return undefined;
  const { key } = error.data;
  return typeof key === "string" ? key : undefined;
}
