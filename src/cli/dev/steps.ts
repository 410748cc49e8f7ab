import { Listr } from "listr2";
import type { Output } from "../output.ts";

/** Shows steps as they happen: a spinner on a terminal, a line each elsewhere. */
export class Steps {
  readonly #output: Output;
  readonly #isTerminal: boolean;
  readonly #signal: AbortSignal;

  constructor(output: Output, options: { readonly isTerminal: boolean; readonly signal: AbortSignal }) {
    this.#output = output;
    this.#isTerminal = options.isTerminal && !output.json;
    this.#signal = options.signal;
  }

  /** Does one step, unless it is to stop; the work returns what to show in place of the title. */
  async run<T>(title: string, work: () => Promise<{ readonly detail: string; readonly value: T }>): Promise<T> {
    this.#signal.throwIfAborted();
    return this.#isTerminal ? this.#runOnTerminal(title, work) : this.#runPlainly(title, work);
  }

  async #runOnTerminal<T>(title: string, work: () => Promise<{ readonly detail: string; readonly value: T }>): Promise<T> {
    const done: { value?: T } = {};
    const task = {
      title: `${title} …`,
      task: async (_context: unknown, shown: { title?: string }): Promise<void> => {
        const { detail, value } = await work();
        done.value = value;
        shown.title = detail;
      },
    };
    await new Listr([task], { registerSignalListeners: false }).run();
    return done.value as T;
  }

  async #runPlainly<T>(title: string, work: () => Promise<{ readonly detail: string; readonly value: T }>): Promise<T> {
    try {
      const { detail, value } = await work();
      this.#output.note(`✔ ${detail}`);
      return value;
    } catch (error) {
      this.#output.note(`✖ ${title}`);
      throw error;
    }
  }
}
