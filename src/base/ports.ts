import type { NodeId, PublicKey } from "./ids.ts";
import type { Member } from "./membership.ts";
import type { SignatureClaim } from "./signed-command.ts";

/**
 * The borders between rooms. Everything is callback-shaped on purpose: the simulator runs whole replicas in a plain loop under
 * virtual time, and a promise would hand the order of events to the runtime.
 */

/** Agreed time never comes from here: only proposals, timeouts and skew checks. */
export interface Clock {
  /** Microseconds since 1970. */
  nowUs(): number;
}

/** A timer that was set; cancelling one that fired does nothing. */
export interface TimerHandle {
  cancel(): void;
}

/** Runs something later. The callback never runs inside `after`. */
export interface Timers {
  after(delayMs: number, run: () => void): TimerHandle;
}

/** Unpredictable bytes: ids, nonces. */
export interface Entropy {
  bytes(length: number): Uint8Array;
}

/** Roles of a node's keys (FORMATS, Keys and signatures). */
export type KeyRole = "vote" | "log" | "witness" | "gateway";

/** Signs with a node's keys, which never leave it. */
export interface NodeSigner {
  /**
   * @param message the full bytes, domain prefix or note text included
   * @param key which of the role's keys signs, where they were renewed; it has to be held. Without it the one that the node began with
   */
  sign(role: KeyRole, message: Uint8Array, done: (signature: Uint8Array) => void, key?: PublicKey): void;
  /** Whether the secret half of a role's key is here. */
  holds(role: KeyRole, key: PublicKey): boolean;
}

/** Checks Ed25519 signatures by libsodium's predicate, and by no other. */
export interface SignatureVerifier {
  /** Verdicts in the order of the claims. May answer at once or later. */
  verify(claims: readonly SignatureClaim[], done: (verdicts: readonly boolean[]) => void): void;
}

/** One write: an absent value deletes the key. */
export interface WriteOperation {
  readonly key: string;
  readonly value?: Uint8Array;
}

/** Ordered keys and values. Keys are ASCII, ordered by code unit. */
export interface KeyValueStore {
  /** The value as of the last completed or pending write. */
  get(key: string): Uint8Array | undefined;
  /** All or nothing, and durable when done: `done` without an error is a promise to whoever is told. */
  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void;
  /** Visits keys in [from, to) in ascending order. */
  scan(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, value: Uint8Array) => void,
    done: (error?: Error) => void,
  ): void;
  close(done: (error?: Error) => void): void;
}

/** What a transport tells its owner. */
export interface TransportEvents {
  /** A whole frame from a peer whose identity is proved. */
  onFrame(from: NodeId, frame: Uint8Array): void;
  onPeerUp(peer: NodeId): void;
  onPeerDown(peer: NodeId, reason: string): void;
}

/** Frames between nodes. Delivery is best effort: protocols send again. */
export interface Transport {
  start(events: TransportEvents, done: (error?: Error) => void): void;
  /** From now on links are to exactly these nodes; others are cut at once. Before the first call it is whom the owner configured. */
  setPeers(members: readonly Member[]): void;
  /** Queues a frame; a peer that is away, or whose queue is full, loses it. */
  send(to: NodeId, frame: Uint8Array): void;
  connectedPeers(): readonly NodeId[];
  stop(done: () => void): void;
}

/** Levels of log lines. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Fields of a log line: never a key, token or body. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Logs and measurements of a room. Metric names are declared in src/telemetry. */
export interface Telemetry {
  log(level: LogLevel, event: string, fields?: LogFields): void;
  count(metric: string, amount?: number, labels?: Readonly<Record<string, string>>): void;
  gauge(metric: string, value: number, labels?: Readonly<Record<string, string>>): void;
  observe(metric: string, value: number, labels?: Readonly<Record<string, string>>): void;
}

/** Telemetry that says nothing, for tests and simulations. */
export const silentTelemetry: Telemetry = { log() {}, count() {}, gauge() {}, observe() {} };
