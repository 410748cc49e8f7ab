export type { Batch, CertificateVote, CommitCertificate, Proposal, ProposalDraft, Tip } from "./block.ts";
export {
  checkCommitCertificate,
  commitCertificateClaims,
  type DecisionContext,
  doubleVotes,
  evidenceClaims,
  type VoteContext,
  type VoteSlot,
  votePurpose,
} from "./certificates.ts";
export { decodeMessage, encodeMessage } from "./codec.ts";
export type { Core, CoreOptions, CoreSnapshot, Effect, Input, RestoredLog, TimerName, WalRecord } from "./core.ts";
export { type CoreRules, type CoreTiming, createCore, guardScopeOf } from "./engines.ts";
export { accusationOf, type Evidence, type SignedVote } from "./evidence.ts";
export type { ConsensusMessage, DecidedBlockMessage, FetchProposal, ProposalBody } from "./messages.ts";
export {
  checkPreparedCertificate,
  newViewSignedBody,
  newViewStatement,
  preparedCertificateClaims,
  viewChangeSignedBody,
  viewChangeStatement,
} from "./pbft/certificates.ts";
export type { HeardNewView, NewView, PbftMessage, PreparedCertificate, Propose, ViewChange, Vote } from "./pbft/messages.ts";
export { createPbftCore, type PbftOptions } from "./pbft/pbft-core.ts";
export { PBFT_TIMING, type PbftRules, type PbftTiming, pbftRules, preparedChain } from "./pbft/rules.ts";
export { readProposal } from "./proposing.ts";
export type { RaftMessage } from "./raft/messages.ts";
export { createRaftCore, type RaftOptions } from "./raft/raft-core.ts";
export { type RaftRules, type RaftTiming, raftRules } from "./raft/rules.ts";
export { type SeenVote, seenVoteOf } from "./seen-vote.ts";
export { certificatesIn } from "./shown-certificates.ts";
export type { Polka, Precommit, Prevote, RoundProposal, RoundVote, TendermintMessage } from "./tendermint/messages.ts";
export {
  proposerOf,
  TENDERMINT_TIMING,
  type TendermintRules,
  type TendermintTiming,
  tendermintRules,
} from "./tendermint/rules.ts";
export { createTendermintCore, type TendermintOptions } from "./tendermint/tendermint-core.ts";
export {
  decodeGuardRecord,
  encodeGuardRecord,
  type GuardAnswer,
  type GuardRecord,
  type GuardScope,
  guardKey,
  phaseOf,
  type SignIntent,
  VoteGuard,
} from "./vote-guard.ts";
export { decodeCommitCertificate, encodeCommitCertificate } from "./wire.ts";
