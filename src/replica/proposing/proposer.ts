import { LIMITS } from "#base";
import type { Parts } from "../assembly.ts";
import type { ReplicaOptions } from "../types.ts";
import type { ProposalSlot } from "./proposals.ts";

/** How often it is looked whether a block that waits for more has it. */
const FILLING_STEP_MS = 1;

/** Fills the slots that the core offers to a leader, and tells the core whether there is work that a leader should be ordering. */
export class Proposer {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #isRunning: () => boolean;
  #slot: ProposalSlot | undefined;
  #scheduled = false;
  #pending = false;
  /** Until when, and for how many commands, the next block waits after the last one. */
  #filling = { commands: 0, untilUs: 0 };

  constructor(options: ReplicaOptions, parts: Parts, isRunning: () => boolean) {
    this.#options = options;
    this.#parts = parts;
    this.#isRunning = isRunning;
  }

  /** A command waits, or the epoch is to end. */
  onWork(): void {
    this.setPending(true);
    this.#schedule();
  }

  /** A height is certified: a slot may have waited for that. */
  onCertified(): void {
    if (this.#hasWork()) this.#schedule();
  }

  /** The core can take a proposal. */
  onSlot(slot: ProposalSlot): void {
    this.#slot = slot;
    if (this.#hasWork()) this.#schedule();
  }

  /** A height was decided: slots at it and below are gone. Callers of its commands are answered soon. */
  onDecided(height: number, commands: number): void {
    const isLoaded = commands >= LIMITS.blockFillingCommandsMin;
    const expected = Math.min(this.#parts.mempool.size + commands, LIMITS.blockCommandsMax);
    this.#filling = { commands: isLoaded ? expected : 0, untilUs: this.#options.clock.nowUs() + LIMITS.blockFillingMs * 1_000 };
    if (this.#slot !== undefined && this.#slot.height <= height) this.#slot = undefined;
    else if (this.#hasWork()) this.#schedule();
  }

  /** A new core has to hear of what waits. */
  tellAgain(): void {
    this.#pending = false;
    this.setPending(this.isPending);
  }

  /** Whether something waits that a leader should order. */
  get isPending(): boolean {
    return this.#parts.mempool.size > 0 || this.#parts.ledger.state.pendingChange() !== undefined;
  }

  /** Tells the core of a change only. */
  setPending(pending: boolean): void {
    if (pending === this.#pending) return;
    this.#pending = pending;
    this.#parts.driver.step({ type: "pending", pending });
  }

  /** Proposes what waits, or a heartbeat when nothing does, unless too many heights wait for their cosignatures. */
  propose(): void {
    const slot = this.#slot;
    if (slot === undefined || !this.#isRunning()) return;
    const { certifiedHeight } = this.#parts.certifier;
    // An empty block is wanted to decide what lies below it: nothing could be certified before (docs/protocols/raft.md, C4).
    if (slot.height - certifiedHeight > LIMITS.uncertifiedHeightsMax && slot.empty !== true) return;
    // The last epoch's end is certified before anything is proposed on top of it.
    if (certifiedHeight < this.#parts.ledger.state.epochFirstHeight() - 1) return;
    this.#slot = undefined;
    this.#parts.driver.step({ type: "propose", draft: this.#parts.proposals.draft(slot) });
  }

  #hasWork(): boolean {
    const slot = this.#slot;
    if (slot === undefined) return false;
    return this.#parts.ledger.state.pendingChange() !== undefined || this.#parts.proposals.hasWork(slot);
  }

  /** Later in the same turn of the loop, so that what arrived together goes into one block; later still while more is about to arrive. */
  #schedule(): void {
    if (this.#slot === undefined || this.#scheduled) return;
    this.#scheduled = true;
    this.#options.timers.after(this.#isFilling ? FILLING_STEP_MS : 0, () => {
      this.#scheduled = false;
      if (!this.#hasWork()) return;
      if (this.#isFilling) this.#schedule();
      else this.propose();
    });
  }

  /**
   * A block costs much the same whatever it holds. Callers who are being answered come back with as many commands: after a large block the next
   * one waits for them, and for no longer than `LIMITS.blockFillingMs`. After a small one nobody waits.
   */
  get #isFilling(): boolean {
    const { commands, untilUs } = this.#filling;
    const leftUs = untilUs - this.#options.clock.nowUs();
    // More than it ever waits is left where the clock was set back.
    return this.#parts.mempool.size < commands && leftUs > 0 && leftUs <= LIMITS.blockFillingMs * 1_000;
  }
}
