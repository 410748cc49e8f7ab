import type { KeyValueStore, SeededRandom, WriteOperation } from "#base";
import type { GuardAnchor } from "#replica";
import { openValue, sealedValue, sealValue } from "#storage";
import type { NodeTime } from "./scheduler.ts";

interface PendingWrite {
  readonly operations: readonly WriteOperation[];
}

/** What tells a node of a write. */
interface Completion {
  isDue: boolean;
  readonly run: () => void;
}

/** What survives a node: its store's durable content, and the anchor outside the data folder. */
export interface Platter {
  readonly durable: Map<string, Uint8Array>;
  /** Stored bytes that are no longer what was written, by key: read, they must not pass for data. */
  readonly damaged: Map<string, Uint8Array>;
  anchor: Uint8Array | undefined;
}

/** A disk with this content; empty without. */
export function platterOf(content: ReadonlyMap<string, Uint8Array> = new Map(), anchor?: Uint8Array): Platter {
  return { durable: new Map(content), damaged: new Map(), anchor };
}

/** What a disk promises: a planted bug breaks one promise. */
export interface DiskRules {
  /** Whether of a batch that was being written at a crash all survives, or nothing. */
  readonly keepsBatchesWhole: boolean;
  /** Whether of the writes under way at a crash the oldest survive. */
  readonly keepsOrder: boolean;
  /** Whether stored bytes are compared with their checksum when they are read. */
  readonly checksSums: boolean;
}

/** A disk as the store relies on it. */
export const diskRules: DiskRules = { keepsBatchesWhole: true, keepsOrder: true, checksSums: true };

/** How much of the writes under way survives a crash: a random prefix, none, or all. */
export type Survival = "some" | "none" | "all";

/** What happens at a write: the power fails while it is written, or when it is durable and nobody was told yet. */
export interface WriteTrap {
  readonly boundary: "torn" | "durable";
  /** How many writes go well before. */
  readonly writes: number;
  readonly spring: () => void;
}

