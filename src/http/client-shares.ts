import type { TimerHandle, Timers } from "#base";
import type { Ration } from "./ration.ts";

/** What one address may hold of a node, whoever is behind it. */
export interface ShareLimits {
  /** A quarter of what the node takes from everybody, twice what a busy gateway keeps open. */
  readonly connections: number;
  /** As many requests as a client of this project sends at once; the next wait unread in their sockets. */
  readonly underway: number;
  /** Who sends more without waiting for answers is hung up on. */
  readonly waiting: number;
}

/** The bounds of a node. */
export const SHARE_LIMITS: ShareLimits = { connections: 512, underway: 256, waiting: 1_024 };

interface Client {
  readonly address: string;
  connections: number;
  underway: number;
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
  readonly #ration: Ration;
  readonly #timers: Timers;
  /** Addresses that hold something. */
  readonly #clients = new Map<string, Client>();

  constructor(options: { readonly limits: ShareLimits; readonly ration: Ration; readonly timers: Timers }) {
    this.#limits = options.limits;
    this.#ration = options.ration;
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
    const client = this.#client(address);
    client.connections -= 1;
    this.#leave(client);
  }

  /** Runs a request now or when it is its turn; false when too many wait, and the request is to be dropped. */
  begin(address: string, run: () => void): boolean {
    const client = this.#client(address);
    if (client.waiting.length >= this.#limits.waiting) return false;
    client.waiting.push(run);
    this.#proceed(client);
    return true;
  }

  /** A request that was run has ended, with so many refusals: a call may bring many commands. */
  end(address: string, { refusals }: { readonly refusals: number }): void {
    const client = this.#client(address);
    client.underway -= 1;
    this.#ration.spend(address, refusals);
    this.#proceed(client);
    this.#leave(client);
  }

  #proceed(client: Client): void {
    while (client.waiting.length > 0 && client.underway < this.#limits.underway) {
      // Each request under way may be refused as well.
      const missing = client.underway + 1 - this.#ration.credit(client.address);
      if (missing > 0) return this.#proceedLater(client, missing);
      client.underway += 1;
      client.waiting.shift()?.();
    }
  }

  #proceedLater(client: Client, missing: number): void {
    if (client.timer !== undefined) return;
    client.timer = this.#timers.after(Math.max(1, (missing / this.#ration.perSecond) * 1_000), () => {
      client.timer = undefined;
      this.#proceed(client);
    });
  }

  #client(address: string): Client {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    const client: Client = { address, connections: 0, underway: 0, waiting: [], timer: undefined };
    this.#clients.set(address, client);
    return client;
  }

  #leave({ address, connections, underway, waiting }: Client): void {
    if (connections === 0 && underway === 0 && waiting.length === 0) this.#clients.delete(address);
  }
}
