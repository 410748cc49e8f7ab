import type { HistoryOperation } from "./history.ts";

/** An operation that was asked and not answered yet. */
export interface Live<Input, Output> extends HistoryOperation<Input, Output> {
  readonly place: number;
  /** Its own among those under way; free again once it is answered. */
  readonly bit: bigint;
}

/** A question or an answer, in the order of time. */
export interface Moment<Input, Output> {
  /** The operation whose answer is due; absent where one is asked. */
  readonly due?: Live<Input, Output>;
  /** Operations under way: with the one that is asked, or with the one whose answer is due. */
  readonly live: readonly Live<Input, Output>[];
  /** Bits of those that are never answered, and need not take effect. */
  readonly open: bigint;
}

/** The moments of a history. An answer at the time of a question does not come before it: who is generous here blames nobody wrongly. */
export function momentsOf<Input, Output>(operations: readonly HistoryOperation<Input, Output>[]): Moment<Input, Output>[] {
  const live = new Map<number, Live<Input, Output>>();
  const free: bigint[] = [];
  let [bits, open] = [0n, 0n];
  const ask = (operation: HistoryOperation<Input, Output>, place: number): Moment<Input, Output> => {
    const bit = free.pop() ?? 1n << bits++;
    if (operation.returned === undefined) open |= bit;
    const { input, invokedAt, returned } = operation;
    live.set(place, returned === undefined ? { input, invokedAt, place, bit } : { input, invokedAt, returned, place, bit });
    return { live: [...live.values()], open };
  };
  const answer = (place: number): Moment<Input, Output>[] => {
    const due = live.get(place);
    if (due === undefined) return [];
    const moment = { due, live: [...live.values()], open };
    live.delete(place);
    free.push(due.bit);
    return [moment];
  };
  return timesOf(operations).flatMap(({ place, isAnswer }) => {
    const operation = operations[place];
    if (operation === undefined) return [];
    return isAnswer ? answer(place) : ask(operation, place);
  });
}

function timesOf(operations: readonly HistoryOperation<unknown, unknown>[]): { readonly place: number; readonly isAnswer: boolean }[] {
  const times = operations.flatMap(({ invokedAt, returned }, place) => {
    const asked = { at: invokedAt, place, isAnswer: false };
    return returned === undefined ? [asked] : [asked, { at: returned.at, place, isAnswer: true }];
  });
  return times.sort((a, b) => a.at - b.at || Number(a.isAnswer) - Number(b.isAnswer) || a.place - b.place);
}
