import { type CanonicalValue, describeError, isErrorCode, isObject } from "#base";
import { type Output, printable, table } from "./output.ts";

/** What an explanation is about. */
export interface Explained {
  readonly outcome: string;
  readonly reason: string;
  readonly explanation: CanonicalValue;
}

/** A decision's explanation for a person: each stage with what failed, then what would have allowed it. */
export function formatExplanation({ outcome, reason, explanation }: Explained, { style }: Output): string {
  const fields = isObject(explanation) ? explanation : {};
  const isAllowed = outcome === "allowed" || outcome === "applied";
  const verdict = isAllowed ? style.good(outcome.toUpperCase()) : style.bad(outcome.toUpperCase());
  const because = isErrorCode(reason) ? `${reason}: ${describeError(reason).title}` : reason;
  const grant = textOf(fields["grant"] ?? fields["closestGrant"]);
  const grantLine = grant === "" ? [] : [`${fields["grant"] === undefined ? "closest grant" : "by grant"} ${grant}`];
  const hint = isErrorCode(reason) ? [`${style.faint("hint:")} ${describeError(reason).hint}`] : [];
  return [`${verdict}   ${because}`, ...listOf(fields["stages"]).map(stageLines), ...grantLine, ...changes(fields["wouldAllow"]), ...hint]
    .map((line) => (line.includes("\u001b") ? line : printable(line)))
    .join("\n");
}

function stageLines(value: CanonicalValue): string {
  const stage = isObject(value) ? value : {};
  const sign = { passed: "+", failed: "x" }[textOf(stage["result"])] ?? "-";
  const failed = listOf(stage["failed"]).map((item) => {
    const check = isObject(item) ? item : {};
    return `      ${textOf(check["check"])}: asked ${textOf(check["asked"])} (${textOf(check["code"])})`;
  });
  return [`  ${sign} ${textOf(stage["stage"])} ${textOf(stage["result"])}`, ...failed].join("\n");
}

function changes(value: CanonicalValue | undefined): string[] {
  const rows = listOf(value).map((item) => {
    const { change, to } = isObject(item) ? item : {};
    return [" ", `${textOf(change)}:`, textOf(to)];
  });
  return rows.length === 0 ? [] : ["would be allowed with all of this:", table(rows)];
}

function listOf(value: CanonicalValue | undefined): readonly CanonicalValue[] {
  return Array.isArray(value) ? (value as readonly CanonicalValue[]) : [];
}

function textOf(value: CanonicalValue | undefined): string {
  return value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
}
