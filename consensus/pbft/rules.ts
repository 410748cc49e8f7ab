import { type Hash, isByzantineQuorum } from "#base";
import type { ViewChange } from "./messages.ts";

/** Waiting times of the core, in milliseconds. */
export interface PbftTiming {
  /** First wait for a decision before the leader is replaced; doubles with each view without one. */
  readonly viewTimeoutMs: number;
  readonly viewTimeoutMaxMs: number;
  /** Own messages are sent again after this long without a decision. */
  readonly retransmitMs: number;
}

/** Defaults for a local network. */
export const PBFT_TIMING: PbftTiming = { viewTimeoutMs: 1_200, viewTimeoutMaxMs: 10_000, retransmitMs: 300 };

/**
 * The decisions on which safety stands, in one place: a planted bug or a Byzantine actor overrides one of them, production never does.
 */
export interface PbftRules {
  /** Whether the weight decides (P3, P4, V5). */
  isQuorum(weight: number, total: number): boolean;
  /** Whether a vote counts only after its signature verified (P5). */
  readonly verifiesVotes: boolean;
  /** Whether prepares must be for the accepted digest to count (P3). */
  readonly matchesDigest: boolean;
  /** Whether a node that promised a view stays silent in lower ones (V3). */
  readonly keepsPromise: boolean;
  /** What a new-view demands (V6). */
  demandedDigest(viewChanges: readonly ViewChange[]): Hash | undefined;
  /** Whether a new-view's signatures and certificates are checked (V5). */
  readonly verifiesNewViews: boolean;
}

/** The rules as docs/protocols/pbft.md states them. */
export const pbftRules: PbftRules = {
  isQuorum: isByzantineQuorum,
  verifiesVotes: true,
  matchesDigest: true,
  keepsPromise: true,
  demandedDigest: highestPrepared,
  verifiesNewViews: true,
};

/** The digest of the prepared certificate with the highest view; none when nobody prepared anything. */
function highestPrepared(viewChanges: readonly ViewChange[]): Hash | undefined {
  let best: ViewChange["prepared"];
  for (const { prepared } of viewChanges) if (prepared !== undefined && (best === undefined || prepared.view > best.view)) best = prepared;
  return best?.digest;
}
