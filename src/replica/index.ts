export { AwaitedHeights } from "./awaited-heights.ts";
export { CatchUp, type CatchUpPorts } from "./catch-up.ts";
export { Certifier } from "./certifier.ts";
export { CoreDriver, type CoreDriverPorts } from "./core-driver.ts";
export { encodeCosignatures } from "./cosignatures.ts";
export { Epochs } from "./epochs.ts";
export { FalseRoots } from "./false-roots.ts";
export { decodeFrame, encodeFrame, type Frame } from "./frames.ts";
export { type GuardPorts, initializeGuard, isGuardCurrent } from "./guard-count.ts";
export { HeardViews } from "./heard-views.ts";
export { type HeardVote, HeardVotes } from "./heard-votes.ts";
export { LeaderRate } from "./leader-rate.ts";
export { Ledger } from "./ledger.ts";
export type { EntryProof, LogReader } from "./log-reader.ts";
export { Mempool } from "./mempool.ts";
export type { ProposalSlot } from "./proposals.ts";
export type { ReadAnswer } from "./reads.ts";
export { Probe, probeReplyMessage } from "./rejoin.ts";
export { Replica } from "./replica.ts";
export { type ReplicaRules, replicaRules } from "./rules.ts";
export type { CheckedOffer } from "./transfer/check-offer.ts";
export { Installer } from "./transfer/installer.ts";
export { LogAdoption } from "./transfer/log-adoption.ts";
export { decodeOffer, encodeOffer, type Offer } from "./transfer/offer.ts";
export { Pace } from "./transfer/pace.ts";
export { Supply } from "./transfer/supply.ts";
export { Transfer } from "./transfer/transfer.ts";
export {
  type BlockEvent,
  DEFAULT_TIMING,
  type GuardAnchor,
  type OrderedRecord,
  type ReplicaEvents,
  type ReplicaMode,
  type ReplicaOptions,
  type ReplicaStatus,
  type ReplicaTiming,
  type SubmitAnswer,
} from "./types.ts";
export { Waiters } from "./waiters.ts";
export { WriteAhead, type WriteAheadOptions } from "./write-ahead.ts";
