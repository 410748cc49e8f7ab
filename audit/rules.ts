import { type Hash, type Hasher, hashLeaf } from "#base";

/** The decisions of the log on which its proofs stand, in one place: a planted bug overrides one of them, production never does. */
export interface AuditRules {
  /** The leaf of an entry: SHA-256(0x00 ‖ bytes), 32 bytes (RFC 9162, section 2.1.1). */
  leafOf(hasher: Hasher, bytes: Uint8Array): Uint8Array;
  /** The hash of the entry before, as the next one names it. */
  chainsTo(previous: Hash): Hash;
  /** The size that a checkpoint states, by the number of leaves. */
  sizeOf(leaves: number): number;
}

/** The rules as docs/FORMATS.md states them. */
export const auditRules: AuditRules = {
  leafOf: hashLeaf,
  chainsTo: (previous) => previous,
  sizeOf: (leaves) => leaves,
};
