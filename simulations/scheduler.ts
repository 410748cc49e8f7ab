import type { Clock, TimerHandle, Timers } from "#base";

/** What is to happen; its own handle, since many are made and few are cancelled. */
class Event implements TimerHandle {
  readonly atUs: number;
  readonly sequence: number;
  run: (() => void) | undefined;

  constructor(atUs: number, sequence: number, run: () => void) {
    this.atUs = atUs;
    this.sequence = sequence;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

/** Start of virtual time: 2026-07-01T00:00:10Z, microseconds. */
export const START_US = 1_782_864_010_000_000;

/** Virtual time and everything that is to happen in it, in the total order (time, sequence). */
export class Scheduler implements Clock {
  #nowUs = START_US;
  #sequence = 0;
  readonly #heap: Event[] = [];
  /** Events that ran. */
  executed = 0;

  nowUs(): number {
    return this.#nowUs;
  }

  /** Milliseconds since the start. */
  elapsedMs(): number {
    return (this.#nowUs - START_US) / 1_000;
  }

  after(delayUs: number, run: () => void): TimerHandle {
    const event = new Event(this.#nowUs + Math.max(0, Math.round(delayUs)), this.#sequence++, run);
    this.#push(event);
    return event;
  }

  /** Runs events until the time is reached, the condition holds, or the budget of events is spent; true when the condition held. */
  runUntil(limit: { readonly elapsedMs: number; readonly events: number; done?(): boolean }): boolean {
    const untilUs = START_US + limit.elapsedMs * 1_000;
    const stopAt = this.executed + limit.events;
    for (;;) {
      if (limit.done?.() === true) return true;
      const next = this.#heap[0];
      if (next === undefined || next.atUs > untilUs || this.executed >= stopAt) {
        if (this.executed < stopAt) this.#nowUs = Math.max(this.#nowUs, untilUs);
        return limit.done?.() === true;
      }
      this.#pop();
      this.#nowUs = next.atUs;
      if (next.run === undefined) continue;
      this.executed += 1;
      const { run } = next;
      next.run = undefined;
      run();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    heap.push(event);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const child = left + 1 < heap.length && isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

/**
 * A node's own timers and clock: they end with the node. Its clock may be off and may run fast or slow; it may be paused, or slow at
 * everything it does. What it throws ends it, as an uncaught exception ends a process.
 */
export class NodeTime implements Timers, Clock {
  readonly #scheduler: Scheduler;
  readonly #alive: () => boolean;
  readonly #onThrow: (cause: unknown) => void;
  skewUs = 0;
  /** While paused, nothing of the node runs; it catches up at the end of the pause. */
  pausedUntilUs = 0;
  /** Everything that the node does waits this long first. */
  lagUs = 0;
  #rate = 1;
  #driftSinceUs = 0;

  constructor(scheduler: Scheduler, about: { alive(): boolean; onThrow(cause: unknown): void }) {
    this.#scheduler = scheduler;
    this.#alive = () => about.alive();
    this.#onThrow = (cause) => about.onThrow(cause);
  }

  nowUs(): number {
    return this.#scheduler.nowUs() + this.skewUs + this.#driftUs();
  }

  /** Virtual time, whatever the node's clock says: disks do not ask it. */
  trueUs(): number {
    return this.#scheduler.nowUs();
  }

  after(delayMs: number, run: () => void): TimerHandle {
    return this.#scheduler.after((delayMs * 1_000) / this.#rate, () => this.run(run));
  }

  /** From now on the clock runs at this rate: 1.1 gains a tenth. What it gained before stays. */
  drift(rate: number): void {
    this.skewUs += this.#driftUs();
    this.#driftSinceUs = this.#scheduler.nowUs();
    this.#rate = rate;
  }

  /** The clock is right again, and nothing holds the node up. */
  heal(): void {
    this.drift(1);
    Object.assign(this, { skewUs: 0, pausedUntilUs: 0, lagUs: 0 });
  }

  /** Runs something of this node: now, at the end of its pause, when its slowness allows, or never when it died. */
  run(action: () => void): void {
    if (!this.#alive()) return;
    const waitUs = Math.max(this.pausedUntilUs - this.#scheduler.nowUs(), this.lagUs);
    if (waitUs > 0) this.#scheduler.after(waitUs, () => this.#runLate(action));
    else this.#perform(action);
  }

  /** After a wait for slowness nothing is waited for but a pause that began meanwhile. */
  #runLate(action: () => void): void {
    if (!this.#alive()) return;
    const waitUs = this.pausedUntilUs - this.#scheduler.nowUs();
    if (waitUs > 0) this.#scheduler.after(waitUs, () => this.#runLate(action));
    else this.#perform(action);
  }

  #perform(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.#onThrow(cause);
    }
  }

  #driftUs(): number {
    return this.#rate === 1 ? 0 : Math.round((this.#scheduler.nowUs() - this.#driftSinceUs) * (this.#rate - 1));
  }
}

function isBefore(left: Event | undefined, right: Event | undefined): boolean {
  if (left === undefined || right === undefined) return left !== undefined;
  return left.atUs < right.atUs || (left.atUs === right.atUs && left.sequence < right.sequence);
}
