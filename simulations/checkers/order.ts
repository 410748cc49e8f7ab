import type { Operation } from "../workload.ts";

/** A6: how many operations stand in the log before one that was answered before they were asked. */
export function outOfOrder(operations: readonly Operation[]): number {
  const times = new Map<string, number>();
  for (const { signed } of operations) times.set(signed.hash, (times.get(signed.hash) ?? 0) + 1);
  const answered = operations.filter((operation) => operation.record?.seq !== undefined && operation.answeredUs !== undefined);
  const byAnswer = [...answered].sort((a, b) => (a.answeredUs ?? 0) - (b.answeredUs ?? 0));
  const bySubmit = [...answered].sort((a, b) => a.submittedUs - b.submittedUs);
  let [highest, next, wrong] = [-1, 0, 0];
  for (const { submittedUs, record, signed } of bySubmit) {
    for (; next < byAnswer.length && (byAnswer[next]?.answeredUs ?? 0) < submittedUs; next++)
      highest = Math.max(highest, byAnswer[next]?.record?.seq ?? -1);
    // The same bytes sent twice are one operation that began with the first.
    if (times.get(signed.hash) === 1 && (record?.seq ?? 0) < highest) wrong += 1;
  }
  return wrong;
}
