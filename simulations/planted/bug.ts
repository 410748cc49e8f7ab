import type { EngineName } from "#base";
import type { ClusterOptions } from "../cluster.ts";
import type { FaultKind } from "../faults/catalogue.ts";

/** The part of the system whose rule a planted bug overrides. */
export type PlantedRoom = "protocol" | "replica" | "storage" | "membership" | "state" | "audit";

/** A bug that is planted on purpose, to see that the laboratory finds it. */
export interface PlantedBug {
  readonly name: string;
  readonly room: PlantedRoom;
  /** What is wrong, in a line. */
  readonly about: string;
  /** The system that had it, or the paper that warns of it, where it is known. */
  readonly known?: string;
  /** The engine that it is planted in; any when absent. */
  readonly engine?: EngineName;
  /** Invariants of which the first that breaks must be one. */
  readonly breaks: readonly string[];
  /** Members that it needs; as many as the campaign names when absent. */
  readonly nodes?: number;
  /** One weight each; drawn from the seed when absent. */
  readonly weights?: readonly number[];
  readonly overrides: Pick<ClusterOptions, "acknowledgesEarly" | "forgetsGuard" | "window" | "rules" | "disk">;
  /** Kinds of faults under which it shows soonest. */
  readonly kinds: readonly FaultKind[];
}
