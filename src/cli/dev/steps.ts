import { Listr } from "listr2";
import type { Output } from "../output.ts";

/** Shows steps as they happen: a spinner on a terminal, a line each elsewhere. */
export class Steps {
  readonly #output: Output;
  readonly #isTerminal: boolean;

  constructor(output: Output, options: { readonly isTerminal: boolean }) {
    this.#output = output;
    this.#isTerminal = options.isTerminal && !output.json;
  }

  /** Does one step; the work returns what to show beside the title. */
  async run<T>(title: string, work: () => Promise<{ readonly detail: string; readonly value: T }>): Promise<T> {
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
