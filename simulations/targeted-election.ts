import { type NodeId, parseHeader } from "#base";
import type { ConsensusMessage } from "#consensus";

/** How far a schedule about old terms has come. */
type Stage = "waiting" | "second-leads" | "first-again" | "second-again";

/**
 * The schedule of figure 8 of the Raft paper: a leader writes an entry that nobody hears of; another leader writes another one there, that
 * nobody hears of; the first leads again, and the old entry, but none of its new term, comes to a majority; then the second leads again. If
 * the old entry was committed by counting who holds it, it is lost.
 */
export class OldTermLoss {
  readonly #majority: number;
  readonly #lastHeight: (() => number | undefined) | undefined;
  #stage: Stage = "waiting";
  #first: NodeId | undefined;
  #second: NodeId | undefined;
  #height = 0;
  #term = 0;
  readonly #holders = new Set<NodeId>();

  /**
   * @param nodes members of equal weight
   * @param options.lastHeight the epoch's, once it is known: the only height that counts, where it is named
   */
  constructor(nodes: number, options: { readonly lastHeight?: () => number | undefined } = {}) {
    this.#majority = Math.floor(nodes / 2) + 1;
    this.#lastHeight = options.lastHeight;
  }

  /** Whether the second leader leads again: the schedule ran to its end. */
  get isOver(): boolean {
    return this.#stage === "second-again";
  }

  /** Whether this message is lost on this link; undefined for a frame that is none. */
  drops(from: NodeId, to: NodeId, message: ConsensusMessage | undefined): boolean {
    if (message !== undefined) this.#watch(from, message);
    const away = this.#stage === "first-again" ? this.#second : this.#first;
    if (away !== undefined && (from === away || to === away)) return true;
    if (message?.type !== "append" || message.entry === undefined || this.isOver) return false;
    if (this.#stage === "first-again") return parseHeader(message.entry.headerBytes).originView === message.term;
    return this.#stage !== "waiting";
  }

  #watch(from: NodeId, message: ConsensusMessage): void {
    if (message.type === "append") this.#onAppend(from, message);
    else if (this.#stage === "first-again" && message.type === "append-reply" && message.accepted && message.height >= this.#height)
      this.#holders.add(from);
  }

  #onAppend(from: NodeId, { term, entry }: Extract<ConsensusMessage, { type: "append" }>): void {
    switch (this.#stage) {
      case "waiting":
        if (entry === undefined) return;
        this.#height = parseHeader(entry.headerBytes).height;
        if (this.#lastHeight !== undefined && this.#lastHeight() !== this.#height) return;
        this.#first = from;
        this.#term = term;
        this.#stage = "second-leads";
        return;
      case "second-leads":
        if (from === this.#first || term <= this.#term || entry === undefined) return;
        this.#second = from;
        this.#term = term;
        this.#stage = "first-again";
        return;
      case "first-again":
        // The replies of a majority are here: whoever counts them for an old term has committed by now.
        if (from === this.#first && term > this.#term && this.#holders.size + 1 >= this.#majority) this.#stage = "second-again";
        return;
      default:
        return;
    }
  }
}

/** A voter dies the moment after its vote left, and comes back among those who did not hear of it; whom it voted for is cut off. */
export class ForgottenVote {
  readonly #onVoted: (voter: NodeId) => void;
  #candidate: NodeId | undefined;
  #voter: NodeId | undefined;
  #term = 0;
  #voted = false;

  /** @param onVoted runs once, when the vote is on its way */
  constructor(onVoted: (voter: NodeId) => void) {
    this.#onVoted = onVoted;
  }

  /** Whether this message is lost on this link; undefined for a frame that is none. */
  drops(from: NodeId, to: NodeId, message: ConsensusMessage | undefined): boolean {
    if (this.#voted) return from === this.#candidate || to === this.#candidate;
    if (message?.type === "vote-request" && !message.pre) {
      if (from !== this.#candidate || message.term !== this.#term) [this.#candidate, this.#voter, this.#term] = [from, to, message.term];
      // The others still stand where they stood: one of them may ask for a vote in the same term.
      return to !== this.#voter;
    }
    const isVote = message?.type === "vote-reply" && message.granted && !message.pre && message.term === this.#term;
    if (!isVote || from !== this.#voter || to !== this.#candidate) return false;
    this.#voted = true;
    this.#onVoted(from);
    return false;
  }
}
