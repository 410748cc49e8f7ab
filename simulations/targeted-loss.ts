import { leaderOf, type Membership, type NodeId } from "#base";
import type { ConsensusMessage } from "#consensus";

/** Who is let to learn what, while the network is at its worst. */
export interface TargetedLossOptions {
  readonly membership: Membership;
  /** The only node that hears commit votes, and nobody hears it. */
  readonly decides: NodeId;
  /**
   * If named: in the first view, the only node that hears prepares, and nobody hears that; in the next view it hears none. Where it is the one that
   * decides, nobody decides: it alone prepares, and is heard.
   */
  readonly prepares?: NodeId;
}

/**
 * A network that loses exactly what hurts most, as asynchrony allows: one node alone decides a height while the others change views, and
 * before that, if asked for, one node alone prepares another value in an earlier view. What is decided must survive that.
 */
export class TargetedLoss {
  readonly #options: TargetedLossOptions;
  /** The slot at which it began: the first proposal that was seen. */
  #slot: { readonly height: number; readonly view: number } | undefined;

  constructor(options: TargetedLossOptions) {
    this.#options = options;
  }

  /** Whether this message is lost on this link. */
  drops(from: NodeId, to: NodeId, message: ConsensusMessage): boolean {
    if (this.#slot === undefined && message.type === "propose") this.#slot = { height: message.height, view: message.view };
    const { decides, prepares } = this.#options;
    if (this.#slot === undefined) return false;
    const { height, view } = this.#slot;
    if (prepares === decides) return message.type === "prepare" && message.height === height && message.view === view && to !== prepares;
    const decidesIn = prepares === undefined ? view : view + 1;
    if (message.type === "commit") {
      // In later views commits are heard: whatever is decided there has to be what was decided before.
      return message.height === height && (message.view < decidesIn || (message.view === decidesIn && to !== decides));
    }
    if (from === decides && this.#mayKnow(message, decidesIn)) return true;
    return prepares !== undefined && "height" in message && message.height === height && this.#hides(prepares, { from, to, message });
  }

  /** Frames that are no consensus messages but tell of the decision: tips, cosignatures, blocks for who is behind. */
  dropsOther(from: NodeId): boolean {
    const { decides, prepares } = this.#options;
    return this.#slot !== undefined && from === decides && prepares !== decides;
  }

  /** The node that decides is heard until it may have decided; its own proposal is heard, or nobody could decide. */
  #mayKnow(message: ConsensusMessage, decidesIn: number): boolean {
    if (message.type === "block" || message.type === "proposal-body") return true;
    return "view" in message && message.view > decidesIn;
  }

  #hides(node: NodeId, link: { readonly from: NodeId; readonly to: NodeId; readonly message: ConsensusMessage }): boolean {
    const { from, to, message } = link;
    const { view } = this.#slot ?? { view: 0 };
    if (message.type === "prepare" && message.view === view) return to !== node;
    if (message.type === "prepare" && message.view === view + 1) return to === node;
    return (
      message.type === "view-change" && from === node && message.view === view + 1 && leaderOf(this.#options.membership, view + 1) !== node
    );
  }
}
