import type { CanonicalObject, ErrorCode, Hash, JsonValue, NodeId, SignedCommand } from "#base";

/** What became of a command: its ordered record, with the receipt once a quorum covers it. */
export interface CommandOutcome {
  /** SHA-256 of the command's bytes: the id of the decision and of its receipt. */
  readonly decisionId: Hash;
  readonly outcome: "applied" | "allowed" | "denied" | "refused";
  readonly code: string;
  readonly height: number;
  /** Agreed time, milliseconds since 1970. */
  readonly timeMs: number;
  readonly answer: CanonicalObject;
  readonly seq?: number;
  /** tlog-proof text; absent for a refusal that has no entry. */
  readonly receipt?: string;
}

/** The four answers to a submission; a refusal before ordering is an error and thrown. */
export type Submission =
  | { readonly kind: "ordered"; readonly outcome: CommandOutcome }
  | { readonly kind: "unavailable"; readonly code: string; readonly decisionId: Hash; readonly waitingFor: readonly string[] };

/** The answer to one of several commands: of these a refusal before ordering is an answer too, and spoils nothing of the others. */
export type BatchedSubmission = Submission | RefusedSubmission;

/** A command that the node did not take; `message` says why in words. */
export interface RefusedSubmission {
  readonly kind: "refused";
  readonly code: ErrorCode;
  readonly message: string;
  readonly decisionId: Hash;
}

/** Where a node stands, as it tells callers. */
export interface NodeStatus {
  readonly node: NodeId;
  readonly cluster: Hash;
  readonly environment: string;
  readonly engine: string;
  readonly mode: string;
  readonly haltReason?: string;
  /** While it recovers without memory of its votes: the height that has to be certified before it votes again. */
  readonly participatesAbove?: number;
  readonly height: number;
  /** Counts the changes of members. */
  readonly epoch: number;
  readonly view: number;
  /** Absent while nobody leads. */
  readonly leader?: string;
  readonly phase: string;
  readonly waitingFor: readonly string[];
  readonly certifiedHeight: number;
  readonly logSize: number;
  readonly stateHash: string;
  readonly agreedTimeMs: number;
  readonly mempool: number;
  /** The lowest height whose block this node still has. */
  readonly blocksFrom: number;
  /** The state that it fetches because others pruned the blocks that it lacks. */
  readonly transfer?: {
    readonly height: number;
    readonly from: string;
    readonly stateKeys: number;
    readonly entries: number;
    readonly entriesWanted: number;
  };
  readonly members: readonly {
    readonly id: string;
    readonly weight: number;
    readonly connected: boolean;
    /** Whether it says that it votes: a node that comes back may be connected for a while before it does. */
    readonly voting: boolean;
    readonly httpUrl: string;
  }[];
  /** The first height of the epoch. */
  readonly epochFirstHeight: number;
  /** Nodes that replicate and have no weight. */
  readonly learners: readonly { readonly id: string; readonly connected: boolean; readonly httpUrl: string }[];
  /** The next epoch, while a change of members is committed and not yet active: its first height, and who takes part from then on. */
  readonly pending?: {
    readonly epoch: number;
    readonly activeFrom: number;
    readonly members: readonly { readonly id: string; readonly weight: number }[];
  };
  readonly health: Health;
  /** What the ledger holds against nodes, in the order of its entries. */
  readonly evidence: readonly RecordedEvidence[];
  /** Pieces that this node found and the ledger does not hold yet. */
  readonly evidenceHeld: number;
  /** Nodes whose removal the cluster proposes because of evidence; `code` is OK where the change could be approved as it is. */
  readonly proposedRemovals: readonly { readonly node: string; readonly code: string; readonly expiresMs: number }[];
}

/** Evidence on record. */
export interface RecordedEvidence {
  readonly kind: string;
  readonly node: string;
  readonly epoch: number;
  /** The height that it is about; of checkpoints the size of the log. */
  readonly about: number;
  /** The member that reported it. */
  readonly by: string;
  readonly command: Hash;
  /** Height, agreed time (milliseconds since 1970) and sequence of the entry; the sequence is absent where this node did not apply it. */
  readonly height: number;
  readonly timeMs: number;
  readonly entry?: number;
}

/** Health in words and figures. */
export interface Health {
  /** Whether this node sees a quorum that votes; itself included, where it votes. */
  readonly canDecide: boolean;
  /** How much further weight may fail before nothing is decided. */
  readonly tolerates: number;
  /** Such as "survives 1 faulty node". */
  readonly summary: string;
}

/** An entry with its place and, once certified, its proof. */
export interface EntryProofAnswer {
  readonly seq: number;
  readonly shard: string;
  readonly index: number;
  readonly size: number;
  /** Base64 hashes from leaf to root. */
  readonly path: readonly string[];
  readonly checkpoint: string;
}

/**
 * How current an answer has to be: with what the asked node has applied, or with everything that was acknowledged to anybody before the question.
 * The second takes a quorum that can be reached: without one the answer is QUORUM_UNAVAILABLE.
 */
export type Consistency = "local" | "linearizable";

/** What a gateway needs of the cluster: a node in this process, or nodes over HTTP. */
export interface Backend {
  cluster(): Promise<Hash>;
  submit(signed: SignedCommand, timeoutMs: number): Promise<Submission>;
  /** Each command has its own answer, in the order of the commands. */
  submitAll(signed: readonly SignedCommand[], timeoutMs: number): Promise<readonly BatchedSubmission[]>;
  /** Undefined when nothing is recorded under the id. */
  decision(id: Hash, consistency?: Consistency): Promise<CommandOutcome | "pending" | undefined>;
  status(): Promise<NodeStatus>;
  service(id: string, consistency?: Consistency): Promise<JsonValue | undefined>;
  services(page: { readonly after?: string; readonly limit: number }, consistency?: Consistency): Promise<JsonValue>;
  /** Members of the epoch, learners, a change that waits, and nodes that left. */
  members(consistency?: Consistency): Promise<JsonValue>;
  /** Entries' bytes by global sequence. */
  entries(range: { readonly from: number; readonly to: number }): Promise<readonly Uint8Array[]>;
  proof(seq: number): Promise<EntryProofAnswer | undefined>;
  policy(): Promise<string>;
  checkpoint(): Promise<string | undefined>;
  /** A file of the tiled log: `<shard>/tile/…`, `<shard>/checkpoint`, or `epochs/<e>`, the handover by which an epoch began. */
  logFile(path: string): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}
