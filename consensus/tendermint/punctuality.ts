import type { NodeId } from "#base";

/** Turns in a row after which a proposer is no longer waited for as the others are: one may have been an accident. */
const LATE_TURNS = 2;
/** Each so many turns it is given more time, to show that it is well again. */
const CHANCE_TURNS = 8;

/** How a proposer is waited for in the first round of a height. */
export type Waiting = "as usual" | "shortly" | "for a chance";

/** Which proposers are late with their first rounds, turn after turn. What was late and came at last was late all the same. */
export class Punctuality {
  readonly #lateTurns = new Map<NodeId, number>();
  #lateAt = 0;

  /** The proposer of a height's first round has not proposed by the time that is usual. */
  onLate(proposer: NodeId, height: number): void {
    if (this.#lateAt === height) return;
    this.#lateAt = height;
    this.#lateTurns.set(proposer, this.turnsLate(proposer) + 1);
  }

  onProposed(proposer: NodeId, height: number): void {
    if (this.#lateAt === height) return;
    const turns = this.turnsLate(proposer) >> 1;
    if (turns === 0) this.#lateTurns.delete(proposer);
    else this.#lateTurns.set(proposer, turns);
  }

  turnsLate(proposer: NodeId): number {
    return this.#lateTurns.get(proposer) ?? 0;
  }

  waiting(proposer: NodeId): Waiting {
    const turns = this.turnsLate(proposer);
    if (turns < LATE_TURNS) return "as usual";
    return turns % CHANCE_TURNS === 0 ? "for a chance" : "shortly";
  }
}
