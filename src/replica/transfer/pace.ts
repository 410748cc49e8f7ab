import { LIMITS, type NodeId } from "#base";

/**
 * Whether a peer gives what it offered as fast as anybody could: one that answers each request just in time, with as little as proves right, would
 * else keep this node away for weeks (docs/protocols/state-transfer.md).
 */
export class Pace {
  readonly #startedUs: number;
  readonly #bytesPerSecondMin: number;
  #bytes = 0;

  constructor(startedUs: number, bytesPerSecondMin: number = LIMITS.transferBytesPerSecondMin) {
    this.#startedUs = startedUs;
    this.#bytesPerSecondMin = bytesPerSecondMin;
  }

  /** Notes an answer that was of use; false when all of them together came too slowly. A clock that was set back says nothing. */
  keeps(bytes: number, nowUs: number): boolean {
    this.#bytes += bytes;
    const allowedUs = LIMITS.transferPatienceMs * 1_000 + (this.#bytes / this.#bytesPerSecondMin) * 1_000_000;
    return nowUs - this.#startedUs <= allowedUs;
  }

  /** Bytes in a second until now. */
  rate(nowUs: number): number {
    return this.#bytes / (Math.max(1, nowUs - this.#startedUs) / 1_000_000);
  }
}

/**
 * What each peer has to give. While another one may be faster, a good pace; of those that were left for less, half of what the best of the others
 * gave. So each is left once at most before the best that there is stays, however slow all of them are, and whoever dawdles gains little by it.
 */
export class Paces {
  readonly #left = new Map<NodeId, number>();

  /** The pace of an attempt that begins now with a peer. @param connected peers that could be asked instead, this one among them or not */
  begin(peer: NodeId, connected: readonly NodeId[], nowUs: number): Pace {
    const others = connected.filter((other) => other !== peer);
    const mayBeFaster = !this.#left.has(peer) && others.some((other) => !this.#left.has(other));
    const best = Math.max(0, ...others.map((other) => this.#left.get(other) ?? 0));
    const least = mayBeFaster ? LIMITS.transferBytesPerSecondGood : Math.max(LIMITS.transferBytesPerSecondMin, best / 2);
    return new Pace(nowUs, least);
  }

  /** A peer was left because it did not keep its pace. */
  leave(peer: NodeId, pace: Pace, nowUs: number): void {
    this.#left.set(peer, pace.rate(nowUs));
  }

  /** Forgets who was slow: the state is here. */
  clear(): void {
    this.#left.clear();
  }
}
