export {
  ACCUSATION_KINDS,
  type Accusation,
  type AccusationKind,
  accusationClaims,
  accusationName,
  accusationSeries,
  contradicts,
  type Prefix,
  phaseOf,
  type ViewAccusation,
  type VoteAccusation,
  type VoteStatement,
  votePurpose,
} from "./accusation.ts";
export { accusationToCanonical, readAccusation } from "./accusation-codec.ts";
export { ByteReader, ByteWriter } from "./byte-codec.ts";
export { concatBytes, equalBytes, fromBase64, fromBase64Url, fromHex, toBase64, toBase64Url, toHash, toHex, u64be } from "./bytes.ts";
export {
  type CanonicalObject,
  type CanonicalValue,
  CanonicalWriter,
  encodeCanonical,
  encodeJcs,
  isObject,
  parseCanonical,
  parseCanonicalObject,
} from "./canonical.ts";
export { type ConsistencyClaim, isPowerOfTwo, verifyConsistency } from "./consistency.ts";
export { type CatalogueEntry, describeError, ERROR_ROWS, type ErrorCode, isErrorCode } from "./error-catalogue.ts";
export { type ErrorData, errorCode, fullMessage, inFile, QuorumgateError } from "./errors.ts";
export { FieldReader, parseDecimal } from "./fields.ts";
export {
  checkGenesis,
  checkpointIntervalOf,
  clusterIdOf,
  encodeGenesis,
  type Genesis,
  type Issuer,
  type Operator,
  type OperatorRole,
  parseGenesis,
} from "./genesis.ts";
export { type Hasher, hashInDomain, hashOf, portableHasher } from "./hasher.ts";
export { type BlockHeader, type CertifiedPoint, encodeHeader, headerDigest, parseHeader } from "./header.ts";
export {
  type Brand,
  type Hash,
  type NodeId,
  type PublicKey,
  parseHash,
  parseNodeId,
  parsePublicKey,
  parseSubjectId,
  type SubjectId,
  ZERO_HASH,
} from "./ids.ts";
export { InvariantError, invariant, unreachable } from "./invariant.ts";
export { type JsonValue, parseJson } from "./json.ts";
export type { AppliedBlock, CommandResult, DecidedBlock, EntryDraft, EntryKind, StateChange } from "./ledger.ts";
export { LIMITS } from "./limits.ts";
export {
  checkMembership,
  type FaultDeclaration,
  findMember,
  leaderOf,
  type Member,
  type MemberKeys,
  type Membership,
  memberKey,
  membershipHash,
  membershipToCanonical,
  memberToCanonical,
  parseMember,
  parseMembership,
  totalWeight,
  weightOf,
} from "./membership.ts";
export {
  hashLeaf,
  hashNode,
  largestPowerOfTwoBelow,
  merklePath,
  merklePaths,
  merkleRoot,
  rootFromPath,
  verifyInclusion,
} from "./merkle.ts";
export { type NodeStatement, nodeStatementToCanonical, type PerKey, possessionMessages, readNodeStatement } from "./node-statement.ts";
export {
  type Clock,
  type Entropy,
  type KeyRole,
  type KeyValueStore,
  type LogFields,
  type LogLevel,
  type NodeSigner,
  type SignatureVerifier,
  silentTelemetry,
  type Telemetry,
  type TimerHandle,
  type Timers,
  type Transport,
  type TransportEvents,
  type WriteOperation,
} from "./ports.ts";
export {
  ENGINES,
  type EngineName,
  type FaultModel,
  faultModelOf,
  holdsOneHonest,
  isByzantineQuorum,
  isMajority,
  isQuorum,
  tolerableWeight,
} from "./quorum.ts";
export { SeededRandom } from "./random.ts";
export {
  type BatchPosition,
  batchSignedBytes,
  type Command,
  decodeSignedCommand,
  encodeCommand,
  encodeSignedCommand,
  parseCommand,
  type SignatureClaim,
  type SignedCommand,
  signatureClaim,
  signedCommandFromJson,
  signedCommandOf,
  signedCommandToJson,
} from "./signed-command.ts";
export {
  checkpointText,
  encodeVoteBody,
  logSignatureMessage,
  PURPOSES,
  type Purpose,
  signedBytes,
  VOTE_TYPE,
  type VoteBody,
  type VoteType,
  witnessSignatureMessage,
} from "./signing.ts";
export { decodePortable, decodeUtf8, encodeUtf8, isWellFormed, utf8Length } from "./utf8.ts";
export { VERSION } from "./version.ts";
export {
  encodeNewViewBody,
  encodeViewChangeBody,
  type NewViewStatement,
  type ViewChangeStatement,
} from "./view-statements.ts";
