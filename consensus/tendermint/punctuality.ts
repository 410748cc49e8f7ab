import type { NodeId } from "#base";

/** So many turns in time make up for one that was late: whoever is late now and then costs the others no more than who always is. */
const LATE_DEBT = 8;
/** Who was late often comes back after this many turns in time. */
const DEBT_MAX = 2 * LATE_DEBT;
/** Each pace is half as fast as the one before. */
export const PACES: readonly number[] = [0, 1, 2, 3];

interface Account {
  /** Turns in time that are owed, by pace; absent until the member has led once. */
  readonly owed: (number | undefined)[];
  /** The height at which it was late last, by pace. */
  readonly lateAt: (number | undefined)[];
}

/** Which members keep the others waiting, turn after turn, by how fast the others are. What was late and came at last was late all the same. */
export class Punctuality {
  readonly #accounts = new Map<NodeId, Account>();
  #changes = 0;

  /** How often accounts have changed: whoever derives something from them may keep it until they do. */
  get changes(): number {
    return this.#changes;
  }

  /** The member kept this node waiting for longer than the pace allows; counted once at a height. */
  onLate(member: NodeId, { height, pace }: { readonly height: number; readonly pace: number }): void {
    const { owed, lateAt } = this.#accountOf(member);
    this.#changes += 1;
    for (const at of PACES.filter((faster) => faster <= pace && lateAt[faster] !== height)) {
      lateAt[at] = height;
      owed[at] = Math.min((owed[at] ?? LATE_DEBT) + LATE_DEBT, DEBT_MAX);
    }
  }

  /** The member proposed first at a height, and in time for each pace at which it was not late there. */
  onProposed(member: NodeId, height: number): void {
    const { owed, lateAt } = this.#accountOf(member);
    this.#changes += 1;
    for (const pace of PACES.filter((each) => lateAt[each] !== height)) owed[pace] = Math.max(0, (owed[pace] ?? 0) - 1);
  }

  /** True for who is worth waiting for: nothing is owed. */
  isTrusted(member: NodeId, pace: number): boolean {
    return (this.#accounts.get(member)?.owed[pace] ?? 0) === 0;
  }

  /** True for who has led in time, with one accident at most since. */
  isPunctual(member: NodeId, pace: number): boolean {
    return (this.#accounts.get(member)?.owed[pace] ?? DEBT_MAX) <= LATE_DEBT;
  }

  #accountOf(member: NodeId): Account {
    const known = this.#accounts.get(member);
    if (known !== undefined) return known;
    const account: Account = { owed: [], lateAt: [] };
    this.#accounts.set(member, account);
    return account;
  }
}
