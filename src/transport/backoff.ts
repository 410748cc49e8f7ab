import { type Entropy, LIMITS } from "#base";

/**
 * Pauses between attempts: doubled each time up to the cap, each drawn from its upper half, so that nodes that lost a peer together
 * do not dial it together.
 */
export class Backoff {
  readonly #entropy: Entropy;
  #attempts = 0;

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  /** The next pause in milliseconds. */
  next(): number {
    const full = Math.min(LIMITS.peerRedialMaxMs, LIMITS.peerRedialMinMs * 2 ** this.#attempts);
    // Counting on would overflow to Infinity in the end; the cap is reached long before.
    this.#attempts = Math.min(this.#attempts + 1, 30);
    const [high = 0, low = 0] = this.#entropy.bytes(2);
    return full * (0.5 + ((high << 8) | low) / 0x2_0000);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
