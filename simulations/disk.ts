import type { KeyValueStore, SeededRandom, WriteOperation } from "#base";
import type { GuardAnchor } from "#replica";
import type { NodeTime } from "./scheduler.ts";

interface PendingWrite {
  readonly operations: readonly WriteOperation[];
}

/** What survives a node: its store's durable content, and the anchor outside the data folder. */
export interface Platter {
  durable: Map<string, Uint8Array>;
  anchor: Uint8Array | undefined;
}

/** A new, empty disk. */
export function emptyPlatter(): Platter {
  return { durable: new Map(), anchor: undefined };
}

/**
 * A store on a simulated disk. Writes are atomic and become durable in order, each after a delay; at a crash a random number of those
 * under way survives, always the oldest, as a write-ahead log would have it: a torn one is cut off whole.
 */
export class SimulatedStore implements KeyValueStore {
  readonly #platter: Platter;
  readonly #view: Map<string, Uint8Array>;
  readonly #time: NodeTime;
  readonly #random: SeededRandom;
  readonly #pending: PendingWrite[] = [];
  /** Delay of a synced write, microseconds. */
  syncUs = 300;
  /** The next writes fail, as a full disk or a failed fsync would make them. */
  failing = false;
  /** Planted bug: tells that a write is durable before it is. */
  acknowledgesEarly = false;
  #dead = false;
  #busyUntilUs = 0;

  constructor(options: { platter: Platter; time: NodeTime; random: SeededRandom }) {
    this.#platter = options.platter;
    this.#view = new Map(options.platter.durable);
    this.#time = options.time;
    this.#random = options.random;
  }

  get(key: string): Uint8Array | undefined {
    return this.#view.get(key);
  }

  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    apply(this.#view, operations);
    const write = { operations };
    this.#pending.push(write);
    const complete = (): void => {
      if (this.#dead) return;
      if (this.failing) return done(new Error("no space left on the simulated disk"));
      this.#settle(write);
      return done();
    };
    if (this.acknowledgesEarly) {
      this.#time.after(0, () => done());
      this.#time.after(200, () => this.#settle(write));
      return;
    }
    // Writes complete in the order of the calls, as they do behind one log.
    const now = this.#time.nowUs();
    this.#busyUntilUs = Math.max(this.#busyUntilUs, now + this.syncUs + this.#random.below(this.syncUs));
    this.#time.after((this.#busyUntilUs - now) / 1_000, complete);
  }

  scan(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, value: Uint8Array) => void,
    done: (error?: Error) => void,
  ): void {
    const keys = [...this.#view.keys()].filter((key) => key >= range.from && key < range.to).sort();
    for (const key of keys) visit(key, this.#view.get(key) ?? new Uint8Array(0));
    done();
  }

  close(done: (error?: Error) => void): void {
    done();
  }

  /** The node dies: of the writes under way only a prefix is kept. Returns how many were lost. */
  crash(): number {
    this.#dead = true;
    const kept = this.#pending.length === 0 ? 0 : this.#random.below(this.#pending.length + 1);
    for (const write of this.#pending.slice(0, kept)) apply(this.#platter.durable, write.operations);
    return this.#pending.length - kept;
  }

  #settle(write: PendingWrite): void {
    const at = this.#pending.indexOf(write);
    if (this.#dead || at < 0) return;
    for (const settled of this.#pending.splice(0, at + 1)) apply(this.#platter.durable, settled.operations);
  }
}

/** The anchor's cell: small, and durable when told so. */
export class SimulatedAnchor implements GuardAnchor {
  readonly #platter: Platter;
  readonly #time: NodeTime;

  constructor(platter: Platter, time: NodeTime) {
    this.#platter = platter;
    this.#time = time;
  }

  read(): Uint8Array | undefined {
    return this.#platter.anchor;
  }

  write(token: Uint8Array, done: (error?: Error) => void): void {
    this.#time.after(0.3, () => {
      this.#platter.anchor = token;
      done();
    });
  }
}

function apply(to: Map<string, Uint8Array>, operations: readonly WriteOperation[]): void {
  for (const { key, value } of operations) {
    if (value === undefined) to.delete(key);
    else to.set(key, value);
  }
}
