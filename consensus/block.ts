import type { BlockHeader, CertifiedPoint, Hash, NodeId } from "#base";

/** Encoded signed commands in the order of the block. Opaque to consensus: the driver validates them. */
export type Batch = readonly Uint8Array[];

/** A block as it is proposed. `digest` is the header's digest; the header binds the batch by `commandsRoot`. */
export interface Proposal {
  readonly header: BlockHeader;
  /** Canonical bytes; a re-proposal keeps them. */
  readonly headerBytes: Uint8Array;
  readonly digest: Hash;
  readonly batch: Batch;
  /** Quorum cosignatures that prove `header.certified`; opaque here, checked by the driver. Empty for height 0. */
  readonly certifiedProof: Uint8Array;
}

/** One member's signature in a certificate. */
export interface CertificateVote {
  readonly node: NodeId;
  readonly signature: Uint8Array;
}

/** Proof that a height is decided: commit votes of distinct members with a quorum's weight, in ascending id, minimal. */
export interface CommitCertificate {
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  readonly votes: readonly CertificateVote[];
}

/** What the leader's driver fills in when the core can take a proposal. */
export interface ProposalDraft {
  readonly height: number;
  readonly view: number;
  /** Later than the parent's time. */
  readonly timeUs: number;
  readonly commandsRoot: Hash;
  readonly certified: CertifiedPoint;
  readonly certifiedProof: Uint8Array;
  readonly batch: Batch;
}

/** The newest decided block that is durable on this node. Height 0 is genesis: digest zeros, time of genesis. */
export interface Tip {
  readonly height: number;
  readonly digest: Hash;
  readonly timeUs: number;
  /** View of its commit certificate; 0 at genesis. */
  readonly view: number;
  /** Absent at genesis. */
  readonly certificate?: CommitCertificate;
}
