import {
  accusationClaims,
  type Command,
  fromBase64Url,
  type Hash,
  type Hasher,
  type Issuer,
  LIMITS,
  type Operator,
  possessionMessages,
  QuorumgateError,
  type SignatureClaim,
  signedBytes,
} from "#base";
import { attestationBytes } from "./attestation.ts";
import { readCommandBody } from "./command-body.ts";
import { approvalBytes, type Change, isGovernanceKind, type Renewal } from "./governance.ts";

/**
 * What can be said of a command from its bytes alone: cluster, lifetime, kind, shape and bounds of the body. A gateway asks
 * before it accepts, a replica before it votes. All that depends on the state or on time is decided when the command is applied.
 * @throws {QuorumgateError} COMMAND_CLUSTER, COMMAND_WINDOW, COMMAND_KIND_UNKNOWN, FORMAT_*, IDENTITY_KEY_MISMATCH
 */
export function checkCommandShape(command: Command, context: { readonly cluster: Hash }): void {
  if (command.cluster !== context.cluster) throw new QuorumgateError("COMMAND_CLUSTER", "the command names another cluster");
  const lifetimeUs = command.expiresAtUs - command.issuedAtUs;
  if (lifetimeUs <= 0 || lifetimeUs > LIMITS.commandLifetimeMaxUs) {
    throw new QuorumgateError("COMMAND_WINDOW", "expiresAt lies up to 120 s after issuedAt");
  }
  readCommandBody(command);
}

/** Whom genesis names, and how to hash. */
export interface ClaimContext {
  readonly issuers: readonly Issuer[];
  readonly operators: readonly Operator[];
  readonly hasher: Hasher;
}

/**
 * Signatures inside a command that have to verify besides its own: a registration's attestation, under the key that genesis names for the
 * issuer; the approvals of a change of members, under the operators' keys; the proofs by which a new node shows that its keys are its own; and
 * the statements of evidence, under the keys that it names.
 *
 * apply() is pure and cannot verify Ed25519 by libsodium's predicate. It need not: which claims a command makes follows from
 * its bytes and from genesis, so every honest replica verifies the same claims before it votes, and a decided block holds none
 * that failed. An issuer or operator that genesis does not name gives no claim: nothing can be verified, and apply() refuses the command.
 * @throws {QuorumgateError} what checkCommandShape throws for the body
 */
export function commandClaims(command: Command, context: ClaimContext): readonly SignatureClaim[] {
  if (command.kind === "service.register") return attestationClaims(command, context);
  if (command.kind === "evidence.record") return evidenceClaims(command);
  return isGovernanceKind(command.kind) ? governanceClaims(command, context) : [];
}

function attestationClaims(command: Command, { issuers }: ClaimContext): readonly SignatureClaim[] {
  const body = readCommandBody(command);
  if (body.kind !== "service.register") return [];
  const { attestation } = body.service;
  const issuer = issuers.find(({ id }) => id === attestation.issuer);
  if (issuer === undefined) return [];
  const bytes = attestationBytes({ cluster: command.cluster, subject: body.service, attestation });
  return [
    {
      publicKey: fromBase64Url(issuer.key),
      message: signedBytes("attestation", bytes),
      signature: fromBase64Url(attestation.signature),
    },
  ];
}

function evidenceClaims(command: Command): readonly SignatureClaim[] {
  const body = readCommandBody(command);
  return body.kind === "evidence.record" ? accusationClaims(command.cluster, body.accusation) : [];
}

function governanceClaims(command: Command, { operators, hasher }: ClaimContext): readonly SignatureClaim[] {
  const body = readCommandBody(command);
  if (!("approvals" in body)) return [];
  const { change, canonical, approvals, kind } = body;
  const message = signedBytes("approval", approvalBytes(hasher, { cluster: command.cluster, kind, change: canonical }));
  const approved = approvals.flatMap(({ operator, signature }) => {
    const key = operators.find(({ id }) => id === operator)?.key;
    return key === undefined ? [] : [{ publicKey: fromBase64Url(key), message, signature }];
  });
  return [...approved, ...statementsIn(change).flatMap((stated) => possessionClaims(hasher, stated))];
}

/** What nodes say of themselves in a change: a new one of all its keys, a renewed one of those that it keeps, too. */
function statementsIn(change: Change): readonly Renewal[] {
  if (change.kind === "learner.add") return [change];
  return change.kind === "membership.change" ? change.renew : [];
}

/**
 * Of the Ed25519 keys. The TLS key is ECDSA and no libsodium's: operators' tools check its proof before they approve, and whoever names
 * another's gains nothing, since a link needs the secret half.
 */
function possessionClaims(hasher: Hasher, { node, proofs }: Renewal): readonly SignatureClaim[] {
  const messages = possessionMessages(hasher, node);
  return (["vote", "log", "witness", "gateway"] as const).map((role) => ({
    publicKey: fromBase64Url(node.member.keys[role]),
    message: messages[role],
    signature: proofs[role],
  }));
}
