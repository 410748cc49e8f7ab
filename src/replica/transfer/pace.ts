import { LIMITS } from "#base";

/**
 * Whether a peer gives what it offered as fast as anybody could: one that answers each request just in time, with as little as proves right, would
 * else keep this node away for weeks (docs/protocols/state-transfer.md).
 */
export class Pace {
  readonly #startedUs: number;
  #bytes = 0;

  constructor(startedUs: number) {
    this.#startedUs = startedUs;
  }

  /** Notes an answer that was of use; false when all of them together came too slowly. A clock that was set back says nothing. */
  keeps(bytes: number, nowUs: number): boolean {
    this.#bytes += bytes;
    const allowedUs = LIMITS.transferPatienceMs * 1_000 + (this.#bytes / LIMITS.transferBytesPerSecondMin) * 1_000_000;
    return nowUs - this.#startedUs <= allowedUs;
  }
}
