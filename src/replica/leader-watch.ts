/** Unfilled blocks after which a command left out is no accident: the leader had room each time. */
const UNFILLED_BLOCKS = 8;

/**
 * Tells a leader that leaves a command out from one that is merely busy: blocks had room, the command was known to it, and still it
 * was not ordered. Source: the fairness rule of Clement et al. 2009 (Aardvark), section 5.2, without its rate part.
 */
export class LeaderWatch {
  #unfilledUs: number[] = [];
  #relayed = new Set<string>();
  #view = 0;

  /** A decided block; `full` when no further command would have fitted. */
  onBlock(block: { readonly view: number; readonly full: boolean; readonly nowUs: number }): void {
    if (block.view !== this.#view) this.#reset(block.view);
    if (block.full) this.#unfilledUs = [];
    else this.#unfilledUs = [...this.#unfilledUs, block.nowUs].slice(-UNFILLED_BLOCKS);
  }

  /** True the first time that a late command is to be relayed in this view. */
  shouldRelay(command: string, view: number): boolean {
    if (view !== this.#view) this.#reset(view);
    if (this.#relayed.has(command)) return false;
    this.#relayed.add(command);
    return true;
  }

  /** A link came back: what was relayed before may never have reached its peer. */
  relayAgain(): void {
    this.#relayed.clear();
  }

  forget(command: string): void {
    this.#relayed.delete(command);
  }

  /** True when so many unfilled blocks were decided since the given time. */
  isLeftOut(sinceUs: number): boolean {
    const first = this.#unfilledUs[0];
    return this.#unfilledUs.length === UNFILLED_BLOCKS && first !== undefined && first > sinceUs;
  }

  #reset(view: number): void {
    this.#view = view;
    this.#unfilledUs = [];
    this.#relayed.clear();
  }
}
