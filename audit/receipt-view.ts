import type { CanonicalObject, Hash, Hasher } from "#base";
import { portableHasher, QuorumgateError, toBase64, toHash } from "#base";
import { logKeyOf } from "./checkpoint.ts";
import { parseCheckpointText } from "./checkpoint-text.ts";
import { type AuditEntry, parseEntry } from "./entry.ts";
import { noteKeyId, parseNote } from "./note.ts";
import type { Policy } from "./policy.ts";
import type { Receipt } from "./receipt.ts";

/** A receipt in JSON, for people and dashboards. Everything in it is derived from the receipt, which is what counts as evidence. */
export interface ReceiptView {
  /** `audit-entry-<seq>`. */
  readonly id: string;
  /** Agreed time, milliseconds since 1970. */
  readonly timestamp: number;
  readonly previousHash: Hash;
  /** SHA-256 of the entry's bytes. */
  readonly entryHash: Hash;
  /** Root of the checkpoint. */
  readonly merkleRoot: Hash;
  /** The answering node's L signature in base64, when it is among the quorum's; else the first signer's. */
  readonly signature: string;
  readonly content: CanonicalObject;
  readonly nodeConsensus: {
    readonly participatingNodes: readonly string[];
    /** Digest of the block's header. */
    readonly consensusHash: Hash;
    /** The L signatures in base64, in the order of the nodes. They cover the whole checkpoint, not this entry alone. */
    readonly signatures: readonly string[];
  };
}

/**
 * Derives the view of a receipt; verifies nothing.
 * `answeringNode` is the id of the node that gives the answer.
 * @throws {QuorumgateError} VERIFY_MALFORMED and format errors
 */
export function receiptView(
  receipt: Receipt,
  context: { readonly policy: Policy; readonly answeringNode?: string; readonly hasher?: Hasher },
): ReceiptView {
  const { policy, answeringNode, hasher = portableHasher } = context;
  const note = parseNote(receipt.checkpoint);
  const { origin, root } = parseCheckpointText(note.text);
  const entry = parseEntry(receipt.entry);
  const signed = policy.members.flatMap((member) => {
    const keyId = noteKeyId(hasher, logKeyOf(member.log, origin));
    const line = note.signatures.find((candidate) => candidate.name === origin && candidate.keyId === keyId);
    return line === undefined ? [] : [{ id: member.id as string, signature: toBase64(line.signature) }];
  });
  const answering = signed.find(({ id }) => id === answeringNode) ?? signed[0];
  if (answering === undefined) throw new QuorumgateError("VERIFY_QUORUM", "no member signed the checkpoint");
  return {
    id: `audit-entry-${entry.seq}`,
    timestamp: Math.floor(entry.block.timeUs / 1_000),
    previousHash: entry.previousHash,
    entryHash: toHash(hasher.sha256(receipt.entry)),
    merkleRoot: root,
    signature: answering.signature,
    content: viewContent(entry),
    nodeConsensus: {
      participatingNodes: signed.map(({ id }) => id),
      consensusHash: entry.block.digest,
      signatures: signed.map(({ signature }) => signature),
    },
  };
}

function viewContent(entry: AuditEntry): CanonicalObject {
  const { domain, operation } = entry.capability ?? {};
  return {
    ...entry.content,
    action: entry.kind === "decision" ? `authorization_${entry.decision === "allowed" ? "granted" : "denied"}` : entry.kind,
    serviceId: entry.subject,
    ...(typeof domain === "string" && typeof operation === "string" ? { capability: `${domain}:${operation}` } : {}),
    nodeId: entry.block.proposer,
    ...(entry.command === undefined ? {} : { consensusId: entry.command }),
    reason: entry.reason,
  };
}
