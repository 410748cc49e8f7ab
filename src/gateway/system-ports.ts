import { randomBytes } from "node:crypto";
import type { Clock, Entropy, Timers } from "#base";

/** The machine's clock. Wall time: it may step, and nothing that has to be safe rests on it. */
export const systemClock: Clock = { nowUs: () => Date.now() * 1_000 };

/** The event loop's timers; no delay means later in this turn, after what has already arrived. */
export const systemTimers: Timers = {
  after: (delayMs, run) => {
    if (delayMs <= 0) {
      const immediate = setImmediate(run);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The operating system's randomness. */
export const entropy: Entropy = { bytes: (length) => new Uint8Array(randomBytes(length)) };
