import type { TimerHandle, Timers } from "#base";

/** What one address may take of a node, whoever is behind it. */
export interface ShareLimits {
  /** Connections. A quarter of what the node takes from everybody, twice what a busy gateway keeps open. */
  readonly connections: number;
  /** Requests under way. As many as a client of this project sends at once; the next wait unread in their sockets. */
  readonly underway: number;
  /** Requests that wait. Who sends more without waiting for answers is hung up on. */
  readonly waiting: number;
  /** Refusals at once … */
  readonly refusals: number;
  /** … and in a second from then on: afterwards requests of the address wait. An honest client meets a few. */
  readonly refusalsPerSecond: number;
}

const REFUSALS_PER_SECOND = 50;
const SECONDS_AT_ONCE = 5;

/** The bounds of a node. */
export function shareLimits(refusalsPerSecond: number = REFUSALS_PER_SECOND): ShareLimits {
  return { connections: 512, underway: 256, waiting: 1_024, refusals: SECONDS_AT_ONCE * refusalsPerSecond, refusalsPerSecond };
}

/** Addresses without a connection are forgotten beyond so many: each has some 100 bytes. */
const REMEMBERED_MAX = 4_096;

interface Client {
  connections: number;
  underway: number;
  /** Refusals that the address may still meet before it waits. */
  credit: number;
  atMs: number;
  readonly waiting: (() => void)[];
  timer: TimerHandle | undefined;
}

/**
 * Keeps one address from taking what the others need. What is refused costs the node as much as what is answered, and a client that only wants to
 * be in the way is refused all the time: so refusals are what is rationed. Who has used its ration waits, and its requests wait unread, where they
 * cost nothing. Source: signature filtering and per-client fairness of Clement et al. 2009 (Aardvark), section 4.1.
 */
export class ClientShares {
  readonly #limits: ShareLimits;
  readonly #nowMs: () => number;
  readonly #timers: Timers;
  readonly #clients = new Map<string, Client>();

  constructor(options: { readonly limits: ShareLimits; nowMs(): number; readonly timers: Timers }) {
    this.#limits = options.limits;
    this.#nowMs = () => options.nowMs();
    this.#timers = options.timers;
  }

  /** Whether a new connection is taken; each that is has to be given back. */
  connect(address: string): boolean {
    const client = this.#client(address);
    if (client.connections >= this.#limits.connections) return false;
    client.connections += 1;
    return true;
  }

  disconnect(address: string): void {
    this.#client(address).connections -= 1;
  }

  /** Runs a request now or when it is its turn; false when too many wait, and the request is to be dropped. */
  begin(address: string, run: () => void): boolean {
    const client = this.#client(address);
    if (client.waiting.length >= this.#limits.waiting) return false;
    client.waiting.push(run);
    this.#proceed(client);
    return true;
  }

  /** A request that was run has ended. */
  end(address: string, { refused }: { readonly refused: boolean }): void {
    const client = this.#client(address);
    client.underway -= 1;
    if (refused) client.credit -= 1;
    this.#proceed(client);
  }

  #proceed(client: Client): void {
    this.#earn(client);
    // Each request under way may be refused as well.
    while (client.waiting.length > 0 && client.underway < Math.min(this.#limits.underway, Math.floor(client.credit))) {
      client.underway += 1;
      client.waiting.shift()?.();
    }
    if (client.waiting.length > 0 && client.underway < this.#limits.underway) this.#proceedLater(client);
  }

  #proceedLater(client: Client): void {
    if (client.timer !== undefined) return;
    const missing = client.underway + 1 - client.credit;
    client.timer = this.#timers.after(Math.max(1, (missing / this.#limits.refusalsPerSecond) * 1_000), () => {
      client.timer = undefined;
      this.#proceed(client);
    });
  }

  #earn(client: Client): void {
    const nowMs = this.#nowMs();
    const earned = (Math.max(0, nowMs - client.atMs) / 1_000) * this.#limits.refusalsPerSecond;
    client.credit = Math.min(this.#limits.refusals, client.credit + earned);
    client.atMs = nowMs;
  }

  #client(address: string): Client {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    if (this.#clients.size >= REMEMBERED_MAX) this.#forget();
    const client: Client = {
      connections: 0,
      underway: 0,
      credit: this.#limits.refusals,
      atMs: this.#nowMs(),
      waiting: [],
      timer: undefined,
    };
    this.#clients.set(address, client);
    return client;
  }

  /** Forgets who is gone and owes nothing. */
  #forget(): void {
    for (const [address, client] of this.#clients) {
      this.#earn(client);
      if (client.connections === 0 && client.underway === 0 && client.credit >= this.#limits.refusals) this.#clients.delete(address);
    }
  }
}
