import type { TimerHandle, Timers } from "#base";

/** Where a read may happen: at this height or later; `ordered` when the engine has no such reads, `unavailable` when nobody confirmed in time. */
export type ReadPoint = { readonly kind: "at"; readonly height: number } | { readonly kind: "ordered" } | { readonly kind: "unavailable" };

interface Read {
  readonly timer: TimerHandle;
  readonly done: (point: ReadPoint) => void;
  /** Set once the leader confirmed; the read waits until this height is applied here. */
  height?: number;
}

/** Linearizable reads without a log entry: the core confirms a height, and the read happens once it is applied here. */
export class Reads {
  readonly #timers: Timers;
  readonly #reads = new Map<number, Read>();
  #nextId = 1;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Registers a read and gives its id for the core. It is answered exactly once. */
  begin(timeoutMs: number, done: (point: ReadPoint) => void): number {
    const id = this.#nextId++;
    const timer = this.#timers.after(timeoutMs, () => this.#answer(id, { kind: "unavailable" }));
    this.#reads.set(id, { timer, done });
    return id;
  }

  /** The core's answer. */
  onReadAt(id: number, height: number | undefined, appliedHeight: number): void {
    const read = this.#reads.get(id);
    if (read === undefined) return;
    if (height === undefined) return this.#answer(id, { kind: "ordered" });
    if (height <= appliedHeight) return this.#answer(id, { kind: "at", height: appliedHeight });
    read.height = height;
  }

  onApplied(appliedHeight: number): void {
    for (const [id, { height }] of this.#reads) {
      if (height !== undefined && height <= appliedHeight) this.#answer(id, { kind: "at", height: appliedHeight });
    }
  }

  /** Nobody waits for a node that has stopped. */
  stop(): void {
    for (const id of [...this.#reads.keys()]) this.#answer(id, { kind: "unavailable" });
  }

  #answer(id: number, point: ReadPoint): void {
    const read = this.#reads.get(id);
    if (read === undefined) return;
    this.#reads.delete(id);
    read.timer.cancel();
    read.done(point);
  }
}
