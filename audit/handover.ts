import {
  type CanonicalObject,
  encodeCanonical,
  FieldReader,
  fromHex,
  type Hasher,
  hashLeaf,
  LIMITS,
  type Membership,
  membershipHash,
  membershipToCanonical,
  parseCanonicalObject,
  parseMembership,
  QuorumgateError,
  type SignatureClaim,
  toHash,
  verifyInclusion,
} from "#base";
import { type Checkpoint, parseCheckpointText } from "./checkpoint-text.ts";
import { parseEntry } from "./entry.ts";
import { Findings } from "./findings.ts";
import { parseNote } from "./note.ts";
import type { Policy } from "./policy.ts";
import { parseReceipt, type Receipt, receiptText } from "./receipt.ts";
import { checkNote, type Primitives } from "./verify-note.ts";

/** How one epoch hands over to the next: the next members, and the old members' receipt of their epoch's last `block.sealed`. */
export interface Handover {
  readonly next: Membership;
  /** A tlog-proof whose entry is the last of its tree, under a checkpoint of the old members. */
  readonly receipt: string;
}

/** What follows from a verified handover. */
interface Step {
  readonly policy: Policy;
  /** The old epoch's last checkpoint. */
  readonly end: Checkpoint;
}

/** What is verified with, and where findings go. */
interface Context {
  readonly primitives: Primitives;
  readonly findings: Findings;
}

/** 31 members with the largest authorities, and a receipt. */
export const HANDOVER_BYTES_MAX = 1_048_576;

/** The file `epochs/<e>`, e the epoch that begins: canonical {v, next, receipt}. */
export function encodeHandover(parts: { readonly next: Membership; readonly sealed: Receipt }): Uint8Array {
  return encodeCanonical({ v: 1, next: membershipToCanonical(parts.next), receipt: receiptText(parts.sealed) });
}

/** Reads a handover strictly. @throws {QuorumgateError} VERIFY_MALFORMED */
export function parseHandover(bytes: Uint8Array, policy: Pick<Policy, "faultModel" | "zeroFaultTolerance">): Handover {
  if (bytes.length > HANDOVER_BYTES_MAX) throw malformed("it is too large");
  try {
    const reader = new FieldReader(parseCanonicalObject(bytes), "handover");
    reader.integer("v", { min: 1, max: 1 });
    const { zeroFaultTolerance, faultModel } = policy;
    const next = parseMembership(reader.value("next"), { zeroFaultTolerance, engine: faultModel === "crash" ? "raft" : "pbft" });
    const receipt = reader.text("receipt", LIMITS.frameBytesMax);
    reader.end();
    return { next, receipt };
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : "it does not parse", cause);
  }
}

/**
 * What has to be verified before a handover that somebody sent counts: the old members' signatures, two for each of a minimal quorum.
 *
 * Undefined when it is wrong whatever its signatures say, also when it hands over to other members than those named.
 * @param parties.from the policy of the epoch that ended
 * @param parties.next the members of the epoch that began, as the reader's own state has them
 */
export function handoverClaims(
  bytes: Uint8Array,
  parties: { readonly from: Policy; readonly next: Membership },
  hasher: Hasher,
): readonly SignatureClaim[] | undefined {
  const claims: SignatureClaim[] = [];
  // The same check as an auditor's, whose verdicts on signatures come later: every one of them has to be good.
  const ed25519 = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
    claims.push({ publicKey, message, signature }) > 0;
  const context = { primitives: { hasher, ed25519 }, findings: new Findings() };
  const handover = context.findings.attempt(() => parseHandover(bytes, parties.from));
  if (handover === undefined || nextHash(handover.next, context) !== nextHash(parties.next, context)) return undefined;
  return checkHandover(parties.from, handover, context) === undefined ? undefined : claims;
}

/**
 * Gives the policy that a checkpoint's note is judged by: the pinned one, or that of a later epoch to which handovers lead without a gap. A checkpoint up to
 * the size of an epoch's last one is its members' to sign, beyond it the next members': a retired key signs nothing new.
 *
 * A step that is missing is not enough evidence; two successors of one epoch, or two ends of it, are a fork.
 * @param handovers files `epochs/<e>`, in any order; those of epochs up to the pinned one are not needed and not looked at
 */
export function policiesBy(pinned: Policy, handovers: readonly Uint8Array[], context: Context): (note: string) => Policy {
  const steps = followHandovers(pinned, handovers, context);
  return (note) => {
    const checkpoint = checkpointOf(note);
    let policy = pinned;
    for (const step of steps) {
      if (checkpoint === undefined || !isBeyond(checkpoint, step.end)) break;
      policy = step.policy;
    }
    return policy;
  };
}

