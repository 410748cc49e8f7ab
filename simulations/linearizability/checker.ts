import type { HistoryOperation, SequentialModel, Verdict } from "./history.ts";
import { Search, type SearchResult } from "./search.ts";

/** Steps of the model that are tried for one partition by default: some seconds. */
const STEPS_MAX = 2_000_000;
/** Each partition is given this part of its steps first: one that is violated often shows it soon, and spares the others. */
const FIRST_LOOK = 1 / 32;

/**
 * Whether the operations of a history could have happened one at a time, each somewhere between its question and its answer. One part of the object
 * that is violated is a verdict on the whole, however many others are given up.
 *
 * Source: Herlihy & Wing 1990 (what linearizable means, and locality); Horn & Kroening 2015 (search by partitions).
 */
export function checkHistory<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly HistoryOperation<Input, Output>[],
  { stepsMax = STEPS_MAX }: { readonly stepsMax?: number } = {},
): Verdict {
  const orders: (readonly number[])[] = [];
  let waiting = partitionsOf(model, history);
  for (const steps of [Math.ceil(stepsMax * FIRST_LOOK), stepsMax]) {
    const unknown = new Map<string, readonly number[]>();
    for (const [partition, indexes] of waiting) {
      const operations = indexes.flatMap((index) => history[index] ?? []);
      const result = inHistory(new Search(model, operations).run(steps), indexes);
      if (result.kind === "violated") return { ...result, partition };
      if (result.kind === "unknown") unknown.set(partition, indexes);
      else orders.push(result.order);
    }
    waiting = unknown;
  }
  const [partition] = waiting.keys();
  return partition === undefined ? { kind: "linearizable", orders } : { kind: "unknown", partition };
}

function partitionsOf<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly HistoryOperation<Input, Output>[],
): ReadonlyMap<string, readonly number[]> {
  const partitions = new Map<string, number[]>();
  for (const [index, { input }] of history.entries()) {
    const name = model.partition?.(input) ?? "";
    const indexes = partitions.get(name);
    if (indexes === undefined) partitions.set(name, [index]);
    else indexes.push(index);
  }
  return partitions;
}

/** Places in a partition as indexes into the history. */
function inHistory(result: SearchResult, indexes: readonly number[]): SearchResult {
  if (result.kind === "unknown") return result;
  const indexOf = (place: number): number => indexes[place] ?? -1;
  const order = result.order.map(indexOf);
  return result.kind === "violated" ? { kind: "violated", order, stuckAt: indexOf(result.stuckAt) } : { kind: "linearizable", order };
}
