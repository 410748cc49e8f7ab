import { type CanonicalValue, type Command, type Hash, type PublicKey, parseDecimal, parseHash, type StateChange } from "#base";
import { Bucket, type Codec } from "./bucket.ts";
import { type StateRules, stateRules } from "./rules.ts";
import { shapeError } from "./vocabulary.ts";

const MICROSECONDS = 1_000_000;

/** Ids used in one block that may be forgotten at one second: `<key>.<id>.<hash>` each, in order of use. */
const USED_CODEC: Codec<readonly string[]> = {
  bucket: "used",
  write: (ids) => ids,
  read: (_key, value) => readIds(value),
};

/**
 * Which command ids are spent, so that a command takes effect at most once (docs/protocols/pbft.md, P7): unique per (key, id), kept until the command
 * has expired. Ids are stored in one row per block and second of expiry, so that a block of a thousand decisions changes a
 * few keys and not a thousand; a row is dropped whole.
 */
export class UsedIds {
  readonly #rows = new Bucket(USED_CODEC);
  /** By key, then by id: a name joined of both would be built and hashed anew at each of the four times that a node looks a command up. */
  readonly #hashes = new Map<string, Map<string, Hash>>();
  readonly #rowsBySecond = new Map<number, string[]>();
  readonly #block = new Map<number, string[]>();
  readonly #rules: Pick<StateRules, "mayForget">;

  constructor(rules: Pick<StateRules, "mayForget"> = stateRules) {
    this.#rules = rules;
  }

  /** The hash of the command that used this id under this key, if one did and it has not been forgotten. */
  find(key: PublicKey, id: string): Hash | undefined {
    return this.#hashes.get(key)?.get(id);
  }

  /** Remembers a command's id until it expires. */
  use(command: Command, hash: Hash): void {
    this.#remember(command.key, command.id, hash);
    // Rounded up: an id is forgotten only once every command of its row has expired.
    const second = Math.floor(command.expiresAtUs / MICROSECONDS) + 1;
    const ids = this.#block.get(second);
    const used = `${command.key}.${command.id}.${hash}`;
    if (ids === undefined) this.#block.set(second, [used]);
    else ids.push(used);
  }

  /** Forgets what has expired at the block's time. */
  forgetBefore(timeUs: number): void {
    for (const [second, keys] of this.#rowsBySecond) {
      if (!this.#rules.mayForget(second * MICROSECONDS, timeUs)) continue;
      for (const key of keys) {
        for (const used of this.#rows.get(key) ?? []) this.#forget(used);
        this.#rows.delete(key);
      }
      this.#rowsBySecond.delete(second);
    }
    this.#rows.commit();
  }

  /** Writes the block's ids as rows and gives the changes. */
  takeChanges(height: number): StateChange[] {
    for (const [second, ids] of this.#block) {
      const key = `${String(second).padStart(12, "0")}/${height}`;
      this.#rows.put(key, ids);
      this.#index(second, key);
    }
    this.#block.clear();
    this.#rows.commit();
    return this.#rows.takeChanges();
  }

  get name(): string {
    return this.#rows.name;
  }

  /** Takes a stored row. @throws {QuorumgateError} format errors */
  load(key: string, bytes: Uint8Array): void {
    this.#rows.load(key, bytes);
    const second = parseDecimal(key.slice(0, key.indexOf("/")).replace(/^0+(?=.)/, ""), "used ids");
    this.#index(second, key);
    for (const used of this.#rows.get(key) ?? []) {
      const [name = "", id = "", hash = ""] = used.split(".");
      this.#remember(name, id, parseHash(hash));
    }
  }

  entries(): IterableIterator<readonly [string, Uint8Array]> {
    return this.#rows.entries();
  }

  #remember(key: string, id: string, hash: Hash): void {
    const known = this.#hashes.get(key);
    if (known === undefined) this.#hashes.set(key, new Map([[id, hash]]));
    else known.set(id, hash);
  }

  #forget(used: string): void {
    const [key = "", id = ""] = used.split(".");
    const known = this.#hashes.get(key);
    known?.delete(id);
    if (known?.size === 0) this.#hashes.delete(key);
  }

  #index(second: number, key: string): void {
    const keys = this.#rowsBySecond.get(second);
    if (keys === undefined) this.#rowsBySecond.set(second, [key]);
    else keys.push(key);
  }
}

function readIds(value: CanonicalValue): readonly string[] {
  if (!Array.isArray(value)) throw shapeError("used ids are a list");
  return value.map((item: CanonicalValue) => {
    if (typeof item !== "string" || !/^[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{22}\.[0-9a-f]{64}$/.test(item)) throw shapeError("not a used id");
    return item;
  });
}
