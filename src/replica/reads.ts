import { LIMITS, type TimerHandle, type Timers } from "#base";

/** How a linearizable read ended: with what was seen at a height, or with nobody who could confirm one in time. */
export type ReadAnswer<T> = { readonly kind: "read"; readonly height: number; readonly value: T } | { readonly kind: "unavailable" };

/** What reading needs from the replica. */
export interface ReadsPorts {
  readonly timers: Timers;
  /** Asks the core where the read may happen. */
  ask(id: number): void;
  tipHeight(): number;
  certifiedHeight(): number;
  /** The newest height that is on this node's disk. */
  durableHeight(): number;
}

/** How long until a read is asked again that nobody could confirm, in milliseconds: nobody leads, or an epoch ended. */
const ASK_AGAIN_MS = 100;

interface Read {
  readonly timers: TimerHandle[];
  /** Looks at the state; gives the answer for later. */
  readonly look: (height: number) => void;
  readonly answer: () => void;
  readonly giveUp: () => void;
  /** Where the read may happen, once that is confirmed. */
  from?: number;
  /** Where it happened: it is answered once that is certified, or for a look at this node alone, durable. */
  seen?: number;
  readonly isLocal: boolean;
}

/**
 * Linearizable reads without a log entry. The core confirms a height after the read came in; the state is looked at once that height is applied
 * here, and the answer leaves once a quorum has certified what was seen: otherwise a later read elsewhere could see less.
 */
export class Reads {
  readonly #ports: ReadsPorts;
  readonly #reads = new Map<number, Read>();
  #nextId = 1;

  constructor(ports: ReadsPorts) {
    this.#ports = ports;
  }

  /** Begins a read; `done` is called exactly once, within the time. */
  begin<T>(timeoutMs: number, look: () => T, done: (answer: ReadAnswer<T>) => void): void {
    const id = this.#add(timeoutMs, { look, done, isLocal: false });
    if (id !== undefined) this.#ports.ask(id);
  }

  /** Looks at what this node has applied; what it saw is told once it is on the disk. `done` is called exactly once, within the time. */
  beginLocal<T>(timeoutMs: number, look: () => T, done: (answer: ReadAnswer<T>) => void): void {
    if (this.#ports.durableHeight() >= this.#ports.tipHeight())
      return done({ kind: "read", height: this.#ports.tipHeight(), value: look() });
    const id = this.#add(timeoutMs, { look, done, isLocal: true });
    if (id !== undefined) this.onReadAt(id, 0);
  }

  #add<T>(
    timeoutMs: number,
    { look, done, isLocal }: { look: () => T; done: (answer: ReadAnswer<T>) => void; isLocal: boolean },
  ): number | undefined {
    if (this.#reads.size >= LIMITS.readsMax) {
      done({ kind: "unavailable" });
      return undefined;
    }
    const id = this.#nextId++;
    let answer: ReadAnswer<T> = { kind: "unavailable" };
    this.#reads.set(id, {
      isLocal,
      timers: [this.#ports.timers.after(timeoutMs, () => this.#end(id, "give-up"))],
      look: (height) => {
        answer = { kind: "read", height, value: look() };
      },
      answer: () => done(answer),
      giveUp: () => done({ kind: "unavailable" }),
    });
    return id;
  }

  /** The core's answer: a height, or undefined when nobody could confirm one now. */
  onReadAt(id: number, height: number | undefined): void {
    const read = this.#reads.get(id);
    if (read === undefined || read.from !== undefined) return;
    if (height === undefined) read.timers.push(this.#ports.timers.after(ASK_AGAIN_MS, () => this.#ports.ask(id)));
    else {
      read.from = height;
      this.#proceed(id, read);
    }
  }

  /** A height was applied, or certified. */
  proceed(): void {
    for (const [id, read] of this.#reads) if (read.from !== undefined) this.#proceed(id, read);
  }

  /** Nobody waits for a node that has stopped. */
  stop(): void {
    for (const id of [...this.#reads.keys()]) this.#end(id, "give-up");
  }

  #proceed(id: number, read: Read): void {
    const tip = this.#ports.tipHeight();
    if (read.from === undefined || read.from > tip) return;
    if (read.seen === undefined) {
      read.look(tip);
      read.seen = tip;
    }
    const { certifiedHeight, durableHeight } = this.#ports;
    if ((read.isLocal ? durableHeight() : certifiedHeight()) >= read.seen) this.#end(id, "answer");
  }

  #end(id: number, how: "answer" | "give-up"): void {
    const read = this.#reads.get(id);
    if (read === undefined) return;
    this.#reads.delete(id);
    for (const timer of read.timers) timer.cancel();
    if (how === "answer") read.answer();
    else read.giveUp();
  }
}
