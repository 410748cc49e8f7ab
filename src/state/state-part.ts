import type { StateChange } from "#base";
import type { BranchHashes } from "./state-tree.ts";

/** One stored key with its canonical bytes. */
export type StateItem = Required<StateChange>;

/** What stands at a path: all below it, or the hashes of the branch. */
export type StatePart = { readonly kind: "leaves"; readonly items: readonly StateItem[] } | ({ readonly kind: "branch" } & BranchHashes);

const HASH_BYTES = 32;

/** What a part comes to in bytes: keys and values, or hashes. */
export function partBytes(part: StatePart): number {
  if (part.kind === "branch") return part.hashes.length * HASH_BYTES;
  return part.items.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}
