import { type Hash, isByzantineQuorum, parseHeader } from "#base";
import type { VotingRules } from "../voting-state.ts";
import type { PreparedCertificate, ViewChange } from "./messages.ts";

/** Waiting times of the core, in milliseconds. */
export interface PbftTiming {
  /** First wait for a decision before the leader is replaced; doubles with each view without one. */
  readonly viewTimeoutMs: number;
  readonly viewTimeoutMaxMs: number;
  /** Own messages are sent again after this long without a decision. */
  readonly retransmitMs: number;
}

/** Defaults for a local network. */
export const PBFT_TIMING: PbftTiming = { viewTimeoutMs: 800, viewTimeoutMaxMs: 10_000, retransmitMs: 300 };

/**
 * The decisions on which safety stands, in one place: a planted bug or a Byzantine actor overrides one of them, production never does.
 */
export interface PbftRules extends VotingRules {
  /** Whether a vote counts only after its signature verified (P5). */
  readonly verifiesVotes: boolean;
  /** Whether prepares must be for the accepted digest to count (P3). */
  readonly matchesDigest: boolean;
  /** Whether a commit waits until every lower height in flight is prepared in the same view (P3). */
  readonly commitsInOrder: boolean;
  /** What a new-view demands, from its height upwards (V6). */
  demandedChain(viewChanges: readonly ViewChange[]): readonly Hash[];
  /** Whether what a new-view demands follows from the view changes in it, and not from those that came to this node (V6). */
  readonly demandsByNewView: boolean;
  /** Whether a new-view's signatures and certificates are checked (V5). */
  readonly verifiesNewViews: boolean;
  /** Whether a restart brings the prepared certificates back (G2). */
  readonly restoresCertificates: boolean;
}

/** The rules as docs/protocols/pbft.md states them. */
export const pbftRules: PbftRules = {
  isQuorum: isByzantineQuorum,
  verifiesVotes: true,
  matchesDigest: true,
  commitsInOrder: true,
  demandedChain: (viewChanges) => preparedChain(viewChanges, (best, other) => other.view > best.view),
  demandsByNewView: true,
  verifiesNewViews: true,
  checksCertificates: true,
  confirmsReads: true,
  restoresCertificates: true,
};

/**
 * From the view changes' height upwards, of the prepared certificates that follow what stands below them the best one of each height, up to the
 * first height without one. A value that follows another block than the one decided below it was never decided; and of a decided value the
 * certificate of highest view at each height down to the decided block is on its chain (docs/protocols/pbft.md, V6).
 * @param isBetter whether the other certificate takes the place of the best so far
 */
export function preparedChain(
  viewChanges: readonly ViewChange[],
  isBetter: (best: PreparedCertificate, other: PreparedCertificate) => boolean,
): readonly Hash[] {
  const [first] = viewChanges;
  if (first === undefined) return [];
  const chain: Hash[] = [];
  const certificates = viewChanges.flatMap(({ prepared }) => prepared);
  for (let { height, parent } = first; ; height++) {
    let best: PreparedCertificate | undefined;
    for (const certificate of certificates) {
      const follows = certificate.height === height && parseHeader(certificate.headerBytes).parent === parent;
      if (follows && (best === undefined || isBetter(best, certificate))) best = certificate;
    }
    if (best === undefined) return chain;
    chain.push(best.digest);
    parent = best.digest;
  }
}
