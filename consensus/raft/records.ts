import type { NodeId } from "#base";

/** What a node promised: it is durable before anything leaves (Ongaro 2014, section 3.8). */
export interface HardState {
  readonly term: number;
  /** For whom this node voted in the term; its own name also where it may vote for nobody (docs/protocols/raft.md, M2). */
  readonly vote: NodeId | undefined;
  /** False while votes of an earlier life may be forgotten. */
  readonly settled: boolean;
}

/** Where the hard state is kept. */
export const HARD_STATE_KEY = "hard-state";

/** Where the name of this node's memory is kept. */
export const MEMORY_KEY = "memory";

/** An entry of the log: a later entry of the same height takes its place. */
export function entryKey(height: number): string {
  return `entry/${height}`;
}

/** The height of an entry's key; undefined for other records. */
export function readEntryKey(key: string): number | undefined {
  const [kind, height = ""] = key.split("/");
  return kind === "entry" ? Number(height) : undefined;
}