function followHandovers(pinned: Policy, files: readonly Uint8Array[], context: Context): readonly Step[] {
  const byEpoch = new Map<number, Handover[]>();
  for (const bytes of files) {
    const handover = context.findings.attempt(() => parseHandover(bytes, pinned));
    if (handover === undefined) return [];
    const { epoch } = handover.next;
    if (epoch > pinned.epoch) byEpoch.set(epoch, [...(byEpoch.get(epoch) ?? []), handover]);
  }
  const steps: Step[] = [];
  let policy = pinned;
  for (const epoch of [...byEpoch.keys()].sort((left, right) => left - right)) {
    if (epoch !== policy.epoch + 1) {
      context.findings.add("VERIFY_EVIDENCE", `the handover to epoch ${policy.epoch + 1} is missing`);
      break;
    }
    const step = oneSuccessor(policy, byEpoch.get(epoch) ?? [], context);
    if (step === undefined) break;
    steps.push(step);
    policy = step.policy;
  }
  if (steps.length > 0 && context.findings.clean) {
    context.findings.checked(`the members of epoch ${pinned.epoch} handed over, step by step, to those of epoch ${policy.epoch}`);
    context.findings.notice("a key that was stolen after its epoch ended is shown only by a witness or an anchor outside the cluster");
  }
  return steps;
}

function oneSuccessor(policy: Policy, handovers: readonly Handover[], context: Context): Step | undefined {
  const steps = handovers.flatMap((handover) => checkHandover(policy, handover, context) ?? []);
  const [first] = steps;
  const successors = new Set(handovers.map(({ next }) => nextHash(next, context)));
  // Of two ends the later one would lend the old members' word to all that lies between: whichever file comes first must not choose.
  const ends = new Set(steps.map(({ end: { origin, size, root } }) => `${origin} ${size} ${root}`));
  if (steps.length > 1 && (successors.size > 1 || ends.size > 1)) {
    const found = successors.size > 1 ? "handed over to two successors" : "ended it twice";
    context.findings.add("VERIFY_FORK", `the members of epoch ${policy.epoch} ${found}`);
    return undefined;
  }
  return first;
}

function checkHandover(policy: Policy, { next, receipt }: Handover, context: Context): Step | undefined {
  const { findings, primitives } = context;
  const parsed = findings.attempt(() => parseReceipt(receipt));
  if (parsed === undefined) return undefined;
  const note = checkNote(parsed.checkpoint, { policy, primitives, findings, strict: true });
  const content = findings.attempt(() => sealedContent(parsed));
  if (note === undefined || content === undefined) return undefined;
  const { checkpoint } = note;
  const { index, proof } = parsed;
  const claim = {
    index,
    size: checkpoint.size,
    leaf: hashLeaf(primitives.hasher, parsed.entry),
    path: proof,
    root: fromHex(checkpoint.root),
  };
  if (!verifyInclusion(primitives.hasher, claim))
    findings.add("VERIFY_ALTERED", "a handover's entry, index and proof do not lead to the signed root", index);
  if (index !== checkpoint.size - 1) findings.add("VERIFY_ALTERED", "a handover's entry is not the last of its checkpoint", index);
  if (content["epoch"] !== policy.epoch) findings.add("VERIFY_ALTERED", "a handover's block is of another epoch", index);
  if (content["nextMembershipHash"] !== nextHash(next, context) || content["membershipHash"] === content["nextMembershipHash"]) {
    findings.add("VERIFY_ALTERED", `the members of epoch ${policy.epoch} named other successors than those in the handover`, index);
  }
  return findings.clean ? { policy: nextPolicy(policy, next), end: checkpoint } : undefined;
}

function sealedContent({ entry }: Receipt): CanonicalObject {
  const { kind, content } = parseEntry(entry);
  if (kind !== "block.sealed") throw malformed("its entry seals no block");
  return content;
}

function nextPolicy(policy: Policy, next: Membership): Policy {
  const members = next.members.map(({ id, weight, keys }) => ({ id, weight, log: keys.log, witness: keys.witness }));
  return { ...policy, epoch: next.epoch, members };
}

function nextHash(next: Membership, { primitives }: Context): string {
  return toHash(membershipHash(primitives.hasher, next));
}

function checkpointOf(note: string): Checkpoint | undefined {
  try {
    return parseCheckpointText(parseNote(note).text);
  } catch {
    // The check of the note itself says what is wrong with it.
    return undefined;
  }
}

/** Shards order by name; within one, the tree only grows. */
function isBeyond(checkpoint: Checkpoint, end: Checkpoint): boolean {
  const [shard, endShard] = [checkpoint.origin.slice(-6), end.origin.slice(-6)];
  return shard === endShard ? checkpoint.size > end.size : shard > endShard;
}

function malformed(reason: string, cause?: unknown): QuorumgateError {
  return new QuorumgateError("VERIFY_MALFORMED", `a handover: ${reason}`, cause === undefined ? {} : { cause });
}
