import type { CanonicalObject } from "./canonical.ts";
import type { ErrorCode } from "./error-catalogue.ts";
import type { BlockHeader } from "./header.ts";
import type { Hash } from "./ids.ts";
import type { SignedCommand } from "./signed-command.ts";

/** Kinds of audit entries (FORMATS, Audit entry). */
export type EntryKind =
  | "decision"
  | "registration"
  | "revocation"
  | "grant"
  | "delegation"
  | "policy"
  | "approval"
  | "session"
  | "membership"
  | "emergency"
  | "evidence"
  | "log.start"
  | "log.read"
  | "log.export"
  | "log.verify"
  | "log.anchor"
  | "log.heartbeat"
  | "privacy.erased"
  | "block.sealed";

/** An audit entry as the state machine hands it over; the log adds seq, height, time, node, consensus and previousHash. */
export interface EntryDraft {
  readonly kind: EntryKind;
  /** `signed`, `asserted`, or `cluster` for what no subject asked for (block.sealed, log.start). */
  readonly provenance: "signed" | "asserted" | "cluster";
  /** SHA-256 of the command's bytes; absent for entries of the cluster itself. */
  readonly command?: Hash;
  readonly actor: string;
  readonly subject: string;
  readonly session?: string;
  readonly capability?: CanonicalObject;
  readonly decision?: "allowed" | "denied";
  /** A stable code: why the decision is what it is, or `OK`. */
  readonly reason: ErrorCode | "OK";
  readonly policy?: Hash;
  readonly delegation: readonly Hash[];
  readonly content: CanonicalObject;
  readonly personal?: CanonicalObject;
}

/** A decided block as it is applied. */
export interface DecidedBlock {
  readonly header: BlockHeader;
  readonly digest: Hash;
  readonly commands: readonly SignedCommand[];
}

/**
 * What became of one command. `entry` is the place of its entry among the block's, absent for an unauthenticated refusal,
 * which is only counted: what nobody signed must not fill the log.
 */
export interface CommandResult {
  readonly command: Hash;
  readonly outcome: "applied" | "allowed" | "denied" | "refused";
  readonly code: ErrorCode | "OK";
  readonly entry?: number;
  /** The answer for the caller: a decision with its explanation, or what was written. */
  readonly answer: CanonicalObject;
}

/** One write of the state. An absent value deletes the key. */
export interface StateChange {
  /** `<bucket>/<key>` in ASCII. */
  readonly key: string;
  /** Canonical bytes. */
  readonly value?: Uint8Array;
}

/** What applying a block gives, the same on every replica. */
export interface AppliedBlock {
  readonly results: readonly CommandResult[];
  /** In order; the last is block.sealed. */
  readonly entries: readonly EntryDraft[];
  readonly changes: readonly StateChange[];
  readonly stateHash: Hash;
}
