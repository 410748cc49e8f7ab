import type { EngineName, Hash, NodeId, SubjectId } from "#base";
import type { Violation } from "../checkers/invariants.ts";
import type { Fault } from "../faults/fault.ts";
import type { LossReason } from "../network.ts";
import type { Intent, SeenService } from "../workload.ts";

/** How a run begins: what it is made from, and who lies in it, by the kinds of Byzantine faults. */
export interface RunBegins {
  readonly type: "run";
  readonly seed: number;
  readonly engine: EngineName;
  readonly window: number;
  readonly nodes: readonly { readonly id: NodeId; readonly weight: number; readonly lies: readonly string[] }[];
  readonly faults: readonly Fault[];
}

/** How it ended. */
export interface RunEnds {
  readonly type: "end";
  readonly commits: number;
  readonly answered: number;
  readonly violations: readonly Violation[];
  /** Equal for equal runs. */
  readonly traceHash: string;
}

/** A frame on a link. Each has a number, under which it is sent once, and received or dropped as often as there are copies of it. */
export interface FrameEvent {
  readonly type: "sent" | "received" | "dropped";
  readonly frame: number;
  readonly from: NodeId;
  readonly to: NodeId;
  /** The message's type, or the frame's kind. */
  readonly name: string;
  /** The same with height, view and digest, where it has them. */
  readonly about: string;
  /** Why it was dropped. */
  readonly why?: LossReason;
}

/** A client asks a node, and hears an answer: ordered (with its outcome), rejected or unavailable. */
export interface ClientEvent {
  readonly type: "asked" | "answered";
  /** Counts the questions of the run. */
  readonly operation: number;
  readonly node: NodeId;
  readonly command: Hash;
  /** What it asks for; absent where no client of this cluster would. */
  readonly intent?: Intent;
  readonly answer?: string;
  readonly outcome?: string;
  readonly code?: string;
}

/** A client reads a service at a node, and is shown it; without `seen` nobody could confirm the read in time. */
export interface ReadEvent {
  readonly type: "read" | "shown";
  readonly operation: number;
  readonly node: NodeId;
  readonly service: SubjectId;
  readonly seen?: SeenService;
}

/** What became of a node. `applied` is a decided block that is durable there, `installed` the state at a height, taken over from peers. */
export type NodeEvent =
  | { readonly type: "started" | "killed"; readonly node: NodeId }
  | { readonly type: "halted"; readonly node: NodeId; readonly reason: string }
  | {
      readonly type: "applied";
      readonly node: NodeId;
      readonly height: number;
      readonly view: number;
      readonly digest: string;
      readonly commands: number;
    }
  | { readonly type: "installed"; readonly node: NodeId; readonly height: number }
  | { readonly type: "evidence"; readonly node: NodeId; readonly offender: NodeId };

/** Faults end; a quorum is alone with itself; everybody honest is together; all have drained. */
export type RunPhase = "faults-end" | "core-alone" | "together" | "drained";

/** What the schedule does, and what its checkers find. */
export type ScheduleEvent =
  | { readonly type: "fault"; readonly fault: Fault }
  | { readonly type: "phase"; readonly phase: RunPhase; readonly nodes: readonly NodeId[] }
  | ({ readonly type: "violated" } & Violation);

/** One event of a run, in the order in which they happen; `atMs` is virtual milliseconds since its beginning. */
export type RunEvent = { readonly atMs: number } & (RunBegins | RunEnds | FrameEvent | ClientEvent | ReadEvent | NodeEvent | ScheduleEvent);
