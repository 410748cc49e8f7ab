import type { Hash } from "#base";
import { checkHistory } from "../linearizability/checker.ts";
import { type ClientAnswer, type ClientRequest, gatewayModel, type ServiceRead } from "../linearizability/gateway-model.ts";
import type { HistoryOperation } from "../linearizability/history.ts";
import type { Operation, ReadOperation } from "../workload.ts";

/** Steps of the model for each service of one run; hundreds are enough for most. */
const STEPS_MAX = 20_000;

/** What clients asked and heard in a run, as a history of operations. */
export type ClientHistory = readonly HistoryOperation<ClientRequest | ServiceRead, ClientAnswer>[];

/** What came of a run's history: in order, out of order (and how), or given up. */
export type HistoryFinding =
  | { readonly kind: "linearizable" }
  | { readonly kind: "unknown" }
  | { readonly kind: "violated"; readonly detail: string };

/**
 * A6, by what clients saw and nothing else: neither heights nor places in the log are believed, only questions, answers and their times. Whatever stays
 * without an answer may have happened at any time, or never.
 */
export function checkClientHistory(history: ClientHistory, { toleratesLies }: { readonly toleratesLies: boolean }): HistoryFinding {
  const verdict = checkHistory(gatewayModel({ toleratesLies }), history, { stepsMax: STEPS_MAX });
  if (verdict.kind !== "violated") return { kind: verdict.kind };
  const { partition, order, stuckAt } = verdict;
  const before = order.slice(-3).map((index) => describe(history[index]));
  const detail = `no order of what clients of ${partition} asked explains ${describe(history[stuckAt])}; before it came ${before.join(", ") || "nothing"}`;
  return { kind: "violated", detail };
}

/**
 * The same bytes sent again are one operation: it began when they were first sent, and ended with the first answer. What was rejected before it
 * was ordered has no effect, and is left out.
 */
export function clientHistory(operations: readonly Operation[], reads: readonly ReadOperation[]): ClientHistory {
  const history = new Map<Hash, HistoryOperation<ClientRequest, ClientAnswer>>();
  const commandsOf = new Map<string, Set<Hash>>();
  for (const operation of operations) {
    const { hash } = operation.signed;
    const { intent } = operation;
    if (intent === undefined || operation.answer === "rejected") continue;
    const commands = commandsOf.get(intent.identity) ?? new Set();
    commandsOf.set(intent.identity, commands.add(hash));
    const earlier = history.get(hash);
    const returned = earliest(earlier?.returned, answerTo(operation));
    const invokedAt = Math.min(operation.submittedUs, earlier?.invokedAt ?? operation.submittedUs);
    const input = { ...intent, command: hash, isContested: false };
    history.set(hash, { input, invokedAt, ...(returned === undefined ? {} : { returned }) });
  }
  const commands = [...history.values()].map((item) => {
    const isContested = (commandsOf.get(item.input.identity)?.size ?? 0) > 1;
    return isContested ? { ...item, input: { ...item.input, isContested } } : item;
  });
  return [...commands, ...reads.flatMap(readOf)];
}

/** A read that was not answered says nothing. */
function readOf({ service, submittedUs, answeredUs, seen }: ReadOperation): ClientHistory {
  if (seen === undefined || answeredUs === undefined) return [];
  const output = { outcome: "read", code: "OK", seen };
  return [{ input: { kind: "read", service }, invokedAt: submittedUs, returned: { at: answeredUs, output } }];
}

type Returned = HistoryOperation<ClientRequest, ClientAnswer>["returned"];

function answerTo({ record, answeredUs }: Operation): Returned {
  return record === undefined || answeredUs === undefined
    ? undefined
    : { at: answeredUs, output: { outcome: record.outcome, code: record.code } };
}

function earliest(left: Returned, right: Returned): Returned {
  if (left === undefined || right === undefined) return left ?? right;
  return left.at <= right.at ? left : right;
}

function describe(item: ClientHistory[number] | undefined): string {
  if (item === undefined) return "nothing";
  const { input } = item;
  if (input.kind === "read") return `read of ${input.service} (${JSON.stringify(item.returned?.output.seen)})`;
  const { kind, service, operation, risk, command } = input;
  const { outcome, code } = item.returned?.output ?? { outcome: "no answer", code: "" };
  return [kind, service, operation, risk, command.slice(0, 8), `(${outcome}${code === "" || code === "OK" ? "" : ` ${code}`})`]
    .filter((word) => word !== undefined)
    .join(" ");
}
