import type { NodeId } from "#base";
import type { RecallReply, RecallRequest } from "./messages.ts";
import type { RaftState } from "./state.ts";

/** Makes a node safe that may have forgotten votes and acknowledgements of an earlier life: rule M2. */
export class Recall {
  readonly #state: RaftState;
  readonly #onSettled: () => void;
  readonly #answers = new Map<NodeId, RecallReply>();
  #asked = false;

  /** @param onSettled runs when this node's word counts again */
  constructor(state: RaftState, onSettled: () => void) {
    this.#state = state;
    this.#onSettled = onSettled;
  }

  /** True while this node's word does not count for want of answers. */
  get isAsking(): boolean {
    return this.#asked && !this.#state.settled;
  }

  /** Which members have not answered: nobody else led in this epoch, or asked for a vote. */
  get missing(): readonly NodeId[] {
    const { voters } = this.#state;
    return this.#state.others().filter((node) => voters.isMember(node) && !this.#answers.has(node));
  }

  /** Asks soon: whoever has forgotten nothing, or begins with the epoch, hears so before. */
  begin(): void {
    if (!this.#state.settled) this.#askAgain();
  }

  /** The floor is known. The records of a folder that was an old copy were deleted for it, and what this core had written since among them. */
  onParticipate(): void {
    this.#asked = false;
    this.ask();
  }

  /** Asks everybody who has not answered, and again until they did. */
  ask(): void {
    const state = this.#state;
    if (state.settled) return;
    if (!this.#asked) state.keepAll();
    this.#asked = true;
    const { missing } = this;
    for (const node of missing) state.send(node, { type: "recall-request", incarnation: state.incarnation });
    if (missing.length > 0) this.#askAgain();
    this.check();
  }

  #askAgain(): void {
    this.#state.setTimer("retransmit", this.#state.settings.timing.electionTimeoutMs);
  }

  /** Any voter answers: the term that it has, and how far its log goes. */
  onRequest(from: NodeId, { incarnation }: RecallRequest): void {
    this.#state.send(from, { type: "recall-reply", incarnation, height: this.#state.log.last.height });
  }

  onReply(from: NodeId, message: RecallReply): void {
    const state = this.#state;
    if (state.settled || message.incarnation !== state.incarnation || !state.others().includes(from)) return;
    this.#answers.set(from, message);
    this.check();
  }

  /** Settled once all others answered and this node holds what any of them held then. It votes for nobody in terms up to theirs. */
  check(): void {
    const state = this.#state;
    const answers = [...this.#answers.values()];
    if (state.settled || state.participatesAbove === undefined || this.missing.length > 0) return;
    const height = Math.max(state.participatesAbove, ...answers.map((answer) => answer.height));
    if (state.log.tip.height < height) return;
    state.settled = true;
    const term = Math.max(state.term, ...answers.map((answer) => answer.term));
    if (term > state.term) state.leader = undefined;
    state.promise(term, state.self);
    this.#onSettled();
  }
}
