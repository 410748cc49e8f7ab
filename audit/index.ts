export { assembleCheckpoint, type CheckpointParts, type Cosignature, cosignatureClaims, logKeyOf, witnessKeyOf } from "./checkpoint.ts";
export {
  type Checkpoint,
  checkpointText,
  cosignatureSeconds,
  type LogPoint,
  logSignatureMessage,
  parseCheckpointText,
  witnessSignatureMessage,
} from "./checkpoint-text.ts";
export { type AuditEntry, type EntryBlock, type EntryPlace, encodeEntry, entryToCanonical, parseEntry } from "./entry.ts";
export { type AppendedBlock, type AppendedEntry, AuditLog, type AuditLogOptions } from "./log.ts";
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
export { type Policy, type PolicyMember, parsePolicy, policyOf, policyText } from "./policy.ts";
export { type ConsistencyClaim, consistencyPath, inclusionPath, type SubtreeHashes, treeRoot, verifyConsistency } from "./proof.ts";
export { parseReceipt, type Receipt, receiptText } from "./receipt.ts";
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
