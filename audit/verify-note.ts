import { type Hasher, isQuorum, portableHasher } from "#base";
import { logKeyOf, witnessKeyOf } from "./checkpoint.ts";
import { type Checkpoint, logSignatureMessage, parseCheckpointText, witnessSignatureMessage } from "./checkpoint-text.ts";
import { type Ed25519Predicate, verifyEd25519 } from "./ed25519.ts";
import type { Findings } from "./findings.ts";
import { type NoteKey, type NoteSignature, noteKeyId, parseNote, SIGNATURE_TYPE, type SignedNote } from "./note.ts";
import { type Policy, totalPolicyWeight } from "./policy.ts";
import { shardOfOrigin } from "./shard.ts";

/** What a caller of the verifier may replace. */
export interface VerifyOptions {
  /** Files `epochs/<e>`, which lead from the policy's epoch to later ones. */
  readonly epochs?: readonly Uint8Array[];
  /** Signed checkpoints that the auditor kept, or that another one was shown: what shows a log that was cut, rewritten or told in two ways. */
  readonly knownCheckpoints?: readonly string[];
  /** A faster SHA-256. */
  readonly hasher?: Hasher;
  /** A faster implementation of libsodium's predicate. */
  readonly ed25519?: Ed25519Predicate;
}

/** The same with defaults filled in. */
export type Primitives = Required<Pick<VerifyOptions, "hasher" | "ed25519">>;

/** Defaults that run anywhere. */
export function primitivesOf(options: VerifyOptions): Primitives {
  return { hasher: options.hasher ?? portableHasher, ed25519: options.ed25519 ?? verifyEd25519 };
}

/** A checkpoint whose note was checked. */
export interface CheckedNote {
  readonly checkpoint: Checkpoint;
  /** Members whose L and W lines both hold, in ascending id. */
  readonly signers: readonly string[];
  /** True when a quorum signed it, whatever else is wrong with its lines: what is not signed says nothing of the log. */
  readonly isSigned: boolean;
}

type Role = "log" | "witness" | "outside";

interface KnownKey {
  readonly key: NoteKey;
  readonly role: Role;
  /** Member id, or the witness's name. */
  readonly owner: string;
}

interface MatchedLine {
  readonly known: KnownKey;
  readonly line: NoteSignature;
}

/**
 * Checks a checkpoint's note against the policy: form, origin, every known signature, and the quorum by distinct L keys and by distinct W keys.
 *
 * A receipt's note is checked strictly: exactly the lines of one minimal quorum in their order, then known outside witnesses, nothing else.
 * Then no byte of it can change without a finding. Otherwise lines of unknown keys are ignored, as C2SP signed-note asks.
 */
export function checkNote(
  note: string,
  context: { readonly policy: Policy; readonly primitives: Primitives; readonly findings: Findings; readonly strict: boolean },
): CheckedNote | undefined {
  const { policy, primitives, findings, strict } = context;
  const parsed = findings.attempt(() => parseNote(note));
  const checkpoint = parsed && findings.attempt(() => parseCheckpointText(parsed.text));
  if (parsed === undefined || checkpoint === undefined) return undefined;
  findings.attempt(() => shardOfOrigin(checkpoint.origin, policy));
  const matched = matchLines(parsed, knownKeys(policy, checkpoint.origin, primitives.hasher), context);
  const good = matched.filter((item) => {
    const valid = isGood(item, parsed.text, primitives.ed25519);
    if (!valid) findings.add("VERIFY_ALTERED", `the ${ROLE_NAMES[item.known.role]} signature of ${item.known.owner} does not verify`);
    return valid;
  });
  const isSigned = checkQuorums(policy, good, findings);
  if (strict && findings.clean) checkMinimalForm(policy, matched, findings);
  return { checkpoint, signers: signersOf(policy, good), isSigned };
}

const ROLE_NAMES: Readonly<Record<Role, string>> = { log: "log (L)", witness: "witness (W)", outside: "outside witness" };

function knownKeys(policy: Policy, origin: string, hasher: Hasher): ReadonlyMap<string, KnownKey> {
  const keys: KnownKey[] = [
    ...policy.members.map((member) => ({ key: logKeyOf(member.log, origin), role: "log" as const, owner: member.id })),
    ...policy.members.map((member) => ({ key: witnessKeyOf(member, policy.trustDomain), role: "witness" as const, owner: member.id })),
    ...policy.outsideWitnesses.map((key) => ({ key, role: "outside" as const, owner: key.name })),
  ];
  return new Map(keys.map((known) => [lineName({ name: known.key.name, keyId: noteKeyId(hasher, known.key) }), known]));
}