const SYNC_US = 300;

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
  /** Writes that a failed sync took along. */
  readonly #lost = new WeakSet<PendingWrite>();
  readonly #rules: DiskRules;
  /** Delay of a synced write, microseconds. */
  syncUs: number = SYNC_US;
  /** No write completes before this time. */
  stalledUntilUs = 0;
  /** Writes fail: there is no space. */
  full = false;
  /** The next sync fails; what it was for may be durable or not. Later ones would succeed, if anybody tried. */
  failsOnce = false;
  /** Syncs fail with this chance, now and again. */
  failChance = 0;
  /** The next read of a key gives what stands in another place, once. */
  misreads = false;
  trap: WriteTrap | undefined;
  /** Planted bug: tells that a write is durable before it is. */
  acknowledgesEarly = false;
  #dead = false;
  #busyUntilUs = 0;
  /** Writes that the node has not heard of, oldest first. */
  readonly #completions: Completion[] = [];

  constructor(options: { platter: Platter; time: NodeTime; random: SeededRandom; rules?: DiskRules }) {
    this.#rules = options.rules ?? diskRules;
    this.#platter = options.platter;
    this.#view = new Map(options.platter.durable);
    this.#time = options.time;
    this.#random = options.random;
  }

  /** @throws {QuorumgateError} STORAGE_CORRUPT, as the store on disk does by its checksums */
  get(key: string): Uint8Array | undefined {
    const value = this.#view.get(key);
    if (this.misreads && value !== undefined) return this.#misread(key);
    return this.#platter.damaged.size === 0 ? value : this.#checked(key, value);
  }

  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    apply(this.#view, operations);
    const write = { operations };
    this.#pending.push(write);
    if (this.acknowledgesEarly) {
      this.#time.after(0, () => done());
      this.#time.after(200, () => this.#settle(write));
      return;
    }
    const trap = this.#trapOfWrite();
    // Writes complete in the order of the calls, as they do behind one log.
    const now = this.#time.trueUs();
    const startsUs = Math.max(this.#busyUntilUs, now, this.stalledUntilUs);
    this.#busyUntilUs = startsUs + this.syncUs + this.#random.below(this.syncUs);
    const completion: Completion = { isDue: false, run: () => this.#complete(write, done, trap) };
    this.#completions.push(completion);
    this.#time.after((this.#busyUntilUs - now) / 1_000, () => this.#onDue(completion));
  }

  scan(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, value: Uint8Array) => void,
    done: (error?: Error) => void,
  ): void {
    const keys = [...this.#view.keys()].filter((key) => key >= range.from && key < range.to).sort();
    try {
      for (const key of keys) visit(key, this.#checked(key, this.#view.get(key)) ?? new Uint8Array(0));
    } catch (cause) {
      return done(cause instanceof Error ? cause : new Error(String(cause)));
    }
    return done();
  }

  close(done: (error?: Error) => void): void {
    done();
  }

  /** The disk is well again; what it holds stays what it is. */
  heal(): void {
    Object.assign(this, {
      syncUs: SYNC_US,
      stalledUntilUs: 0,
      full: false,
      failsOnce: false,
      failChance: 0,
      misreads: false,
      trap: undefined,
    });
  }

  /** The node dies: of the writes under way only the oldest are kept. Returns how many were lost. */
  crash(survival: Survival = "some"): number {
    this.#dead = true;
    const { length } = this.#pending;
    const kept = survival === "none" || length === 0 ? 0 : survival === "all" ? length : this.#random.below(length + 1);
    const { keepsOrder, keepsBatchesWhole } = this.#rules;
    const survivors = keepsOrder ? this.#pending.slice(0, kept) : this.#pending.slice(length - kept);
    for (const write of survivors) this.#persist(write);
    const torn = keepsBatchesWhole ? undefined : this.#pending[kept];
    if (torn !== undefined) this.#persist({ operations: torn.operations.slice(0, Math.ceil(torn.operations.length / 2)) });
    return length - kept;
  }

  /** A node hears of its writes in the order of the calls, also where what it does waits for less time than before. */
  #onDue(completion: Completion): void {
    completion.isDue = true;
    for (let [first] = this.#completions; first?.isDue === true; [first] = this.#completions) {
      this.#completions.shift();
      first.run();
    }
  }

  #complete(write: PendingWrite, done: (error?: Error) => void, trap: WriteTrap | undefined): void {
    if (this.#dead) return undefined;
    if (trap?.boundary === "torn") return trap.spring();
    if (this.#lost.has(write)) return done(new Error("an earlier simulated sync failed"));
    if (this.full) return done(new Error("no space left on the simulated disk"));
    if (this.failsOnce || (this.failChance > 0 && this.#random.chance(this.failChance))) {
      this.failsOnce = false;
      if (this.#random.chance(0.5)) this.#settle(write);
      // What was under way is gone, as dirty pages are after a failed sync (Rebello et al. 2020); what is written from now on is not.
      for (const lost of this.#pending.splice(0)) this.#lost.add(lost);
      return done(new Error("the simulated fsync failed"));
    }
    this.#settle(write);
    return trap === undefined ? done() : trap.spring();
  }

  /** The trap, where it is this write that it waits for. */
  #trapOfWrite(): WriteTrap | undefined {
    const { trap } = this;
    if (trap === undefined) return undefined;
    const waits = trap.writes > 0;
    this.trap = waits ? { ...trap, writes: trap.writes - 1 } : undefined;
    return waits ? undefined : trap;
  }

  #settle(write: PendingWrite): void {
    const at = this.#pending.indexOf(write);
    if (this.#dead || at < 0) return;
    for (const settled of this.#pending.splice(0, at + 1)) this.#persist(settled);
  }

  #persist({ operations }: PendingWrite): void {
    apply(this.#platter.durable, operations);
    if (this.#platter.damaged.size > 0) for (const { key } of operations) this.#platter.damaged.delete(key);
  }

  /** The checksum of the stored bytes is checked as the store on disk checks it; what is still under way is read from memory. */
  #checked(key: string, value: Uint8Array | undefined): Uint8Array | undefined {
    const stored = this.#platter.damaged.get(key);
    const isPending = value !== this.#platter.durable.get(key);
    if (stored === undefined || isPending) return value;
    return this.#rules.checksSums ? openValue(key, stored) : sealedValue(stored);
  }

  #misread(key: string): Uint8Array {
    this.misreads = false;
    const [other = key] = [...this.#view.keys()].filter((candidate) => candidate !== key);
    return openValue(key, sealValue(other, this.#view.get(other) ?? new Uint8Array(0)));
  }
}

/** Flips a bit of a stored value. Returns its key; undefined on an empty disk. */
export function rot(platter: Platter, random: SeededRandom): string | undefined {
  const key = someKey(platter, random);
  if (key === undefined) return undefined;
  const stored = sealValue(key, platter.durable.get(key) ?? new Uint8Array(0));
  const at = random.below(stored.length);
  stored[at] = (stored[at] ?? 0) ^ (1 << random.below(8));
  platter.damaged.set(key, stored);
  return key;
}

/** Writes one value to the place of another. Returns the key that lost its value; undefined on an empty disk. */
export function misdirect(platter: Platter, random: SeededRandom): string | undefined {
  const [from, to] = [someKey(platter, random), someKey(platter, random)];
  if (from === undefined || to === undefined || from === to) return undefined;
  platter.damaged.set(to, sealValue(from, platter.durable.get(from) ?? new Uint8Array(0)));
  return to;
}

/** Kinds of values are met alike, however many there are of each: the tip is one key, entries are many. */
function someKey({ durable }: Platter, random: SeededRandom): string | undefined {
  const keys = [...durable.keys()].sort();
  if (keys.length === 0) return undefined;
  const room = random.pick([...new Set(keys.map((key) => key.slice(0, 2)))]);
  return random.pick(keys.filter((key) => key.startsWith(room)));
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
