import type { AuthorizationQuestion, SecurityGateway } from "#gateway";

/** After an answer that is none. */
const RETRY_MS = 10;

/** Callers that ask without a pause, spread over gateways; what a window of time saw of them is read while they go on. */
export class SteadyLoad {
  #running = true;
  #answeredMs: number[] = [];
  readonly #callers: readonly Promise<void>[];

  constructor(
    gateways: readonly SecurityGateway[],
    options: { readonly callers: number; readonly question: (caller: number) => AuthorizationQuestion },
  ) {
    const { callers, question } = options;
    this.#callers = Array.from({ length: callers }, (_, at) => this.#call(gateways[at % gateways.length] as SecurityGateway, question(at)));
  }

  /** Longest time without an answer since then, milliseconds. Earlier answers are forgotten. */
  longestGapMs(sinceMs: number): number {
    const times = [sinceMs, ...this.#answeredMs.filter((time) => time > sinceMs), performance.now()];
    this.#answeredMs = [];
    return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)));
  }

  /** Answers a second, over a window that begins now. Earlier answers are forgotten. */
  async measure(seconds: number): Promise<number> {
    this.#answeredMs = [];
    const begunMs = performance.now();
    await pause(seconds * 1_000);
    return this.#answeredMs.length / ((performance.now() - begunMs) / 1_000);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#callers);
  }

  async #call(gateway: SecurityGateway, question: AuthorizationQuestion): Promise<void> {
    while (this.#running) {
      // An answer that does not come is what is measured here.
      const response = await gateway.authorizeOperation(question).catch(() => undefined);
      if (response?.outcome === "allowed") this.#answeredMs.push(performance.now());
      else await pause(RETRY_MS);
    }
  }
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
