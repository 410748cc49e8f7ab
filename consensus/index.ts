export type { Batch, CertificateVote, CommitCertificate, Proposal, ProposalDraft, Tip } from "./block.ts";
export type { Core, CoreSnapshot, Effect, Input, SignIntent, TimerName, WalRecord } from "./core.ts";
export type { Evidence, SignedVote } from "./evidence.ts";
export {
  checkCommitCertificate,
  checkPreparedCertificate,
  commitCertificateClaims,
  evidenceClaims,
  preparedCertificateClaims,
  type VoteContext,
  type VoteSlot,
} from "./pbft/certificates.ts";
export { decodeCommitCertificate, decodeMessage, encodeCommitCertificate, encodeMessage } from "./pbft/codec.ts";
export type {
  ConsensusMessage,
  DecidedBlockMessage,
  FetchProposal,
  NewView,
  PreparedCertificate,
  ProposalBody,
  Propose,
  ViewChange,
  Vote,
} from "./pbft/messages.ts";
export { createPbftCore, type PbftOptions } from "./pbft/pbft-core.ts";
export { decodeWalRecord, encodeWalRecord, walKey } from "./pbft/records.ts";
export type { RestoredLog } from "./pbft/restore.ts";
export { PBFT_TIMING, type PbftRules, type PbftTiming, pbftRules } from "./pbft/rules.ts";
export { decodeGuardRecord, encodeGuardRecord, type GuardAnswer, type GuardRecord, guardKey, VoteGuard } from "./vote-guard.ts";
