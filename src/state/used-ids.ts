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

/** What spent an id, and the last of the seconds at which it may be forgotten. */
interface Spent {
  readonly hash: Hash;
  readonly second: number;
}

/**
 * Which command ids are spent, so that a command takes effect at most once (docs/protocols/pbft.md, P7): unique per (key, id), kept until the command
 * has expired, and every other command of the id that was refused for it (docs/decisions/0017-refused-ids-stay-spent.md). Ids are stored in one row per block and second of expiry, so that a block of a thousand decisions changes a
 * few keys and not a thousand; a row is dropped whole.
 */
export class UsedIds {
  readonly #rows = new Bucket(USED_CODEC);
  /** By key, then by id: a name joined of both would be built and hashed anew at each of the four times that a node looks a command up. */
  readonly #spent = new Map<string, Map<string, Spent>>();
  readonly #rowsBySecond = new Map<number, string[]>();
  readonly #block = new Map<number, string[]>();
  readonly #rules: Pick<StateRules, "mayForget">;

  constructor(rules: Pick<StateRules, "mayForget"> = stateRules) {
    this.#rules = rules;
  }

  /** The hash of the command that used this id under this key, if one did and it has not been forgotten. */
  find(key: PublicKey, id: string): Hash | undefined {
    return this.#spent.get(key)?.get(id)?.hash;
  }

  /** Remembers a command's id until it expires. */
  use(command: Command, hash: Hash): void {
    this.#hold(command, { hash, second: secondOf(command) });
  }

  /**
   * A command of a spent id was refused: the id stays spent until this one has expired too. Forgotten before, it would let the refused command run.
   * At most one more id in a row for each such command.
   */
  keepFor(command: Command): void {
    const spent = this.#spent.get(command.key)?.get(command.id);
    const second = secondOf(command);
    if (spent !== undefined && second > spent.second) this.#hold(command, { hash: spent.hash, second });
  }

  #hold(command: Command, spent: Spent): void {
    const { hash, second } = spent;
    this.#remember(command.key, command.id, spent);
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
        for (const used of this.#rows.get(key) ?? []) this.#forget(used, second);
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
      this.#remember(name, id, { hash: parseHash(hash), second });
    }
  }

  entries(): IterableIterator<readonly [string, Uint8Array]> {
    return this.#rows.entries();
  }

  /** Rows are loaded in any order: the last second counts. */
  #remember(key: string, id: string, spent: Spent): void {
    const known = this.#spent.get(key);
    if (known === undefined) this.#spent.set(key, new Map([[id, spent]]));
    else if ((known.get(id)?.second ?? 0) < spent.second) known.set(id, spent);
  }

  /** Forgets an id of a row that goes, unless it stands in a later one too. */
  #forget(used: string, second: number): void {
    const [key = "", id = ""] = used.split(".");
    const known = this.#spent.get(key);
    if (known?.get(id)?.second === second) known.delete(id);
    if (known?.size === 0) this.#spent.delete(key);
  }

  #index(second: number, key: string): void {
    const keys = this.#rowsBySecond.get(second);
    if (keys === undefined) this.#rowsBySecond.set(second, [key]);
    else keys.push(key);
  }
}

/** Rounded up: an id is forgotten only once every command of its row has expired. */
function secondOf({ expiresAtUs }: Command): number {
  return Math.floor(expiresAtUs / MICROSECONDS) + 1;
}

function readIds(value: CanonicalValue): readonly string[] {
  if (!Array.isArray(value)) throw shapeError("used ids are a list");
  return value.map((item: CanonicalValue) => {
    if (typeof item !== "string" || !/^[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{22}\.[0-9a-f]{64}$/.test(item)) throw shapeError("not a used id");
    return item;
  });
}
