import { invariant } from "#base";
import type { Proposal } from "./block.ts";
import type { Effect } from "./core.ts";
import type { ConsensusMessage } from "./messages.ts";

/** What the driver is asked about a proposal. */
export type ProposalCheck = "first-proposal" | "earlier-proposal" | "re-proposal" | "decided";

/** The driver's answer to a check, a validation or a wish to sign. */
type Answer = readonly boolean[] | boolean | Uint8Array | undefined;

/** What every core keeps beside its protocol: what it wants done, what it asked the driver, and what bounds its voting. */
export abstract class CoreState {
  /** Keys of the records in the write-ahead log. */
  readonly records: Set<string> = new Set();
  /** The epoch ends here: nothing above is ever decided in it. */
  lastHeight: number = Number.MAX_SAFE_INTEGER;
  /** Votes only above this height; nowhere while undefined. */
  participatesAbove: number | undefined;
  #effects: Effect[] = [];
  readonly #answers = new Map<number, (answer: never) => void>();
  #nextId = 1;

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  broadcast(message: ConsensusMessage): void {
    this.emit({ type: "broadcast", message });
  }

  takeEffects(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Appends a record; what it replaces is of the same key. */
  append(key: string, bytes: Uint8Array, options: { readonly promise?: true } = {}): void {
    this.records.add(key);
    this.emit({ type: "append", record: { key, bytes }, ...options });
  }

  /** Lets records go, as far as they are there. */
  forgetRecords(keys: readonly string[]): void {
    const known = keys.filter((key) => this.records.delete(key));
    if (known.length > 0) this.emit({ type: "forget", keys: known });
  }

  /** This node may vote above the height. */
  participate(above: number): void {
    invariant(this.participatesAbove === undefined || above >= this.participatesAbove, "a floor never sinks");
    this.participatesAbove = above;
  }

  /** Asks the driver about a proposal. */
  validate(proposal: Proposal, check: ProposalCheck, then: (valid: boolean) => void): void {
    this.emit({ type: "validate", id: this.ask(then), proposal, check });
  }

  /** Gives an answer of the driver to whoever asked. */
  answer(id: number, value: Answer): void {
    const then = this.#answers.get(id) as ((answer: Answer) => void) | undefined;
    this.#answers.delete(id);
    then?.(value);
  }

  /** Questions that the driver has not answered yet. */
  protected get unanswered(): number {
    return this.#answers.size;
  }

  /** The number under which the answer to a question comes. */
  protected ask<T extends Answer>(then: (answer: T) => void): number {
    const id = this.#nextId++;
    this.#answers.set(id, then as (answer: never) => void);
    return id;
  }
}
