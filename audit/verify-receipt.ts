import { fromHex, hashLeaf, verifyInclusion } from "#base";
import { type AuditEntry, parseEntry } from "./entry.ts";
import { Findings, type VerificationResult } from "./findings.ts";
import { policiesBy } from "./handover.ts";
import { checkOwnNote, compareAlone, knownCheckpoints } from "./known-checkpoints.ts";
import { type Policy, parsePolicy } from "./policy.ts";
import { parseReceipt, type Receipt } from "./receipt.ts";
import { shardAt } from "./shard.ts";
import { type CheckedNote, checkNote, type Primitives, primitivesOf, type VerifyOptions } from "./verify-note.ts";

/**
 * Checks a receipt offline: form, the quorum's signatures, the entry, and that the signed tree holds it.
 *
 * Changing any single byte of a valid receipt gives a finding with exit code 10, 12, 13 or 17.
 * @param receipt the tlog-proof; bytes are read as strict UTF-8 by the caller
 * @param policy the policy file, which the auditor got through another channel
 */
export function verifyReceipt(receipt: string, policy: string, options: VerifyOptions = {}): VerificationResult {
  const primitives = primitivesOf(options);
  const findings = new Findings();
  const parsedPolicy = findings.attempt(() => parsePolicy(policy, primitives.hasher));
  const parsed = findings.attempt(() => parseReceipt(receipt));
  if (parsedPolicy === undefined || parsed === undefined) return findings.result();
  notePolicy(parsedPolicy, findings);
  const policyOfNote = policiesBy(parsedPolicy, options.epochs ?? [], { primitives, findings });
  const note = checkNote(parsed.checkpoint, { policy: policyOfNote(parsed.checkpoint), primitives, findings, strict: true });
  const entry = findings.attempt(() => parseEntry(parsed.entry));
  if (note !== undefined) checkPlace(parsed, note, primitives, findings);
  if (entry !== undefined) checkEntry(entry, parsed, note, findings);
  if (findings.clean) sayChecked(findings);
  const known = knownCheckpoints(options.knownCheckpoints ?? [], { policyOfNote, primitives, findings });
  if (note !== undefined) compareAlone(note, known, findings);
  findings.notChecked("that the cluster showed everybody the same log: compare checkpoints with other parties, or keep them");
  findings.notChecked("the entries before this one: export the log and verify the folder");
  findings.notChecked("that no signing key was stolen: only a witness or an anchor outside the cluster shows that");
  return findings.result({
    ...(entry === undefined ? {} : { entry }),
    ...(note === undefined ? {} : { checkpoint: note.checkpoint, signers: note.signers }),
  });
}

/** Checks a checkpoint's note alone, ignoring lines of unknown keys; optionally against checkpoints that the auditor kept or another one was shown. */
export function verifyCheckpoint(note: string, policy: string, options: VerifyOptions = {}): VerificationResult {
  const primitives = primitivesOf(options);
  const findings = new Findings();
  const parsedPolicy = findings.attempt(() => parsePolicy(policy, primitives.hasher));
  if (parsedPolicy === undefined) return findings.result();
  notePolicy(parsedPolicy, findings);
  const policyOfNote = policiesBy(parsedPolicy, options.epochs ?? [], { primitives, findings });
  const context = { policyOfNote, primitives, findings };
  const checked = checkOwnNote(note, context);
  if (findings.clean) findings.checked("a quorum signed the checkpoint, by distinct log keys and by distinct witness keys");
  const known = knownCheckpoints(options.knownCheckpoints ?? [], context);
  if (checked !== undefined) compareAlone(checked, known, findings);
  findings.notChecked("the entries under the checkpoint's root");
  return findings.result(checked === undefined ? {} : { checkpoint: checked.checkpoint, signers: checked.signers });
}

/** What a reader of any result under this policy has to know. */
export function notePolicy(policy: Policy, findings: Findings): void {
  if (policy.environment === "development") findings.notice("DEVELOPMENT: this cluster runs on one machine, for evaluation only");
  if (policy.faultModel === "crash") findings.notice("CRASH FAULTS ONLY: one lying node can make this log say anything");
  if (policy.zeroFaultTolerance) findings.notice("ZERO FAULT TOLERANCE: the fault of one node can be fatal, as its genesis declares");
}

function checkPlace({ entry, index, proof }: Receipt, note: CheckedNote, { hasher }: Primitives, findings: Findings): void {
  const { size, root } = note.checkpoint;
  const claim = { index, size, leaf: hashLeaf(hasher, entry), path: proof, root: fromHex(root) };
  if (!verifyInclusion(hasher, claim)) findings.add("VERIFY_ALTERED", "entry, index and proof do not lead to the signed root", index);
}

function checkEntry(entry: AuditEntry, { index }: Receipt, note: CheckedNote | undefined, findings: Findings): void {
  const shard = note?.checkpoint.origin.slice(-6);
  if (entry.seq < index) findings.add("VERIFY_ALTERED", "the entry's number is below its index in the shard", index);
  if (shard !== undefined && shard !== shardAt(entry.block.timeUs)) {
    findings.add("VERIFY_ALTERED", "the entry's time lies in another half year than the checkpoint's shard", index);
  }
  if (entry.provenance === "asserted") findings.notice(`asserted by ${entry.actor}, not signed by the subject`);
}

function sayChecked(findings: Findings): void {
  findings.checked("the receipt is in its one canonical form");
  findings.checked("a minimal quorum signed the checkpoint, by distinct log keys and by distinct witness keys");
  findings.checked("the entry is canonical and well formed");
  findings.checked("the signed tree holds the entry at its index");
}
