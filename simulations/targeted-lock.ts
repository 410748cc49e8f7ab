import type { NodeId } from "#base";
import type { ConsensusMessage } from "#consensus";

/** Who is let to learn what of Tendermint's first round. */
export interface TargetedLockOptions {
  /** Learns nothing of the first round's value, and proposes in the next. */
  readonly misses: NodeId;
  /** The only node that hears all precommits, and nobody hears its own: it alone decides. */
  readonly decides: NodeId;
  /** Proposer of a height's round. */
  proposerOf(height: number, round: number): NodeId;
}

/**
 * The schedule that locks are for, as asynchrony allows it: in the first round one node decides and is not heard of again, some others are
 * locked on what it decided, and the one that proposes next knows nothing of it. It waits for a height at which that one is next.
 */
export class TargetedLock {
  readonly #options: TargetedLockOptions;
  #height: number | undefined;

  constructor(options: TargetedLockOptions) {
    this.#options = options;
  }

  /** Whether it met its height. */
  get hasBegun(): boolean {
    return this.#height !== undefined;
  }

  /** Whether this message is lost on this link. */
  drops(from: NodeId, to: NodeId, message: ConsensusMessage): boolean {
    const { misses, decides, proposerOf } = this.#options;
    if (message.type === "round-proposal" && message.view === 0 && this.#height === undefined) {
      if (proposerOf(message.height, 1) === misses && from !== misses) this.#height = message.height;
    }
    if (this.#height === undefined || !("height" in message)) return this.dropsOther(from);
    if (message.height !== this.#height) return from === decides && message.height > this.#height;
    return (from === decides && !isOfFirstRound(message)) || (to === misses && this.#tells(from, message));
  }

  /** Frames that are no messages of the height but tell of the decision: tips, cosignatures, blocks for who is behind. */
  dropsOther(from: NodeId): boolean {
    return this.#height !== undefined && from === this.#options.decides;
  }

  /** What would make the one that misses the value lock on it, or propose it. */
  #tells(from: NodeId, message: ConsensusMessage): boolean {
    if (message.type === "polka" || message.type === "proposal-body" || message.type === "passed-proposal") return true;
    if (!("view" in message) || message.view !== 0) return false;
    return message.type === "round-proposal" || (message.type === "prevote" && from === this.#options.decides);
  }
}

/** Proposal and prevote of the first round: without them nobody would lock. */
function isOfFirstRound(message: ConsensusMessage): boolean {
  return (message.type === "round-proposal" || message.type === "prevote") && message.view === 0;
}
