export { CoreDriver, type CoreDriverPorts } from "./core-driver.ts";
export { Epochs } from "./epochs.ts";
export { FalseRoots } from "./evidence/false-roots.ts";
export { HeardViews } from "./evidence/heard-views.ts";
export { type HeardVote, HeardVotes } from "./evidence/heard-votes.ts";
export { STORE_KEYS } from "./keys.ts";
export { CatchUp, type CatchUpPorts } from "./ledger/catch-up.ts";
export { Certifier } from "./ledger/certifier.ts";
export { encodeCosignatures } from "./ledger/cosignatures.ts";
export { Ledger } from "./ledger/ledger.ts";
export type { EntryProof, LogReader } from "./ledger/log-reader.ts";
export { AwaitedHeights } from "./participation/awaited-heights.ts";
export { type GuardPorts, guardOwner, initializeGuard, isGuardCurrent, readGuardCount } from "./participation/guard-count.ts";
export { Probe, probeReplyMessage } from "./participation/rejoin.ts";
export { decodeFrame, encodeFrame, type Frame } from "./peers/frames.ts";
export { Peers } from "./peers/peers.ts";
export { noteDecided } from "./proposing/decided-commands.ts";
export { LeaderRate } from "./proposing/leader-rate.ts";
export { LeaderWatch } from "./proposing/leader-watch.ts";
export { Mempool } from "./proposing/mempool.ts";
export { type ProposalSlot, Proposals } from "./proposing/proposals.ts";
export type { ReadAnswer } from "./reads.ts";
export { Replica } from "./replica.ts";
export { type ReplicaRules, replicaRules } from "./rules.ts";
export type { CheckedOffer } from "./transfer/check-offer.ts";
export { Installer } from "./transfer/installer.ts";
export { LogAdoption } from "./transfer/log-adoption.ts";
export { decodeOffer, encodeOffer, type Offer } from "./transfer/offer.ts";
export { Pace, Paces } from "./transfer/pace.ts";
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
