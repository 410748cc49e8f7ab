import type { Timers } from "#base";

/** Timers that hand on what their callbacks throw: nobody else would catch it, and a node that halts still says why. */
export function haltingTimers(timers: Timers, halt: (cause: unknown) => void): Timers {
  return {
    after: (delayMs, run) =>
      timers.after(delayMs, () => {
        try {
          run();
        } catch (cause) {
          halt(cause);
        }
      }),
  };
}
