import { type NodeId, ZERO_HASH } from "#base";
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

/** Who is to lock in which of a height's first two rounds, and who misses the first proposal. */
interface Lockers {
  readonly height: number;
  readonly first: NodeId;
  readonly second: NodeId;
  readonly late: NodeId;
}

/**
 * Two members of four, each locked alone on a value of its own: nobody hears of the polka of a height's first round but its proposer, which nobody
 * heard prevote, nor of the next one's; and no later round comes to a proposal. Whoever locked first has to give its lock up.
 */
export class TwoLocks {
  readonly #proposerOf: (height: number, round: number) => NodeId;
  readonly #nodes: readonly NodeId[];
  readonly #locked = new Set<NodeId>();
  #lockers: Lockers | undefined;

  constructor(options: { readonly nodes: readonly NodeId[]; proposerOf(height: number, round: number): NodeId }) {
    this.#nodes = options.nodes;
    this.#proposerOf = (height, round) => options.proposerOf(height, round);
  }

  /** Whether both locked. */
  get isOver(): boolean {
    return this.#locked.size === 2;
  }

  /** Whether this message is lost on this link; undefined for a frame that is none. */
  drops(from: NodeId, to: NodeId, message: ConsensusMessage | undefined): boolean {
    if (message === undefined || !("height" in message)) return false;
    if (message.type === "round-proposal" && message.view === 0) this.#lockers ??= this.#choose(message.height);
    if (message.height !== this.#lockers?.height) return false;
    const { first, second, late } = this.#lockers;
    switch (message.type) {
      case "polka":
      case "passed-proposal":
        return true;
      case "round-proposal":
        return message.view === 0 ? to === late : message.view > 1;
      case "prevote":
        return from === [first, second][message.view];
      case "precommit":
        if (from === [first, second][message.view] && message.digest !== ZERO_HASH) this.#locked.add(from);
        return false;
      default:
        return false;
    }
  }

  #choose(height: number): Lockers | undefined {
    const [first, second] = [this.#proposerOf(height, 0), this.#proposerOf(height, 1)];
    const late = this.#nodes.find((id) => id !== first && id !== second);
    return late === undefined || first === second ? undefined : { height, first, second, late };
  }
}
