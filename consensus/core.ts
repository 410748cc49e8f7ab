import type { Hash, Hasher, Membership, NodeId, SignatureClaim } from "#base";
import type { CommitCertificate, Proposal, ProposalDraft, Tip } from "./block.ts";
import type { Evidence } from "./evidence.ts";
import type { ConsensusMessage } from "./messages.ts";
import type { GuardRecord, SignIntent } from "./vote-guard.ts";

/** The timers of the cores; each core uses the few that its protocol needs. */
export type TimerName = "progress" | "retransmit" | "election" | "heartbeat" | "punctual" | "propose" | "prevote" | "precommit" | "read";

/**
 * What happens to a core. Verified, Validated and Signed may come in any order after the effect that asked for them.
 * There is no input for durability: the driver holds every output back until what was appended before it is durable.
 */
export type Input =
  | { readonly type: "start" }
  | { readonly type: "message"; readonly from: NodeId; readonly message: ConsensusMessage }
  | { readonly type: "verified"; readonly id: number; readonly verdicts: readonly boolean[] }
  | { readonly type: "validated"; readonly id: number; readonly valid: boolean }
  | { readonly type: "signed"; readonly id: number; readonly signature: Uint8Array | undefined }
  | { readonly type: "timer"; readonly name: TimerName }
  | { readonly type: "propose"; readonly draft: ProposalDraft }
  /** Whether this node knows of work that the leader should be ordering (commands waiting, or a heartbeat overdue). */
  | { readonly type: "pending"; readonly pending: boolean }
  /** The driver has a reason to replace the leader: its link broke, it leaves a command out, or it is slow. */
  | { readonly type: "suspect"; readonly view: number }
  /** The block of that height is applied and durable here; records of it and below may go. */
  | { readonly type: "applied"; readonly height: number }
  /** This node may vote at heights strictly above. Until the first such input it votes nowhere (vote guard). */
  | { readonly type: "participate"; readonly above: number }
  /** The epoch ends with that height: nothing is proposed or voted above it. `next` are the members after it. */
  | { readonly type: "last-height"; readonly height: number; readonly next: Membership }
  /** The leader is to hand over, to that member or to the one whose log reaches furthest (raft; other engines take turns by view and ignore it). */
  | { readonly type: "transfer"; readonly to?: NodeId }
  /** Somebody wants a linearizable read: answered by ReadAt. */
  | { readonly type: "read"; readonly id: number };

/**
 * What the driver has to do, in order. The contract, in this order for every step:
 * 1. Append, Forget and guard records (made for each Sign) go to the write-ahead log in the order of the effects. A Forget need not be durable
 *    by itself: it is written with the next append at the latest, and never after one that follows it.
 * 2. No Send, Broadcast, SendBlock, Decide or ReadAt leaves before everything appended earlier is durable. An Append with `promise` is
 *    counted in the anchor like a vote. Evidence is written before it is told; it waits for nothing, since the core may halt next.
 * 3. Verify, Validate and Sign may run at once; each is answered exactly once.
 * 4. Timers replace an earlier timer of the same name.
 * 5. A decided block is applied and written before anything of a later height is written: what a node signed at h + 1 implies that it has
 *    block h on disk, or will refuse to say so again.
 */
export type Effect =
  | { readonly type: "send"; readonly to: NodeId; readonly message: ConsensusMessage }
  | { readonly type: "broadcast"; readonly message: ConsensusMessage }
  | { readonly type: "verify"; readonly id: number; readonly claims: readonly SignatureClaim[] }
  | {
      readonly type: "validate";
      readonly id: number;
      readonly proposal: Proposal;
      readonly check: "first-proposal" | "earlier-proposal" | "re-proposal" | "decided";
    }
  | { readonly type: "sign"; readonly id: number; readonly intent: SignIntent; readonly body: Uint8Array }
  | { readonly type: "append"; readonly record: WalRecord; readonly promise?: boolean }
  | { readonly type: "forget"; readonly keys: readonly string[] }
  | { readonly type: "set-timer"; readonly name: TimerName; readonly delayMs: number }
  | { readonly type: "cancel-timer"; readonly name: TimerName }
  /**
   * This node leads and can take a proposal for the height; answered by Propose when there is something to order. `undecided` are the proposals
   * between tip and parent, lowest first: their commands are on their way already.
   */
  | {
      readonly type: "want-proposal";
      readonly height: number;
      readonly view: number;
      readonly parent: Hash;
      readonly timeAfterUs: number;
      readonly undecided: readonly Proposal[];
      /** The block may hold no command, and is wanted however far it lies above what is certified (raft, C4). */
      readonly empty?: true;
    }
  | { readonly type: "decide"; readonly proposal: Proposal; readonly certificate: CommitCertificate }
  /** A peer is behind: send it the decided block of that height if it is still stored. */
  | { readonly type: "send-block"; readonly to: NodeId; readonly height: number }
  /** Blocks from this height on are missing here and known to be decided; ask these peers, or any when empty. */
  | { readonly type: "request-sync"; readonly fromHeight: number; readonly peers: readonly NodeId[] }
  | { readonly type: "evidence"; readonly evidence: Evidence }
  /** Answers Read: state at this height or later is current; without a height nobody could confirm one now, and the read is asked again. */
  | { readonly type: "read-at"; readonly id: number; readonly height: number | undefined }
  | { readonly type: "halt"; readonly reason: string };

/** What a core needs again after a restart. A later record of the same key replaces an earlier one. */
export interface WalRecord {
  /** ASCII, unique within the core's epoch. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** What the write-ahead log held; empty for a new node, or for a new epoch. */
export interface RestoredLog {
  readonly records: readonly WalRecord[];
  readonly guard: readonly GuardRecord[];
}

/** What every core is made from. */
export interface CoreOptions {
  readonly cluster: Hash;
  readonly self: NodeId;
  readonly membership: Membership;
  /** Version of rules and formats, for the headers. */
  readonly protocol: number;
  /** Heights in flight. */
  readonly window: number;
  readonly hasher: Hasher;
  readonly tip: Tip;
  /** First height of the epoch; what the tip alone tells of it when undefined. */
  readonly epochFirstHeight?: number;
  readonly restored: RestoredLog;
  /** Different on each node and start: spreads election timeouts. */
  readonly seed: number;
}

/** Where a core stands, for status and metrics. */
export interface CoreSnapshot {
  readonly epoch: number;
  /** The height being decided. */
  readonly height: number;
  /** View, round or term. */
  readonly view: number;
  /** Undefined while nobody leads. */
  readonly leader: NodeId | undefined;
  readonly phase: "idle" | "proposed" | "prepared" | "changing-view" | "following";
  /** Whether this node's word counts: nothing that it promised or decided before may be forgotten. */
  readonly participates: boolean;
  /** Members whose vote or view change this node still waits for; empty when it waits for nobody. */
  readonly waitingFor: readonly NodeId[];
  readonly weightPresent: number;
  readonly weightNeeded: number;
}

/** A consensus core: synchronous, without clock, randomness or I/O. The same inputs give the same effects. */
export interface Core {
  step(input: Input): readonly Effect[];
  snapshot(): CoreSnapshot;
}
