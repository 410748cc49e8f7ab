/** Unfilled blocks after which a command left out is no accident: the leader had room each time. */
const UNFILLED_BLOCKS = 8;
/** Longest wait before a late command is relayed again, microseconds: well within a command's lifetime, rare enough under load. */
const RELAY_WAIT_MAX_US = 8_000_000;

/**
 * Tells a leader that leaves a command out from one that is merely busy: blocks had room, the command was known to it, and still it
 * was not ordered. Source: the fairness rule of Clement et al. 2009 (Aardvark), section 5.2, without its rate part.
 */
export class LeaderWatch {
  #unfilledUs: number[] = [];
  /** Those of them since the last command of a stranger. */
  #withoutStrangersUs: number[] = [];
  #relayed = new Map<string, { readonly dueUs: number; readonly waitUs: number }>();
  #view = 0;
  #hasRepeated = false;

  /**
   * A decided block.
   * @param block.full no further command would have fitted
   * @param block.hasStrangers it held commands of issuers whom the state does not know
   * @param block.repeats the leader of its view made it, and ordered in it what was ordered before
   */
  onBlock(block: {
    readonly view: number;
    readonly full: boolean;
    readonly hasStrangers: boolean;
    readonly repeats: boolean;
    readonly nowUs: number;
  }): void {
    if (block.view !== this.#view) this.#reset(block.view);
    this.#hasRepeated ||= block.repeats;
    this.#unfilledUs = block.full ? [] : [...this.#unfilledUs, block.nowUs].slice(-UNFILLED_BLOCKS);
    this.#withoutStrangersUs = block.full || block.hasStrangers ? [] : this.#unfilledUs.slice(-1 - this.#withoutStrangersUs.length);
  }

  /**
   * True when a late command is due to be relayed: at once in each view, then after waits that double. What was relayed may have been lost,
   * and nobody says so; a leader that never heard of a command may lead for ever.
   */
  shouldRelay(command: string, at: { readonly view: number; readonly nowUs: number; readonly firstWaitUs: number }): boolean {
    if (at.view !== this.#view) this.#reset(at.view);
    const known = this.#relayed.get(command);
    if (known !== undefined && at.nowUs < known.dueUs) return false;
    const waitUs = known === undefined ? at.firstWaitUs : Math.min(2 * known.waitUs, RELAY_WAIT_MAX_US);
    this.#relayed.set(command, { dueUs: at.nowUs + waitUs, waitUs });
    return true;
  }

  /** A link came back: what was relayed before may never have reached its peer. */
  relayAgain(): void {
    this.#relayed.clear();
  }

  forget(command: string): void {
    this.#relayed.delete(command);
  }

  /**
   * True when the leader of the view ordered a command again. It knows every command that stands below its block, so no honest one does: this one is
   * out to waste the others' time, or has lost count.
   */
  hasRepeated(view: number): boolean {
    return this.#hasRepeated && view === this.#view;
  }

  /**
   * True when so many unfilled blocks were decided since the given time. A leader's room for strangers is small, and whoever takes it must not make
   * the others suspect the leader: one stranger's command stands for all.
   */
  isLeftOut({ sinceUs, isStranger }: { readonly sinceUs: number; readonly isStranger: boolean }): boolean {
    const blocks = isStranger ? this.#withoutStrangersUs : this.#unfilledUs;
    const first = blocks[0];
    return blocks.length === UNFILLED_BLOCKS && first !== undefined && first > sinceUs;
  }

  #reset(view: number): void {
    this.#view = view;
    this.#unfilledUs = [];
    this.#withoutStrangersUs = [];
    this.#hasRepeated = false;
    this.#relayed.clear();
  }
}
