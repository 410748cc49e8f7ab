/** A state in which the object may be, and which of the operations under way took effect on the way there. */
export interface Configuration<State> {
  readonly state: State;
  /** One bit for each operation under way. */
  readonly taken: bigint;
  readonly path: Path | undefined;
}

/** Operations in the order in which they took effect, the last one first. */
export interface Path {
  readonly place: number;
  readonly before: Path | undefined;
}

/**
 * Configurations that were met at one moment. Of two at one state, with the same answered operations behind them, the one that used up fewer of the
 * unanswered ones can do whatever the other can: those may still take effect, and need not.
 */
export class Configurations<State> {
  readonly #keyOf: (state: State) => string | number;
  readonly #open: bigint;
  readonly #byAnswered = new Map<bigint, Map<string | number, readonly bigint[]>>();

  constructor(keyOf: (state: State) => string | number, open: bigint) {
    this.#keyOf = keyOf;
    this.#open = open;
  }

  /** False when one that was met can do whatever this one can. */
  add({ state, taken }: Configuration<State>): boolean {
    const answered = taken & ~this.#open;
    const byState = this.#byAnswered.get(answered) ?? new Map<string | number, readonly bigint[]>();
    this.#byAnswered.set(answered, byState);
    const key = this.#keyOf(state);
    const known = byState.get(key) ?? [];
    const used = taken & this.#open;
    if (known.some((other) => (other & ~used) === 0n)) return false;
    byState.set(key, [...known.filter((other) => (used & ~other) !== 0n), used]);
    return true;
  }
}
