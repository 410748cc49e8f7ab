import type { Hash, SignedCommand } from "#base";
import type { Parts } from "./assembly.ts";
import type { OrderedRecord, SubmitAnswer } from "./types.ts";

/** What submitting needs from the replica. */
export interface SubmissionsHooks {
  isOver(): boolean;
  unavailable(code: "QUORUM_UNAVAILABLE" | "QUORUM_BUSY" | "QUORUM_STOPPED"): SubmitAnswer;
  /** Tells the others of a command that is new here. */
  relay(signed: SignedCommand): void;
  /** Something waits to be ordered. */
  onWork(): void;
}

/** Commands of callers: what is new is relayed and waits for its block; what was ordered before gets the answer that it had. */
export class Submissions {
  readonly #parts: Parts;
  readonly #hooks: SubmissionsHooks;

  constructor(parts: Parts, hooks: SubmissionsHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  /** Has a command ordered. Answers exactly once within the time. */
  submit(signed: SignedCommand, timeoutMs: number, done: (answer: SubmitAnswer) => void): void {
    const { ledger, mempool, certifier, waiters, admission } = this.#parts;
    const { isOver, unavailable, relay, onWork } = this.#hooks;
    if (isOver()) return done(unavailable("QUORUM_STOPPED"));
    const record = ledger.isNew(signed) ? undefined : ledger.find(signed.hash);
    if (record !== undefined && record.height <= certifier.certifiedHeight) return done({ kind: "ordered", record });
    const wait = { timeoutMs, onTimeout: () => unavailable("QUORUM_UNAVAILABLE"), done };
    if (record !== undefined) {
      waiters.add(signed.hash, wait);
      return waiters.onApplied(record.height, [record]);
    }
    if (mempool.has(signed.hash)) return waiters.add(signed.hash, wait);
    // It was refused without an entry, in a block that this node skipped: others know its answer, and nobody would order it again.
    if (ledger.wasOrdered(signed)) return done(unavailable("QUORUM_UNAVAILABLE"));
    return admission.admit(signed, (refusal) => {
      if (refusal?.code === "QUORUM_BUSY") return done(unavailable("QUORUM_BUSY"));
      if (refusal?.code === "COMMAND_DUPLICATE") return this.submit(signed, timeoutMs, done);
      if (refusal !== undefined) return done({ kind: "rejected", ...refusal });
      waiters.add(signed.hash, wait);
      relay(signed);
      return onWork();
    });
  }

  /** What became of a command, if it was ordered and applied here, and is durable: before that it is told to nobody. */
  find(command: Hash): OrderedRecord | undefined {
    const record = this.#parts.ledger.find(command);
    return record !== undefined && record.height <= this.#parts.certifier.newestHeight ? record : undefined;
  }

  /** True while the command waits to be ordered, or its block to be durable. */
  isWaiting(command: Hash): boolean {
    const { mempool, ledger } = this.#parts;
    return mempool.has(command) || (ledger.find(command) !== undefined && this.find(command) === undefined);
  }
}
