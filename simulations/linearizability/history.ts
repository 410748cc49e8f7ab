/** One operation as its client saw it. Times are of one clock; those that overlap, and those that only touch, may have happened in either order. */
export interface HistoryOperation<Input, Output> {
  readonly input: Input;
  readonly invokedAt: number;
  /** Absent where no answer came, or one that leaves the outcome open: it may take effect at any time from then on, or never. */
  readonly returned?: { readonly at: number; readonly output: Output };
}

/** What the object would do if operations came one at a time. States are values: a step never changes the one that it is given. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  /** The state after an operation; undefined when this output cannot come from this state. Without an output: whatever it would do here. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal for equal states, and for no others. */
  key(state: State): string | number;
  /** True for what changes no state, whatever it meets: taken as soon as it is possible, it spares much of the search. */
  readsOnly?(input: Input): boolean;
  /**
   * Names the part of the object that an operation touches. Parts that share no state are checked apart: a history is linearizable when each part
   * is. Source: Herlihy & Wing 1990, theorem 1 (locality).
   */
  partition?(input: Input): string;
}

/** What came of a check. Orders are of one partition, by indexes into the history. */
export type Verdict =
  /** One possible order for each partition; what was not answered stands in it where it took effect, if it did. */
  | { readonly kind: "linearizable"; readonly orders: readonly (readonly number[])[] }
  /** No order explains the answer to operation `stuckAt`; `order` is one that explains all before. */
  | { readonly kind: "violated"; readonly partition: string; readonly order: readonly number[]; readonly stuckAt: number }
  /** Given up within the bound. */
  | { readonly kind: "unknown"; readonly partition: string };
