import { type Configuration, Configurations } from "./configurations.ts";
import type { HistoryOperation, SequentialModel } from "./history.ts";
import { type Live, type Moment, momentsOf } from "./moments.ts";

/** What came of one partition; operations by their places in it. */
export type SearchResult =
  | { readonly kind: "linearizable"; readonly order: readonly number[] }
  | { readonly kind: "violated"; readonly order: readonly number[]; readonly stuckAt: number }
  | { readonly kind: "unknown" };

/** Where the search stands: before a moment, in a configuration. */
interface Point<State> {
  readonly moment: number;
  readonly configuration: Configuration<State>;
}

/**
 * Looks, depth first, for an order of operations that the model allows and that keeps every answer before whatever was asked after it. Operations
 * take effect only when an answer is due, and then only those that may lead to it; what was met before is not searched again.
 *
 * Source: Wing & Gong 1993, section 4 (the search); Lowe 2017, "Testing for linearizability" (configurations met before, just-in-time
 * linearization).
 */
export class Search<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #moments: readonly Moment<Input, Output>[];
  readonly #met: readonly Configurations<State>[];
  readonly #waiting: Point<State>[] = [];

  constructor(model: SequentialModel<State, Input, Output>, operations: readonly HistoryOperation<Input, Output>[]) {
    this.#model = model;
    this.#moments = momentsOf(operations);
    this.#met = this.#moments.map(({ open }) => new Configurations((state: State) => model.key(state), open));
    this.#waiting.push({ moment: 0, configuration: { state: model.initial, taken: 0n, path: undefined } });
  }

  /** Tries at most so many steps of the model. */
  run(stepsMax: number): SearchResult {
    let steps = stepsMax;
    let farthest: Point<State> | undefined;
    for (let point = this.#waiting.pop(); point !== undefined; point = this.#waiting.pop()) {
      const moment = this.#moments[point.moment];
      if (moment === undefined) return { kind: "linearizable", order: orderOf(point.configuration) };
      if (point.moment >= (farthest?.moment ?? 0)) farthest = point;
      if (moment.due === undefined || (point.configuration.taken & moment.due.bit) !== 0n) this.#pass(point, moment);
      else {
        steps -= moment.live.length;
        if (steps < 0) return { kind: "unknown" };
        this.#choose(point, moment, moment.due);
      }
    }
    const stuckAt = this.#moments[farthest?.moment ?? 0]?.due?.place ?? -1;
    return { kind: "violated", order: farthest === undefined ? [] : orderOf(farthest.configuration), stuckAt };
  }

  /** Nothing stands in the way: an answer has its effect behind it, a question needs none. */
  #pass({ moment, configuration }: Point<State>, { due, live }: Moment<Input, Output>): void {
    const { state, taken, path } = configuration;
    if (due !== undefined) this.#visit({ moment: moment + 1, configuration: { state, taken: taken ^ due.bit, path } });
    else this.#visit({ moment: moment + 1, configuration: this.#withReads(configuration, live) });
  }

  /** Any operation under way may be the next to take effect; the one whose answer is due is tried first. */
  #choose({ moment, configuration }: Point<State>, { live }: Moment<Input, Output>, due: Live<Input, Output>): void {
    const { taken } = configuration;
    for (const operation of live)
      if (operation !== due && (taken & operation.bit) === 0n) this.#take({ moment, configuration }, operation, live);
    this.#take({ moment, configuration }, due, live);
  }

  #take({ moment, configuration }: Point<State>, operation: Live<Input, Output>, live: readonly Live<Input, Output>[]): void {
    const { place, bit, input, returned } = operation;
    const state = this.#model.step(configuration.state, input, returned?.output);
    if (state === undefined) return;
    const next = { state, taken: configuration.taken | bit, path: { place, before: configuration.path } };
    this.#visit({ moment, configuration: this.#withReads(next, live) });
  }

  #visit(point: Point<State>): void {
    if (this.#met[point.moment]?.add(point.configuration) !== false) this.#waiting.push(point);
  }

  /** A read that is possible is taken at once: whatever was possible before it is possible after it. */
  #withReads(configuration: Configuration<State>, live: readonly Live<Input, Output>[]): Configuration<State> {
    const { readsOnly } = this.#model;
    if (readsOnly === undefined) return configuration;
    let { taken, path } = configuration;
    for (const { place, bit, input, returned } of live) {
      if ((taken & bit) !== 0n || !readsOnly(input)) continue;
      if (this.#model.step(configuration.state, input, returned?.output) === undefined) continue;
      taken |= bit;
      path = { place, before: path };
    }
    return { state: configuration.state, taken, path };
  }
}

/** The operations in the order in which they took effect. */
function orderOf<State>(configuration: Configuration<State>): number[] {
  const order: number[] = [];
  for (let { path } = configuration; path !== undefined; path = path.before) order.push(path.place);
  return order.reverse();
}
