import { getHeapSpaceStatistics } from "node:v8";

/**
 * Flags of a process that runs schedules one after another. Nearly all that a schedule makes dies with it, and a collection in its midst copies what is
 * alive there twice, to be marked later; so the young generation holds several schedules (V8's default is 16 MiB, about one of four nodes), and is
 * collected between two.
 */
export const YOUNG_HEAP_FLAGS: readonly string[] = ["--min-semi-space-size=64", "--max-semi-space-size=64", "--expose-gc"];

/** Leaves room for a schedule of seven nodes. */
const YOUNG_BYTES_MAX = 24 * 1_048_576;

/** Collects the young generation between two schedules, once it is so full that another one might not fit; nothing in a process without the flags. */
export function collectBetween(): void {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  if (young !== undefined && young.space_used_size > YOUNG_BYTES_MAX) globalThis.gc?.({ type: "minor" });
}
