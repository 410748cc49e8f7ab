import type { Checkpoint } from "./checkpoint-text.ts";
import type { Findings } from "./findings.ts";
import type { Policy } from "./policy.ts";
import { type CheckedNote, checkNote, type Primitives } from "./verify-note.ts";

/** By whom a checkpoint has to be signed, and where it is said what is wrong. */
export interface NoteContext {
  readonly policyOfNote: (note: string) => Policy;
  readonly primitives: Primitives;
  readonly findings: Findings;
}

/** A checkpoint that stands for itself: lines of unknown keys are ignored. */
export function checkOwnNote(note: string, { policyOfNote, primitives, findings }: NoteContext): CheckedNote | undefined {
  return checkNote(note, { policy: policyOfNote(note), primitives, findings, strict: false });
}

/** The auditor's own checkpoints count only if a quorum signed them; they are the auditor's, so a bad one is a finding too. */
export function knownCheckpoints(notes: readonly string[], context: NoteContext): Checkpoint[] {
  return notes.flatMap((note) => {
    const checked = checkOwnNote(note, context);
    return checked?.isSigned === true ? [checked.checkpoint] : [];
  });
}

/** Compares a checkpoint without its log with kept ones: of other sizes only the log tells whether they agree. What no quorum signed is compared with nothing. */
export function compareAlone({ checkpoint, isSigned }: CheckedNote, known: readonly Checkpoint[], findings: Findings): void {
  if (!isSigned) return;
  for (const kept of known) {
    if (kept.origin !== checkpoint.origin) findings.notChecked(`the kept checkpoint of ${kept.origin}: this evidence is of another shard`);
    else if (kept.size !== checkpoint.size)
      findings.notChecked(`that the kept checkpoint of size ${kept.size} is of the same log: export the log and verify the folder`);
    else if (kept.root === checkpoint.root) findings.checked(`the kept checkpoint of size ${kept.size} is the same`);
    else findings.add("VERIFY_FORK", `a quorum signed two logs: their roots at size ${kept.size} differ`);
  }
}
