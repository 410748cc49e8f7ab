import type { Hash } from "#base";

/** The newest value that this node locked, as its polka (T5). */
export const LOCK_KEY = "lock";

/** Why this node is in its round (T14). */
export const ROUND_KEY = "round";

/** A value that this node held valid: it stays until its height is decided. */
export function bodyKey(height: number, digest: Hash): string {
  return `body/${height}/${digest}`;
}

/** What this node said last of a kind. */
export function sentKey(kind: "proposal" | "prevote" | "precommit"): string {
  return `sent/${kind}`;
}
