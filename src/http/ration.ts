/** Names beyond so many are forgotten when they owe nothing: each has some 100 bytes. */
const REMEMBERED_MAX = 4_096;

interface Account {
  credit: number;
  atMs: number;
}

/** So many refusals at once, and so many in a second from then on, for each name. */
export class Ration {
  readonly perSecond: number;
  readonly #atOnce: number;
  readonly #nowMs: () => number;
  readonly #accounts = new Map<string, Account>();

  constructor(options: { readonly atOnce: number; readonly perSecond: number; nowMs(): number }) {
    this.#atOnce = options.atOnce;
    this.perSecond = options.perSecond;
    this.#nowMs = () => options.nowMs();
  }

  /** Refusals that the name may still meet; below one it is to wait. */
  credit(name: string): number {
    const account = this.#accounts.get(name);
    if (account === undefined) return this.#atOnce;
    this.#earn(account);
    return account.credit;
  }

  spend(name: string, refusals: number): void {
    if (refusals === 0) return;
    if (this.#accounts.size >= REMEMBERED_MAX) this.#forget();
    const account = this.#accounts.get(name) ?? { credit: this.#atOnce, atMs: this.#nowMs() };
    this.#earn(account);
    account.credit -= refusals;
    this.#accounts.set(name, account);
  }

  #earn(account: Account): void {
    const nowMs = this.#nowMs();
    account.credit = Math.min(this.#atOnce, account.credit + ((nowMs - account.atMs) / 1_000) * this.perSecond);
    account.atMs = nowMs;
  }

  /** Who has all of its ration again is as one who was never here. */
  #forget(): void {
    for (const [name, account] of this.#accounts) {
      this.#earn(account);
      if (account.credit >= this.#atOnce) this.#accounts.delete(name);
    }
  }
}
