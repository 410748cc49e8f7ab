import type { NodeId } from "#base";
import type { ConsensusMessage } from "#consensus";

/** Who forgets a proposal, and who alone heard it. */
export interface LostWitnessOptions {
  /** Its next proposal is heard by the witness alone. */
  readonly forgets: NodeId;
  /** Nobody hears of it again. */
  readonly witness: NodeId;
  /** Runs once, while the proposal leaves. */
  onProposed(): void;
}

/**
 * A vote of which one node knows: a leader's proposal goes to a single witness, and then the witness is cut off. If the leader's disk goes
 * back to before it, nobody can remind the leader of it: only its own anchor can.
 */
export class LostWitness {
  readonly #options: LostWitnessOptions;
  #stage: "waiting" | "proposed" | "forgotten" = "waiting";

  constructor(options: LostWitnessOptions) {
    this.#options = options;
  }

  /** From now on the leader is heard again: it knows nothing of its proposal. */
  onForgotten(): void {
    this.#stage = "forgotten";
  }

  /** Whether this message is lost on this link; undefined for a frame that is none. */
  drops(from: NodeId, to: NodeId, message: ConsensusMessage | undefined): boolean {
    const { forgets, witness, onProposed } = this.#options;
    if (this.#stage === "waiting") {
      if (from !== forgets || (message?.type !== "propose" && message?.type !== "round-proposal")) return false;
      this.#stage = "proposed";
      onProposed();
    }
    if (from === witness) return true;
    return this.#stage === "forgotten" ? to === witness : from === forgets && to !== witness;
  }
}
