import type { EngineName } from "#base";
import type { ClusterOptions } from "../cluster.ts";
import type { FaultKind } from "../faults/catalogue.ts";

/** A bug that is planted on purpose, to see that the laboratory finds it. */
export interface PlantedBug {
  readonly name: string;
  /** What is wrong, in a line. */
  readonly about: string;
  /** The engine that it is planted in; any when absent. */
  readonly engine?: EngineName;
  /** Invariants of which at least one must be seen to break. */
  readonly breaks: readonly string[];
  /** Members that it needs; as many as the campaign names when absent. */
  readonly nodes?: number;
  /** One weight each; drawn from the seed when absent. */
  readonly weights?: readonly number[];
  readonly overrides: Pick<ClusterOptions, "acknowledgesEarly" | "forgetsGuard" | "window" | "rules" | "disk">;
  /** Kinds of faults under which it shows soonest. */
  readonly kinds: readonly FaultKind[];
}
