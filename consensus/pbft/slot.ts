import type { Hash, Membership, VoteType } from "#base";
import { Ballot } from "../ballot.ts";
import type { CommitCertificate, Proposal } from "../block.ts";
import type { PreparedCertificate, Propose, Vote } from "./messages.ts";

/** Ballots of one height: the current view's two, and a few of views whose commits may still decide. */
const BALLOTS_MAX = 16;
/** Bodies of one height, each as long as a block may be: what may be decided is among the two or three that stay in any case (rule G2b). */
const BODIES_MAX = 8;

/** A proposal that this node accepted at a height. */
export interface Accepted {
  readonly proposal: Proposal;
  readonly view: number;
  /** The leader's. */
  readonly signature: Uint8Array;
}

/** A proposal whose signature or content is being checked, or one's own that is being signed. */
export interface Candidate {
  readonly digest: Hash;
  readonly view: number;
  readonly signature: Uint8Array;
}

interface SlotBallot {
  readonly type: VoteType;
  readonly view: number;
  readonly ballot: Ballot;
}

/** What is known of one undecided height. */
export class Slot {
  readonly height: number;
  accepted: Accepted | undefined;
  candidate: Candidate | undefined;
  /** The certificate of highest view that this node saw. */
  prepared: PreparedCertificate | undefined;
  /** What this node sent in the present view, to be sent again as it is. */
  sent: { propose?: Propose; prepare?: Vote; commit?: Vote } = {};
  /** A decision that waits for the heights below it. */
  decided: CommitCertificate | undefined;
  askedForBlock: boolean = false;
  /** Slots that somebody was blamed for: replayed contradictions are not evidence again. */
  readonly blamed: Set<string> = new Set();
  readonly #membership: Membership;
  readonly #isQuorum: (weight: number, total: number) => boolean;
  readonly #ballots: SlotBallot[] = [];
  /** Valid proposals by digest, the newest last. */
  readonly #bodies = new Map<Hash, Proposal>();

  constructor(height: number, rules: { readonly membership: Membership; isQuorum(weight: number, total: number): boolean }) {
    this.height = height;
    this.#membership = rules.membership;
    this.#isQuorum = rules.isQuorum;
  }

  /** A valid proposal, if it is still held. */
  body(digest: Hash): Proposal | undefined {
    return this.#bodies.get(digest);
  }

  /** Keeps a valid proposal, and returns the digest of one that made room: the oldest that this node has not accepted, prepared or seen decided. */
  keepBody(proposal: Proposal): Hash | undefined {
    this.#bodies.delete(proposal.digest);
    this.#bodies.set(proposal.digest, proposal);
    if (this.#bodies.size <= BODIES_MAX) return undefined;
    const needed = [proposal.digest, this.accepted?.proposal.digest, this.prepared?.digest, this.decided?.digest];
    const oldest = [...this.#bodies.keys()].find((digest) => !needed.includes(digest));
    if (oldest !== undefined) this.#bodies.delete(oldest);
    return oldest;
  }

  /** @param current the present view, whose ballots never make room */
  ballot(type: VoteType, view: number, current: number): Ballot {
    for (const known of this.#ballots) if (known.type === type && known.view === view) return known.ballot;
    if (this.#ballots.length >= BALLOTS_MAX) this.#dropBallot(current);
    const ballot = new Ballot(this.#membership, this.#isQuorum);
    this.#ballots.push({ type, view, ballot });
    return ballot;
  }

  /** What was said in the view that this node leaves is not said again. */
  leaveView(): void {
    this.accepted = undefined;
    this.candidate = undefined;
    this.sent = {};
  }

  /** A Byzantine member may vote in many views; ballots of other views than the current make room, fewest voters first. */
  #dropBallot(current: number): void {
    const others = this.#ballots.filter(({ view }) => view !== current);
    others.sort((a, b) => a.ballot.voters().length - b.ballot.voters().length);
    const [first] = others;
    if (first !== undefined) this.#ballots.splice(this.#ballots.indexOf(first), 1);
  }
}
