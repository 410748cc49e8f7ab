import { LIMITS } from "#base";
import type { Parts } from "./assembly.ts";
import type { ProposalSlot } from "./core-driver.ts";
import type { ReplicaOptions } from "./types.ts";

/** Fills the slots that the core offers to a leader, and tells the core whether there is work that a leader should be ordering. */
export class Proposer {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #isRunning: () => boolean;
  #slot: ProposalSlot | undefined;
  #scheduled = false;
  #pending = false;

  constructor(options: ReplicaOptions, parts: Parts, isRunning: () => boolean) {
    this.#options = options;
    this.#parts = parts;
    this.#isRunning = isRunning;
  }

  /** A command waits. */
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

  /** A height was decided: slots at it and below are gone. */
  onDecided(height: number): void {
    if (this.#slot !== undefined && this.#slot.height <= height) this.#slot = undefined;
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
    if (slot.height - this.#parts.certifier.certifiedHeight > LIMITS.uncertifiedHeightsMax) return;
    this.#slot = undefined;
    this.#parts.driver.step({ type: "propose", draft: this.#parts.proposals.draft(slot) });
  }

  #hasWork(): boolean {
    return this.#slot !== undefined && this.#parts.proposals.hasWork(this.#slot);
  }

  /** Later in the same turn of the loop, so that what arrived together goes into one block. */
  #schedule(): void {
    if (this.#slot === undefined || this.#scheduled) return;
    this.#scheduled = true;
    this.#options.timers.after(0, () => {
      this.#scheduled = false;
      if (this.#hasWork()) this.propose();
    });
  }
}
