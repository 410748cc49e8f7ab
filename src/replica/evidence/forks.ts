import { type EngineName, faultModelOf, type Hash, type Membership, type NodeId, type SignatureVerifier } from "#base";
import { type CommitCertificate, checkCommitCertificate, commitCertificateClaims, doubleVotes, type Evidence } from "#consensus";
import type { ServingBudget } from "../peers/serving-budget.ts";

/** What comparing stands on. */
export interface ForksOptions {
  readonly cluster: Hash;
  readonly engine: EngineName;
  readonly verifier: SignatureVerifier;
  membershipAt(height: number): Membership;
  tipHeight(): number;
  /** The certificate of a block that this node decided and still has, and how many bytes were read for it. */
  decidedAt(height: number): { readonly certificate: CommitCertificate; readonly bytesRead: number } | undefined;
  /** What each peer may make this node read by showing: a certificate is small, the block that it is compared with may be large. */
  readonly reading: ServingBudget;
  onEvidence(evidence: Evidence): void;
  halt(reason: string): void;
}

/** Certificates of one peer that are looked at between two decisions: each costs a quorum's verifications. */
const LOOKS_MAX = 4;

/**
 * Finds a certificate of another block at a height that this node has decided, whoever shows it and with what (docs/protocols/evidence.md, F3). More
 * members lie than the cluster tolerates: some of them can be named, and nothing that this node would still say can be relied on.
 */
export class Forks {
  readonly #options: ForksOptions;
  readonly #looks = new Map<NodeId, number>();

  constructor(options: ForksOptions) {
    this.#options = options;
  }

  /** A certificate that a peer shows, unchecked. Nothing is read from the disk, nor verified, of what agrees with the tip. */
  note(from: NodeId, shown: CommitCertificate): void {
    const { cluster, engine, verifier, membershipAt, tipHeight } = this.#options;
    const { height } = shown;
    if (faultModelOf(engine) !== "byzantine" || height < 1 || height > tipHeight()) return;
    const looks = this.#looks.get(from) ?? 0;
    if (looks >= LOOKS_MAX) return;
    const decided = this.#decidedAt(from, height);
    if (decided === undefined || decided.digest === shown.digest) return;
    this.#looks.set(from, looks + 1);
    const membership = membershipAt(height);
    if (!checkCommitCertificate(shown, { membership, engine })) return;
    const context = { cluster, membership, engine };
    verifier.verify(commitCertificateClaims(shown, context), (verdicts) => {
      if (!verdicts.every(Boolean)) return;
      for (const evidence of doubleVotes(decided, shown, context)) this.#options.onEvidence(evidence);
      this.#options.halt("two certificates decide one height differently");
    });
  }

  /** A decision: every peer is looked at again. */
  onApplied(): void {
    this.#looks.clear();
  }

  #decidedAt(from: NodeId, height: number): CommitCertificate | undefined {
    const { tipHeight, decidedAt, reading } = this.#options;
    if (height === tipHeight()) return decidedAt(height)?.certificate;
    if (!reading.allows(from)) return undefined;
    const decided = decidedAt(height);
    reading.spend(from, decided?.bytesRead ?? 0);
    return decided?.certificate;
  }
}
