import type { NodeId } from "#base";

/** So many turns in time make up for one that was late: whoever is late now and then costs the others no more than who always is. */
const LATE_DEBT = 8;
/** Who was late often comes back after this many turns in time. */
const DEBT_MAX = 2 * LATE_DEBT;

/** Which members keep the others waiting, turn after turn. What was late and came at last was late all the same. */
export class Punctuality {
  /** Turns in time that a member owes; absent for one that has not led yet. */
  readonly #debts = new Map<NodeId, number>();
  readonly #lateAt = new Map<NodeId, number>();

  /** The member kept this node waiting at a height; counted once there. */
  onLate(member: NodeId, height: number): void {
    if (this.#lateAt.get(member) === height) return;
    this.#lateAt.set(member, height);
    this.#debts.set(member, Math.min((this.#debts.get(member) ?? LATE_DEBT) + LATE_DEBT, DEBT_MAX));
  }

  /** The member proposed first at a height, and in time unless it was late there. */
  onProposed(member: NodeId, height: number): void {
    if (this.#lateAt.get(member) === height) return;
    this.#debts.set(member, Math.max(0, (this.#debts.get(member) ?? 0) - 1));
  }

  /** True for who is worth waiting for: nothing is owed. */
  isTrusted(member: NodeId): boolean {
    return (this.#debts.get(member) ?? 0) === 0;
  }

  /** True for who has led in time, with one accident at most since. */
  isPunctual(member: NodeId): boolean {
    const debt = this.#debts.get(member);
    return debt !== undefined && debt <= LATE_DEBT;
  }
}
