import type { Hash, TimerHandle, Timers } from "#base";
import type { OrderedRecord, SubmitAnswer } from "./types.ts";

interface Waiter {
  readonly done: (answer: SubmitAnswer) => void;
  readonly timer: TimerHandle;
}

/** Callers that wait for a command's answer. Each wait is bounded, and each caller is answered exactly once. */
export class Waiters {
  readonly #timers: Timers;
  readonly #byCommand = new Map<Hash, Set<Waiter>>();
  /** Applied here, but not yet covered by a quorum's checkpoint. */
  readonly #uncertified = new Map<number, Map<Hash, OrderedRecord>>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  add(command: Hash, wait: { readonly timeoutMs: number; onTimeout(): SubmitAnswer; done(answer: SubmitAnswer): void }): void {
    const waiters = this.#byCommand.get(command) ?? new Set<Waiter>();
    const timer = this.#timers.after(wait.timeoutMs, () => {
      waiters.delete(waiter);
      if (waiters.size === 0) this.#byCommand.delete(command);
      wait.done(wait.onTimeout());
    });
    const waiter: Waiter = { done: (answer) => wait.done(answer), timer };
    waiters.add(waiter);
    this.#byCommand.set(command, waiters);
  }

  /** Commands that somebody waits for. */
  commands(): readonly Hash[] {
    return [...this.#byCommand.keys()];
  }

  /** Records of an applied, durable block, all or some; those that somebody waits for are answered once certified. */
  onApplied(height: number, records: readonly OrderedRecord[]): void {
    const awaited = records.filter((record) => this.#byCommand.has(record.command));
    if (awaited.length === 0) return;
    // A command may be asked for again while others of its block wait too.
    const waiting = this.#uncertified.get(height) ?? new Map<Hash, OrderedRecord>();
    for (const record of awaited) waiting.set(record.command, record);
    this.#uncertified.set(height, waiting);
  }

  onCertified(height: number): void {
    for (const [applied, records] of this.#uncertified) {
      if (applied > height) continue;
      this.#uncertified.delete(applied);
      for (const record of records.values()) this.answer(record.command, { kind: "ordered", record });
    }
  }

  answer(command: Hash, answer: SubmitAnswer): void {
    const waiters = this.#byCommand.get(command);
    if (waiters === undefined) return;
    this.#byCommand.delete(command);
    for (const waiter of waiters) {
      waiter.timer.cancel();
      waiter.done(answer);
    }
  }

  /** Answers everyone, when the replica stops or halts. */
  answerAll(answer: SubmitAnswer): void {
    for (const command of [...this.#byCommand.keys()]) this.answer(command, answer);
    this.#uncertified.clear();
  }
}
