import type { Hash, NodeId, Purpose, SignatureClaim } from "#base";
import type { CommitCertificate, Proposal, ProposalDraft } from "./block.ts";
import type { Evidence } from "./evidence.ts";
import type { ConsensusMessage } from "./pbft/messages.ts";

/** The two timers of a core: one for the leader's patience, one for sending again. */
export type TimerName = "progress" | "retransmit";

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
  /** The driver has a reason to replace the leader: its link broke, or it leaves a command out. */
  | { readonly type: "suspect"; readonly view: number }
  /** The block of that height is applied and durable here; records of it and below may go. */
  | { readonly type: "applied"; readonly height: number }
  /** This node may vote at heights strictly above. Until the first such input it votes nowhere (vote guard). */
  | { readonly type: "participate"; readonly above: number };

/**
 * What the driver has to do, in order. The contract, in this order for every step:
 * 1. Append records and guard records (made for each Sign) go to the write-ahead log in the order of the effects.
 * 2. No Send, Broadcast, SendBlock, Decide or Evidence leaves before everything appended earlier is durable.
 * 3. Verify, Validate and Sign may run at once; each is answered exactly once.
 * 4. Timers replace an earlier timer of the same name.
 */
export type Effect =
  | { readonly type: "send"; readonly to: NodeId; readonly message: ConsensusMessage }
  | { readonly type: "broadcast"; readonly message: ConsensusMessage }
  | { readonly type: "verify"; readonly id: number; readonly claims: readonly SignatureClaim[] }
  | {
      readonly type: "validate";
      readonly id: number;
      readonly proposal: Proposal;
      readonly check: "first-proposal" | "re-proposal" | "decided";
    }
  | { readonly type: "sign"; readonly id: number; readonly intent: SignIntent; readonly body: Uint8Array }
  | { readonly type: "append"; readonly record: WalRecord }
  | { readonly type: "set-timer"; readonly name: TimerName; readonly delayMs: number }
  | { readonly type: "cancel-timer"; readonly name: TimerName }
  /** This node leads and can take a proposal for the height; answered by Propose when there is something to order. */
  | { readonly type: "want-proposal"; readonly height: number; readonly view: number; readonly parent: Hash; readonly timeAfterUs: number }
  | { readonly type: "decide"; readonly proposal: Proposal; readonly certificate: CommitCertificate }
  /** A peer is behind: send it the decided block of that height if it is still stored. */
  | { readonly type: "send-block"; readonly to: NodeId; readonly height: number }
  /** Blocks from this height on are missing here and known to be decided; ask these peers, or any when empty. */
  | { readonly type: "request-sync"; readonly fromHeight: number; readonly peers: readonly NodeId[] }
  | { readonly type: "evidence"; readonly evidence: Evidence }
  | { readonly type: "halt"; readonly reason: string };

/** What a signature would say, for the vote guard: the same slot never gets two digests. */
export interface SignIntent {
  readonly purpose: Extract<Purpose, "proposal" | "vote" | "view-change" | "new-view">;
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  /** Vote type for proposals and votes, 0 otherwise. */
  readonly phase: number;
  /** SHA-256 of the body for view changes and new views, header digest otherwise. */
  readonly digest: Hash;
}

/** What a core needs again after a restart. One record per (kind, height): a later one replaces it. */
export type WalRecord =
  | { readonly kind: "proposal"; readonly height: number; readonly view: number; readonly bytes: Uint8Array }
  | { readonly kind: "prepared"; readonly height: number; readonly view: number; readonly bytes: Uint8Array }
  | { readonly kind: "view-change"; readonly height: number; readonly view: number; readonly bytes: Uint8Array }
  | { readonly kind: "new-view"; readonly height: number; readonly view: number; readonly bytes: Uint8Array };

/** Where a core stands, for status and metrics. */
export interface CoreSnapshot {
  readonly epoch: number;
  /** The height being decided. */
  readonly height: number;
  readonly view: number;
  readonly leader: NodeId;
  readonly phase: "idle" | "proposed" | "prepared" | "changing-view" | "following";
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
