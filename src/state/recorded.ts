import type { CanonicalObject, CommandResult, EntryDraft } from "#base";

/** The parts of an entry that say what its command came to. */
export type RecordedEntry = Pick<EntryDraft, "kind" | "subject" | "decision" | "capability" | "content"> & { readonly reason: string };

/**
 * Outcome, code and answer of a command follow from its entry: whoever holds the entry holds them, and nothing of them is stored beside it.
 * Only for an entry that says all that its draft said.
 */
export function resultOfEntry(
  entry: RecordedEntry,
  at: { readonly height: number; readonly timeUs: number },
): Pick<CommandResult, "outcome" | "code" | "answer"> {
  const code = entry.reason as CommandResult["code"];
  const { height } = at;
  const time = String(at.timeUs);
  if (entry.decision === undefined) {
    const action = entry.content["action"] ?? "";
    return { outcome: code === "OK" ? "applied" : "refused", code, answer: { action, reason: code, subject: entry.subject, height, time } };
  }
  const explanation = entry.content["explanation"] as CanonicalObject;
  const riskLevel = entry.capability?.["riskLevel"] ?? "";
  return { outcome: entry.decision, code, answer: { ...explanation, service: entry.subject, riskLevel, height, time } };
}