function matchLines(
  note: SignedNote,
  keys: ReadonlyMap<string, KnownKey>,
  { findings, strict }: { readonly findings: Findings; readonly strict: boolean },
): MatchedLine[] {
  const matched: MatchedLine[] = [];
  const seen = new Set<KnownKey>();
  for (const line of note.signatures) {
    const known = keys.get(lineName(line));
    if (known === undefined) {
      if (strict) findings.add("VERIFY_SIGNER", `a signature is by a key that the policy does not know: ${line.name} ${line.keyId}`);
    } else if (seen.has(known)) {
      findings.add("VERIFY_MALFORMED", `two lines are by the same key of ${known.owner}`);
    } else {
      seen.add(known);
      matched.push({ known, line });
    }
  }
  return matched;
}

function isGood({ known, line }: MatchedLine, text: string, ed25519: Ed25519Predicate): boolean {
  const { publicKey, type } = known.key;
  if (type === SIGNATURE_TYPE.ed25519) return line.signature.length === 64 && ed25519(publicKey, logSignatureMessage(text), line.signature);
  const seconds = line.signature.length === 72 ? secondsOf(line.signature) : undefined;
  return seconds !== undefined && ed25519(publicKey, witnessSignatureMessage({ text, seconds }), line.signature.subarray(8));
}

function secondsOf(signature: Uint8Array): number | undefined {
  const seconds = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0);
  return seconds <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seconds) : undefined;
}

/** The quorum must be there twice: a stolen key of one kind alone must not make a checkpoint. */
function checkQuorums(policy: Policy, good: readonly MatchedLine[], findings: Findings): boolean {
  const total = totalPolicyWeight(policy);
  let isSigned = true;
  for (const role of ["log", "witness"] as const) {
    const weight = weightOfMembers(policy, ownersOf(good, role));
    if (isQuorum(weight, total, policy.faultModel)) continue;
    isSigned = false;
    findings.add("VERIFY_QUORUM", `good ${ROLE_NAMES[role]} signatures have weight ${weight} of ${total}, which is no quorum`);
  }
  return isSigned;
}

function signersOf(policy: Policy, good: readonly MatchedLine[]): string[] {
  const [log, witness] = [ownersOf(good, "log"), ownersOf(good, "witness")];
  return policy.members.map(({ id }) => id as string).filter((id) => log.has(id) && witness.has(id));
}

function ownersOf(lines: readonly MatchedLine[], role: Role): Set<string> {
  return new Set(lines.filter(({ known }) => known.role === role).map(({ known }) => known.owner));
}

function checkMinimalForm(policy: Policy, matched: readonly MatchedLine[], findings: Findings): void {
  const owners = (role: Role): string[] => matched.filter(({ known }) => known.role === role).map(({ known }) => known.owner);
  const [log, witness] = [owners("log"), owners("witness")];
  const ascending = policy.members.map(({ id }) => id as string).filter((id) => log.includes(id));
  const roles = matched.map(({ known }) => known.role).join(" ");
  const ordered = [...log.map(() => "log"), ...witness.map(() => "witness"), ...owners("outside").map(() => "outside")].join(" ");
  const isOneQuorum = log.join(" ") === witness.join(" ") && log.join(" ") === ascending.join(" ");
  if (!isOneQuorum || roles !== ordered) {
    findings.add("VERIFY_MALFORMED", "the lines are not the L lines and then the W lines of one quorum in ascending id");
  } else if (log.some((id) => isQuorumWithout(policy, log, id))) {
    findings.add("VERIFY_MALFORMED", "the quorum is not minimal");
  }
}

function isQuorumWithout(policy: Policy, ids: readonly string[], without: string): boolean {
  const weight = weightOfMembers(policy, new Set(ids.filter((id) => id !== without)));
  return isQuorum(weight, totalPolicyWeight(policy), policy.faultModel);
}

function weightOfMembers(policy: Policy, ids: ReadonlySet<string>): number {
  return policy.members.reduce((sum, { id, weight }) => sum + (ids.has(id) ? weight : 0), 0);
}

function lineName({ name, keyId }: { readonly name: string; readonly keyId: string }): string {
  return `${name} ${keyId}`;
}
