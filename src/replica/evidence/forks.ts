import { type EngineName, faultModelOf, type Hash, type Membership, type NodeId, type SignatureVerifier } from "#base";
import { type CommitCertificate, checkCommitCertificate, commitCertificateClaims, doubleVotes, type Evidence } from "#consensus";

/** What comparing stands on. */
export interface ForksOptions {
  readonly cluster: Hash;
  readonly engine: EngineName;
  readonly verifier: SignatureVerifier;
  membershipAt(height: number): Membership;
  tipHeight(): number;
  /** The certificate of a block that this node decided and still has. */
  decidedAt(height: number): CommitCertificate | undefined;
  onEvidence(evidence: Evidence): void;
  halt(reason: string): void;
}

/** Certificates of one peer that are looked at between two decisions: each costs a quorum's verifications. */
const LOOKS_MAX = 4;
/** Stored blocks that are read for what one peer shows between two decisions: a block is much longer than its certificate. A new-view shows one of each member. */
const READS_MAX = 64;

/**
 * Finds a certificate of another block at a height that this node has decided, whoever shows it and with what (docs/protocols/evidence.md, F3). More
 * members lie than the cluster tolerates: some of them can be named, and nothing that this node would still say can be relied on.
 */
export class Forks {
  readonly #options: ForksOptions;
  readonly #looks = new Map<NodeId, number>();
  readonly #reads = new Map<NodeId, number>();

  constructor(options: ForksOptions) {
    this.#options = options;
  }

  /** A certificate that a peer shows, unchecked. Nothing is read from the disk, nor verified, of what agrees with the tip. */
  note(from: NodeId, shown: CommitCertificate): void {
    const { cluster, engine, verifier, membershipAt, tipHeight, decidedAt } = this.#options;
    const { height } = shown;
    if (faultModelOf(engine) !== "byzantine" || height < 1 || height > tipHeight()) return;
    const looks = this.#looks.get(from) ?? 0;
    if (looks >= LOOKS_MAX || (height < tipHeight() && !this.#mayRead(from))) return;
    const decided = decidedAt(height);
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
    this.#reads.clear();
  }

  #mayRead(from: NodeId): boolean {
    const reads = this.#reads.get(from) ?? 0;
    this.#reads.set(from, reads + 1);
    return reads < READS_MAX;
  }
}
