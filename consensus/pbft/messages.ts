import type { Hash, NewViewStatement, NodeId } from "#base";
import type { Batch, CertificateVote, CommitCertificate } from "../block.ts";

/** Pre-prepare: the leader's signed proposal; it counts as the leader's prepare. */
export interface Propose {
  readonly type: "propose";
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly headerBytes: Uint8Array;
  readonly certifiedProof: Uint8Array;
  readonly batch: Batch;
  /** Purpose `proposal`, over the vote body of type pbftPropose. */
  readonly signature: Uint8Array;
}

/** Prepare or commit vote. The sender is the signer. */
export interface Vote {
  readonly type: "prepare" | "commit";
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** Purpose `vote`. */
  readonly signature: Uint8Array;
}

/** Proof that a digest may have been decided in the view: the leader's proposal and prepares with a quorum's weight together. */
export interface PreparedCertificate {
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** Canonical header that the digest is of: it says what the value follows. */
  readonly headerBytes: Uint8Array;
  readonly proposalSignature: Uint8Array;
  /** Without the leader; ascending ids; with the leader a minimal quorum. */
  readonly votes: readonly CertificateVote[];
}

/** Asks for a view at one height. It promises: no vote in any lower view of the epoch, at any height. */
export interface ViewChange {
  readonly type: "view-change";
  readonly epoch: number;
  /** The sender's lowest undecided height. View changes of other heights never count together. */
  readonly height: number;
  readonly view: number;
  /** Digest of the block below the height: what the lowest prepared value has to follow. */
  readonly parent: Hash;
  /** The sender's prepared certificates of highest view at the heights in flight, ascending. */
  readonly prepared: readonly PreparedCertificate[];
  /** Commit certificate of height − 1, absent at height 1: lets a reader that is behind believe the height. */
  readonly tip?: CommitCertificate;
  readonly sender: NodeId;
  /** Purpose `view-change`, over `encodeViewChangeBody`: all but the tip, the certificates by their hashes. */
  readonly signature: Uint8Array;
}

/** The new leader's proof that the view may begin at the height. What it has to propose follows from the view changes. */
export interface NewView {
  readonly type: "new-view";
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly viewChanges: readonly ViewChange[];
  readonly signature: Uint8Array;
}

/**
 * What the leader signed of the new-view by which the sender entered its view: nobody acts on it, but whoever heard another one has both
 * (docs/protocols/evidence.md, F5).
 */
export interface HeardNewView extends NewViewStatement {
  readonly type: "heard-new-view";
  readonly epoch: number;
}

/** Every message of PBFT. */
export type PbftMessage = Propose | Vote | ViewChange | NewView | HeardNewView;
