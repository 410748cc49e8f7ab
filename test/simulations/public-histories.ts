import type { HistoryOperation, SequentialModel } from "#simulations";

/** What a client of etcd asks of its one register; values are integers, null while nothing is written. */
export type RegisterInput =
  | { readonly kind: "read" }
  | { readonly kind: "write"; readonly value: number }
  | { readonly kind: "cas"; readonly from: number; readonly to: number };
/** What it hears: the value read, or whether it was written. */
export type RegisterOutput = number | null | boolean;

/** A register with compare-and-set, as etcd was asked to be by Jepsen. */
export const REGISTER: SequentialModel<number | null, RegisterInput, RegisterOutput> = {
  initial: null,
  step: (state, input, output) => {
    if (input.kind === "read") return output === undefined || output === state ? state : undefined;
    if (input.kind === "write") return input.value;
    const isSwapped = state === input.from;
    if (output !== undefined && output !== isSwapped) return undefined;
    return isSwapped ? input.to : state;
  },
  key: (state) => state ?? "nothing",
  readsOnly: ({ kind }) => kind === "read",
};

/** What a client of a store of texts asks. */
export interface TextInput {
  readonly kind: "get" | "put" | "append";
  readonly key: string;
  readonly value: string;
}

/** A store of texts, by key. */
export const TEXTS: SequentialModel<string, TextInput, string> = {
  initial: "",
  partition: ({ key }) => key,
  step: (state, { kind, value }, output) => {
    if (kind === "put") return value;
    if (kind === "append") return state + value;
    return output === undefined || output === state ? state : undefined;
  },
  key: (state) => state,
  readsOnly: ({ kind }) => kind === "get",
};

interface Event {
  readonly process: string;
  readonly type: string;
  readonly kind: string;
  readonly key?: string;
  readonly value: string;
}

/** A log of Jepsen's: process, type, kind and value, between tabs; the line is the time. */
export function readRegisterHistory(text: string): HistoryOperation<RegisterInput, RegisterOutput>[] {
  const events = text.split("\n").flatMap((line): Event[] => {
    const [, process, type, kind, value] = /^INFO {2}jepsen\.util - (\d+)\s+:(\w+)\s+:(\w+)\s+(.+)$/.exec(line) ?? [];
    return process && type && kind && value ? [{ process, type, kind, value }] : [];
  });
  return pair(events, registerInput, ({ type, kind, value }) => {
    if (kind === "cas" && (type === "ok" || type === "fail")) return type === "ok";
    if (type !== "ok") return undefined;
    return kind === "read" ? integer(value) : true;
  });
}

/** A history of texts: one event in braces on each line. */
export function readTextHistory(text: string): HistoryOperation<TextInput, string>[] {
  const events = text.split("\n").flatMap((line): Event[] => {
    const [, process, type, kind, key, value] =
      /^\{:process (\d+), :type :(\w+), :f :(\w+), :key "(.*)", :value (?:nil|"(.*)")\}$/.exec(line) ?? [];
    return process && type && kind && key !== undefined ? [{ process, type, kind, key, value: value ?? "" }] : [];
  });
  const inputOf = ({ kind, key = "", value }: Event): TextInput => ({ kind: kind as TextInput["kind"], key, value });
  return pair(events, inputOf, ({ type, value }) => (type === "ok" ? value : undefined));
}

function registerInput({ kind, value }: Event): RegisterInput {
  if (kind === "read") return { kind };
  if (kind === "write") return { kind, value: Number(value) };
  const [from = "", to = ""] = value.slice(1, -1).split(" ");
  return { kind: "cas", from: Number(from), to: Number(to) };
}

function integer(value: string): number | null {
  return value === "nil" ? null : Number(value);
}

/** A process has one operation under way; an outcome that is not known leaves it open. */
function pair<Input, Output>(
  events: readonly Event[],
  inputOf: (event: Event) => Input,
  outputOf: (event: Event) => Output | undefined,
): HistoryOperation<Input, Output>[] {
  const history: HistoryOperation<Input, Output>[] = [];
  const underWay = new Map<string, number>();
  for (const [at, event] of events.entries()) {
    if (event.type === "invoke") {
      underWay.set(event.process, history.length);
      history.push({ input: inputOf(event), invokedAt: at });
      continue;
    }
    const index = underWay.get(event.process);
    const asked = index === undefined ? undefined : history[index];
    if (index === undefined || asked === undefined) throw new RangeError(`event ${at} answers nothing`);
    underWay.delete(event.process);
    const output = outputOf(event);
    if (output !== undefined) history[index] = { ...asked, returned: { at, output } };
  }
  return history;
}
