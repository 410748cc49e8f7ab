/** Decisions in a row without a failure after which waits come down a step. */
const CALM_DECISIONS = 32;
/** Steps that waits keep from earlier failures: eight times their base at most, or one slow hour would leave timers of minutes behind. */
const STEPS_MAX = 3;

/**
 * How much longer than at first to wait for others: doubled for each time that the waits proved too short, and slow to forget, so that a slow network
 * or a heavy load does not change leaders again and again.
 */
export class Patience {
  #steps = 0;
  #calm = 0;

  /** How often to double the waits. */
  get steps(): number {
    return this.#steps;
  }

  /** A wait proved too short. */
  lengthen(): void {
    this.#steps = Math.min(this.#steps + 1, STEPS_MAX);
    this.#calm = 0;
  }

  /** A height was decided; enough of them in a row take a step back, and it was calm: true. */
  onDecided(): boolean {
    this.#calm += 1;
    if (this.#calm < CALM_DECISIONS) return false;
    this.#calm = 0;
    this.#steps = Math.max(0, this.#steps - 1);
    return true;
  }
}
