import type { AuditRules } from "#audit";
import {
  type Accusation,
  type CanonicalObject,
  type CertifiedPoint,
  type Clock,
  type CommandResult,
  type Entropy,
  type EntryDraft,
  type ErrorCode,
  type Hash,
  type Hasher,
  type KeyValueStore,
  LIMITS,
  type Member,
  type Membership,
  type NodeId,
  type NodeSigner,
  type SignatureVerifier,
  type Telemetry,
  type Timers,
  type Transport,
} from "#base";
import type { CoreRules, CoreSnapshot, CoreTiming, Tip } from "#consensus";
import type { EvidenceRecord, PendingChange, ProposedRemoval, StateRules } from "#state";
import type { ReplicaRules } from "./rules.ts";

/**
 * A small durable cell outside the data folder. It holds the count of votes that this node sent; a data folder that counts fewer was
 * replaced by an old copy (vote guard, rule G3).
 */
export interface GuardAnchor {
  read(): Uint8Array | undefined;
  write(count: Uint8Array, done: (error?: Error) => void): void;
}

/** How patient a replica is: waiting times in milliseconds, and how much has to wait for a further block. */
export interface ReplicaTiming {
  readonly consensus?: CoreTiming;
  /** Commands that have to wait for each block underway before another is proposed on top of it (a window above 1). */
  readonly pipelineCommandsMin: number;
  /** How often the housekeeping runs: heartbeats, relays, sending again. */
  readonly tickMs: number;
  /** Agreed time must not stand still for longer while the leader is idle. */
  readonly heartbeatMs: number;
  /** The same while a member without memory waits for its floor. */
  readonly floorHeartbeatMs: number;
  /** How long after that a replica still waits before it doubts the leader. */
  readonly heartbeatGraceMs: number;
  /** How long the link to the leader may be away before it is suspected. */
  readonly leaderGraceMs: number;
  /** A command that waits this long is relayed to the leader. */
  readonly relayAfterMs: number;
  /** A leader that leaves a relayed command out for this long is suspected. */
  readonly censorshipMs: number;
  /** An unanswered catch-up request goes to the next peer. */
  readonly syncTimeoutMs: number;
}

/** Everything a replica needs from outside. */
export interface ReplicaOptions {
  readonly self: NodeId;
  readonly genesisBytes: Uint8Array;
  readonly hasher: Hasher;
  readonly signer: NodeSigner;
  readonly verifier: SignatureVerifier;
  readonly store: KeyValueStore;
  readonly anchor: GuardAnchor;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly timing?: Partial<ReplicaTiming>;
  /**
   * Members of a later epoch than this node may know of. It links to them while it takes no part: where nobody is left of those whom its ledger
   * names, only they can give it the blocks. They are believed no more than other peers.
   */
  readonly contacts?: readonly Member[];
  /** Blocks kept below the tip before they are pruned; `LIMITS.blocksKept` by default. */
  readonly blocksKept?: number;
  /** Overridden by planted bugs and Byzantine actors only. */
  readonly rules?: CoreRules & { readonly replica?: ReplicaRules; readonly state?: StateRules; readonly audit?: AuditRules };
  readonly events?: Partial<ReplicaEvents>;
}

/** An applied block, as observers see it. */
export interface BlockEvent {
  readonly height: number;
  readonly timeUs: number;
  readonly view: number;
  readonly digest: Hash;
  readonly stateHash: Hash;
  readonly firstSeq: number;
  readonly entries: readonly EntryDraft[];
  readonly results: readonly CommandResult[];
}

/** What a replica tells its owner. Handlers must not throw. */
export interface ReplicaEvents {
  /** Applied and durable on this node. */
  onBlock(block: BlockEvent): void;
  /** Covered by a quorum's cosignatures. */
  onCertified(point: CertifiedPoint): void;
  /** This node found proof of misbehaviour; it is durable here. */
  onEvidence(accusation: Accusation): void;
  onHalted(reason: string): void;
  /** Heights of the member's epoch are certified: what it held for earlier epochs alone is needed no more. Told once for each epoch and start. */
  onEpochSettled(self: Member): void;
  /** The state after a block took the place of the one after `fromHeight`; the blocks between are told of to nobody. */
  onInstalled(tip: Tip, fromHeight: number): void;
}

/** What became of a command, as recorded. */
export interface OrderedRecord {
  readonly command: Hash;
  readonly height: number;
  readonly timeUs: number;
  readonly outcome: CommandResult["outcome"];
  readonly code: ErrorCode | "OK";
  readonly answer: CanonicalObject;
  /** Global sequence of its entry; absent for an unauthenticated refusal, which has no entry and no receipt. */
  readonly seq?: number;
}

/** The answer to a submission. Ordered (allowed, denied, applied, refused by the state machine), refused before ordering, or unknown. */
export type SubmitAnswer =
  | { readonly kind: "ordered"; readonly record: OrderedRecord }
  | { readonly kind: "rejected"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "unavailable"; readonly code: ErrorCode; readonly waitingFor: readonly NodeId[] };

/** Life of a replica: it votes only while `participating`; `following` is a node without weight: a learner, or one that left. */
export type ReplicaMode = "starting" | "recovering" | "participating" | "following" | "halted" | "stopped";

/** How far a transfer is, for status. */
export interface TransferProgress {
  /** Of the state that is fetched. */
  readonly height: number;
  readonly from: NodeId;
  /** Keys of the state that are here. */
  readonly stateKeys: number;
  /** Entries of the log that are here, and as many as there will be. */
  readonly entries: number;
  readonly entriesWanted: number;
}

/** Where a replica stands, for status, health and metrics. */
export interface ReplicaStatus {
  readonly node: NodeId;
  readonly cluster: Hash;
  readonly mode: ReplicaMode;
  readonly haltReason?: string;
  /** While recovering: it takes part above this height. */
  readonly participatesAbove?: number;
  readonly consensus: CoreSnapshot;
  /** Members of the epoch of the next height. */
  readonly membership: Membership;
  /** The first height of that epoch. */
  readonly epochFirstHeight: number;
  /** Nodes without weight. */
  readonly learners: readonly Member[];
  /** A change of members that is committed and not yet active. */
  readonly pending: PendingChange | undefined;
  readonly tip: { readonly height: number; readonly timeUs: number; readonly digest: Hash; readonly stateHash: Hash };
  readonly certified: CertifiedPoint;
  readonly mempool: number;
  /** The lowest height whose block is still here; those below were pruned. */
  readonly blocksFrom: number;
  /** The state that is being fetched instead of blocks that others pruned. */
  readonly transfer?: TransferProgress;
  readonly connected: readonly NodeId[];
  /** Those of them that say that they vote. */
  readonly voting: readonly NodeId[];
  /** What the ledger holds, in the order of its entries. */
  readonly evidence: readonly EvidenceRecord[];
  /** Pieces that this node found and the ledger does not hold yet. */
  readonly evidenceHeld: number;
  readonly proposedRemovals: readonly ProposedRemoval[];
}

/** Defaults of ReplicaTiming. */
export const DEFAULT_TIMING: ReplicaTiming = {
  pipelineCommandsMin: 16,
  tickMs: 100,
  heartbeatMs: LIMITS.heartbeatMs,
  floorHeartbeatMs: 100,
  heartbeatGraceMs: 1_000,
  leaderGraceMs: 250,
  relayAfterMs: 1_000,
  censorshipMs: 2_000,
  syncTimeoutMs: 1_000,
};
