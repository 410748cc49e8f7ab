export {
  assembleCheckpoint,
  type CheckpointParts,
  type Cosignature,
  type CosignatureMessages,
  cosignatureClaims,
  cosignatureMessages,
  logKeyOf,
  witnessKeyOf,
} from "./checkpoint.ts";
export {
  type Checkpoint,
  checkpointText,
  cosignatureSeconds,
  type LogPoint,
  logSignatureMessage,
  parseCheckpointText,
  witnessSignatureMessage,
} from "./checkpoint-text.ts";
export { verifyEd25519 } from "./ed25519.ts";
export { type AuditEntry, type EntryBlock, type EntryPlace, encodeEntry, entryToCanonical, parseEntry } from "./entry.ts";
export { type Finding, type FindingCode, formatVerification, VERIFY_EXITS, type VerificationResult } from "./findings.ts";
export { encodeHandover, HANDOVER_BYTES_MAX, type Handover, handoverClaims, parseHandover } from "./handover.ts";
export { type AdoptedEntry, type AppendedBlock, type AppendedEntry, AuditLog, type AuditLogOptions } from "./log.ts";
export { LOG_KEYS, type ShardRecord, type StoreReader } from "./log-store.ts";
export {
  formatNote,
  formatVerifierKey,
  type NoteKey,
  type NoteSignature,
  noteKeyId,
  parseNote,
  parseVerifierKey,
  SIGNATURE_TYPE,
  type SignatureType,
  type SignedNote,
} from "./note.ts";
export { leastSufficientCount, type Policy, type PolicyMember, parsePolicy, policyOf, policyText } from "./policy.ts";
export { type ConsistencyClaim, consistencyPath, inclusionPath, type SubtreeHashes, treeRoot, verifyConsistency } from "./proof.ts";
export { parseReceipt, type Receipt, receiptText } from "./receipt.ts";
export { type ReceiptView, receiptView } from "./receipt-view.ts";
export { type AuditRules, auditRules } from "./rules.ts";
export { isShardName, type ShardName, shardAt, shardOfOrigin, shardOrigin } from "./shard.ts";
export {
  decodeEntryBundle,
  encodeEntryBundle,
  HashTile,
  parseTilePath,
  rowLength,
  TILE_WIDTH,
  type TileCoordinates,
  tilePath,
} from "./tile.ts";
export { GrowingTree, subtreeHashes, type TileListener, type TileLookup } from "./tree.ts";
export { type BundleOptions, type BundleReader, exportPaths, verifyBundle } from "./verify-bundle.ts";
export type { VerifyOptions } from "./verify-note.ts";
export { verifyCheckpoint, verifyReceipt } from "./verify-receipt.ts";
export { isNamed, objectsOf, type Withheld, wholeEntry, withheldIn } from "./withheld.ts";
