import { findMember, type Hash, type Membership, type NodeId, totalWeight } from "#base";

const NONE: readonly BallotVote[] = [];

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
  readonly #total: number;
  readonly #votes = new Map<NodeId, BallotVote>();
  readonly #weights = new Map<NodeId, number>();

  constructor(membership: Membership, isQuorum: (weight: number, total: number) => boolean) {
    this.#membership = membership;
    this.#isQuorum = isQuorum;
    this.#total = totalWeight(membership);
  }

  /** Adds a member's first vote, and returns an earlier one that says something else, be it of the proof that it refers to. */
  add(vote: BallotVote): BallotVote | undefined {
    const known = this.#votes.get(vote.node);
    if (known === undefined) {
      this.#votes.set(vote.node, vote);
      this.#weights.set(vote.node, findMember(this.#membership, vote.node)?.weight ?? 0);
    }
    return known !== undefined && !isAlike(known, vote) ? known : undefined;
  }

  /** Drops a vote whose signature is bad; its sender may send a good one. */
  drop(node: NodeId): void {
    this.#votes.delete(node);
  }

  /** Digests that were voted for. */
  digests(): Set<Hash> {
    const digests = new Set<Hash>();
    for (const { digest } of this.#votes.values()) digests.add(digest);
    return digests;
  }

  /** What was voted for, each once: votes that refer to proofs of different rounds say different things. */
  values(): BallotVote[] {
    const values: BallotVote[] = [];
    for (const vote of this.#votes.values()) if (!values.some((value) => isAlike(value, vote))) values.push(vote);
    return values;
  }

  /** The digest that all of these voted for, by one proof; undefined when they differ or one did not vote. */
  unanimous(nodes: readonly NodeId[]): Hash | undefined {
    const [first, ...rest] = nodes.map((node) => this.#votes.get(node));
    return first !== undefined && rest.every((vote) => vote !== undefined && isAlike(first, vote)) ? first.digest : undefined;
  }

  /** A member's vote. */
  of(node: NodeId): BallotVote | undefined {
    return this.#votes.get(node);
  }

  /** Votes for a digest, or for any when it does not matter. */
  for(digest: Hash | undefined): BallotVote[] {
    return [...this.#votes.values()].filter((vote) => digest === undefined || vote.digest === digest);
  }

  /**
   * The counted votes when they make a quorum, together with a member that counts without a vote here.
   * @param validRound the proof that they refer to, where that matters
   */
  quorum(digest: Hash | undefined, extra?: NodeId, validRound?: number): BallotVote[] | undefined {
    const about = { digest, extra, validRound };
    let weight = this.#weightBeside(extra);
    for (const vote of this.#votes.values()) if (isCounted(vote, about) && vote.verdict === "good") weight += this.#weightAt(vote);
    if (!this.#isQuorum(weight, this.#total)) return undefined;
    return [...this.#votes.values()].filter((vote) => vote.verdict === "good" && isCounted(vote, about));
  }

  /** The votes to verify next: as many as complete a quorum, and none while a quorum is out of reach. */
  toVerify(digest: Hash | undefined, extra?: NodeId, validRound?: number): readonly BallotVote[] {
    const about = { digest, extra, validRound };
    let within = this.#weightBeside(extra);
    let counted = within;
    for (const vote of this.#votes.values()) {
      if (!isCounted(vote, about)) continue;
      within += this.#weightAt(vote);
      if (vote.verdict !== "unknown") counted += this.#weightAt(vote);
    }
    if (!this.#isQuorum(within, this.#total)) return NONE;
    const chosen: BallotVote[] = [];
    for (const vote of this.#votes.values()) {
      if (this.#isQuorum(counted, this.#total)) break;
      if (!isCounted(vote, about) || vote.verdict !== "unknown") continue;
      chosen.push(vote);
      counted += this.#weightAt(vote);
    }
    return chosen;
  }

  /** The votes that nobody has begun to verify. */
  unknown(): readonly BallotVote[] {
    return this.for(undefined).filter(({ verdict }) => verdict === "unknown");
  }

  /**
   * True when nothing but `nil` can get a quorum any more, whatever those say whose votes do not count yet.
   * @param isAwaited false for members whose votes are not waited for when they are missing
   */
  isSplit(nil: Hash, isAwaited: (node: NodeId) => boolean): boolean {
    const good = this.for(undefined).filter((vote) => vote.verdict === "good");
    const open = this.#membership.members.reduce((sum, { id, weight }) => {
      const vote = this.#votes.get(id);
      return (vote === undefined ? isAwaited(id) : vote.verdict !== "good") ? sum + weight : sum;
    }, 0);
    const heaviest = Math.max(
      0,
      ...this.values().map((value) => this.#weight(good.filter((vote) => isAlike(value, vote) && vote.digest !== nil))),
    );
    return !this.#isQuorum(open + heaviest, this.#total);
  }

  /** Members that voted, whatever they said. */
  voters(): NodeId[] {
    return [...this.#votes.keys()];
  }

  #weight(votes: readonly BallotVote[]): number {
    return votes.reduce((sum, vote) => sum + this.#weightAt(vote), 0);
  }

  #weightAt({ node }: BallotVote): number {
    return this.#weights.get(node) ?? 0;
  }

  /** What a member weighs that counts without a vote here. */
  #weightBeside(extra: NodeId | undefined): number {
    return extra === undefined ? 0 : (findMember(this.#membership, extra)?.weight ?? 0);
  }
}

/** Which votes count; any where something is undefined, and not that of the member that counts without one. */
interface Counted {
  readonly digest: Hash | undefined;
  readonly extra: NodeId | undefined;
  readonly validRound: number | undefined;
}

function isCounted(vote: BallotVote, { digest, extra, validRound }: Counted): boolean {
  if (vote.node === extra || (digest !== undefined && vote.digest !== digest)) return false;
  return validRound === undefined || vote.validRound === validRound;
}

function isAlike(first: BallotVote, second: BallotVote): boolean {
  return first.digest === second.digest && first.validRound === second.validRound;
}
