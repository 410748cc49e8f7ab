/**
 * The offline verifier: no network, no clock, no file access, in Node and in the browser. `dist/verify.js` is this door as one file.
 */
export { type Checkpoint, parseCheckpointText } from "./checkpoint-text.ts";
export { type Ed25519Predicate, verifyEd25519 } from "./ed25519.ts";
export { type AuditEntry, parseEntry } from "./entry.ts";
export { type Finding, type FindingCode, formatVerification, VERIFY_EXITS, type VerificationResult } from "./findings.ts";
export { type Policy, type PolicyMember, parsePolicy } from "./policy.ts";
export { parseReceipt, type Receipt } from "./receipt.ts";
export { type BundleOptions, type BundleReader, verifyBundle } from "./verify-bundle.ts";
export type { VerifyOptions } from "./verify-note.ts";
export { verifyCheckpoint, verifyReceipt } from "./verify-receipt.ts";
