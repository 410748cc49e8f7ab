import { type Hash, type Membership, type NodeId, totalWeight, weightOf } from "#base";

/** A vote as it was received; it counts once its verdict is good. */
export interface BallotVote {
  readonly node: NodeId;
  readonly digest: Hash;
  readonly signature: Uint8Array;
  /** The round of the proof that a tendermint prevote refers to. */
  readonly validRound?: number;
  verdict: "unknown" | "checking" | "good";
}

/** The votes of one type at one (height, view): the first of each member, with lazy verification. */
export class Ballot {
  readonly #membership: Membership;
  readonly #isQuorum: (weight: number, total: number) => boolean;
  readonly #votes = new Map<NodeId, BallotVote>();

  constructor(membership: Membership, isQuorum: (weight: number, total: number) => boolean) {
    this.#membership = membership;
    this.#isQuorum = isQuorum;
  }

  /** Adds a member's first vote, and returns an earlier one that says something else. */
  add(vote: BallotVote): BallotVote | undefined {
    const known = this.#votes.get(vote.node);
    if (known === undefined) this.#votes.set(vote.node, vote);
    return known !== undefined && known.digest !== vote.digest ? known : undefined;
  }

  /** Drops a vote whose signature is bad; its sender may send a good one. */
  drop(node: NodeId): void {
    this.#votes.delete(node);
  }

  /** Digests that were voted for. */
  digests(): Set<Hash> {
    return new Set([...this.#votes.values()].map((vote) => vote.digest));
  }

  /** A member's vote. */
  of(node: NodeId): BallotVote | undefined {
    return this.#votes.get(node);
  }

  /** Votes for a digest, or for any when it does not matter. */
  for(digest: Hash | undefined): BallotVote[] {
    return [...this.#votes.values()].filter((vote) => digest === undefined || vote.digest === digest);
  }

  /** The counted votes when they make a quorum, together with a member that counts without a vote here. */
  quorum(digest: Hash | undefined, extra?: NodeId): BallotVote[] | undefined {
    const good = this.for(digest).filter((vote) => vote.verdict === "good" && vote.node !== extra);
    return this.#reaches(good, extra) ? good : undefined;
  }

  /** The votes to verify next: as many as complete a quorum, and none while a quorum is out of reach. */
  toVerify(digest: Hash | undefined, extra?: NodeId): BallotVote[] {
    const votes = this.for(digest).filter((vote) => vote.node !== extra);
    if (!this.#reaches(votes, extra)) return [];
    const counted = votes.filter((vote) => vote.verdict !== "unknown");
    const chosen: BallotVote[] = [];
    for (const vote of votes) {
      if (this.#reaches([...counted, ...chosen], extra)) break;
      if (vote.verdict === "unknown") chosen.push(vote);
    }
    return chosen;
  }

  /** True when nothing but `nil` can get a quorum any more, whatever those say whose votes do not count yet. */
  isSplit(nil: Hash): boolean {
    const good = this.for(undefined).filter((vote) => vote.verdict === "good");
    const open = totalWeight(this.#membership) - this.#weight(good);
    const heaviest = Math.max(
      0,
      ...[...this.digests()].map((digest) => this.#weight(good.filter((vote) => vote.digest === digest && digest !== nil))),
    );
    return !this.#isQuorum(open + heaviest, totalWeight(this.#membership));
  }

  /** Members that voted, whatever they said. */
  voters(): NodeId[] {
    return [...this.#votes.keys()];
  }

  #weight(votes: readonly BallotVote[]): number {
    return weightOf(
      this.#membership,
      votes.map(({ node }) => node),
    );
  }

  #reaches(votes: readonly BallotVote[], extra: NodeId | undefined): boolean {
    const nodes = votes.map((vote) => vote.node);
    return this.#isQuorum(weightOf(this.#membership, extra === undefined ? nodes : [...nodes, extra]), totalWeight(this.#membership));
  }
}
