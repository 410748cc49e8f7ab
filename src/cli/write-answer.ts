import { describeError, isErrorCode, type JsonValue } from "#base";
import type { WriteResult } from "#gateway";
import { EXIT } from "./failure.ts";
import { type Output, printable } from "./output.ts";

/** Shows what became of a write; the exit code says whether it was applied. */
export function showWrite(result: WriteResult, what: string, output: Output): number {
  const { outcome, reason, decisionId, height, seq, waitingFor } = result;
  const isApplied = outcome === "applied";
  output.result(result as unknown as JsonValue, () => {
    const { style } = output;
    if (isApplied) return `${style.good("✔")} ${what}   decision ${decisionId} · height ${height} · entry #${seq}`;
    const because = isErrorCode(reason)
      ? `${reason}: ${describeError(reason).title}\n  ${style.faint("hint:")} ${describeError(reason).hint}`
      : reason;
    const waiting = waitingFor === undefined || waitingFor.length === 0 ? "" : `\n  waiting for ${printable(waitingFor.join(", "))}`;
    return `${style.bad("✖")} not done: ${what} — ${outcome}, ${because}${waiting}\n  decision ${decisionId}`;
  });
  return isApplied ? EXIT.done : EXIT.refused;
}
