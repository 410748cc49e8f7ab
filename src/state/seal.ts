import type { EntryDraft, Hash } from "#base";
import type { Meta, Totals } from "./meta.ts";

/** Counts of one block by outcome, and of unauthenticated refusals by code. */
export interface BlockCounts {
  readonly totals: Record<keyof Totals, number>;
  readonly refusals: Map<string, number>;
}

/** What the seal commits to beside the state hash; the root only at multiples of the checkpoint interval. */
export interface SealedHashes {
  readonly stateRoot?: Hash;
  readonly membershipHash: Hash;
  readonly nextMembershipHash: Hash;
}

/** The last entry of a block, by which a cosigned root vouches for the state and the members after it. */
export function sealedDraft(
  { height, timeUs, epoch, stateHash }: Meta,
  { totals, refusals }: BlockCounts,
  hashes: SealedHashes,
): EntryDraft {
  const { applied, allowed, denied, refused } = totals;
  return {
    kind: "block.sealed",
    provenance: "cluster",
    actor: "cluster",
    subject: "cluster",
    reason: "OK",
    delegation: [],
    content: {
      height,
      time: String(timeUs),
      epoch,
      stateHash,
      ...hashes,
      counts: { applied, allowed, denied, refused, refusals: Object.fromEntries(refusals) },
    },
  };
}
