import type { EngineName, Hasher } from "#base";
import type { Violation } from "./checkers/invariants.ts";
import type { RunEvent } from "./diagrams/events.ts";
import type { FaultKind } from "./faults/catalogue.ts";
import type { Fault } from "./faults/fault.ts";
import type { KeyMill } from "./keys.ts";
import type { LivenessReport } from "./liveness.ts";
import type { PlantedBug } from "./planted/bug.ts";
import type { Retention } from "./shape.ts";

/** What one schedule is run with. */
export interface RunOptions {
  readonly seed: number;
  /** The consensus engine; pbft by default. */
  readonly engine?: EngineName;
  readonly nodes: number;
  /** One weight each; drawn from the seed by default. */
  readonly weights?: readonly number[];
  /** Heights in flight; drawn from the seed by default. */
  readonly window?: number;
  /** When nodes prune; drawn from the seed by default. */
  readonly retention?: Retention;
  readonly hasher: Hasher;
  /** A mill of keys for this run: the stand-in, or real Ed25519. */
  readonly keys: KeyMill;
  /** Kinds of faults to draw from; all by default. */
  readonly kinds?: readonly FaultKind[];
  /** A list to replay instead of drawing one. */
  readonly faults?: readonly Fault[];
  readonly planted?: PlantedBug;
  /** Whether the first violation ends the schedule. */
  readonly endsAtViolation?: boolean;
  /** Receives each event as it happens, for a transcript or a diagram. */
  readonly record?: (event: RunEvent) => void;
}

/** What came of one schedule. */
export interface RunResult {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly violations: readonly Violation[];
  readonly commits: number;
  readonly answered: number;
  readonly virtualMs: number;
  readonly events: number;
  /** How often each kind of fault took effect; a Byzantine node counts once. */
  readonly hits: Readonly<Record<string, number>>;
  readonly marks: Readonly<Record<string, number>>;
  /** Frames that honest cores sent, by the name of their message. */
  readonly messages: Readonly<Record<string, number>>;
  /** Votes and proposals signed. */
  readonly signatures: number;
  /** Receipts that the offline verifier passed. */
  readonly receipts: number;
  readonly liveness: LivenessReport;
  /** 16 hexadecimal characters: equal for equal runs. */
  readonly traceHash: string;
}
