import type { KeyValueStore, WriteOperation } from "#base";

/**
 * Persist before send. Appends go to the store in order; an output that was queued after an append runs once that append is
 * durable. The store completes writes in order, so one counter tells what is durable.
 */
export class WriteAhead {
  readonly #store: KeyValueStore;
  readonly #onFailure: (error: Error) => void;
  #appended = 0;
  #durable = 0;
  #outputs: { readonly after: number; readonly run: () => void }[] = [];
  #failed = false;

  constructor(store: KeyValueStore, onFailure: (error: Error) => void) {
    this.#store = store;
    this.#onFailure = onFailure;
  }

  /** Queues writes; `done` runs when they are durable. After a failure nothing runs any more. */
  append(operations: readonly WriteOperation[], done?: () => void): void {
    if (this.#failed) return;
    const position = ++this.#appended;
    this.#store.write(operations, (error) => {
      if (this.#failed) return;
      if (error !== undefined) {
        this.#failed = true;
        this.#outputs = [];
        this.#onFailure(error);
        return;
      }
      this.#durable = Math.max(this.#durable, position);
      done?.();
      this.#release();
    });
  }

  /** Runs the output once everything appended so far is durable, in the order of the calls. */
  output(run: () => void): void {
    if (this.#failed) return;
    if (this.#outputs.length === 0 && this.#durable === this.#appended) run();
    else this.#outputs.push({ after: this.#appended, run });
  }

  #release(): void {
    let released = 0;
    for (const output of this.#outputs) {
      if (output.after > this.#durable) break;
      released += 1;
    }
    for (const output of this.#outputs.splice(0, released)) output.run();
  }
}
