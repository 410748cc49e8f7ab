import type { TimerName } from "../core.ts";
import { PACES } from "./punctuality.ts";
import type { TendermintState } from "./state.ts";

/** A timer as it should be: what it is for, empty for nothing, and how long. */
type Wanted = readonly [name: TimerName, reason: string, delayMs: number];

/** How long this node waits for whom (T10, T16, T17). */
export class Tempo {
  readonly #state: TendermintState;
  /** Steps of the present round whose wait for votes has begun. */
  readonly #waits = new Set<"prevote" | "precommit">();
  /** Step of a first round in which the proposer is late, and for how many paces. */
  #late = { slot: "", paces: 0 };

  constructor(state: TendermintState) {
    this.#state = state;
  }

  onWait(step: "prevote" | "precommit"): void {
    this.#waits.add(step);
  }

  /** A round or a height begins. */
  onRound(): void {
    this.#waits.clear();
  }

  /** The first proposer keeps this node waiting, or lets its members vote so that they do (T17). */
  onLate(): void {
    const { proposer, height, settings, punctuality } = this.#state;
    const paces = this.#latePaces;
    this.#late = { slot: this.#step, paces: paces + 1 };
    if (proposer !== settings.self) punctuality.onLate(proposer, { height, pace: paces });
  }

  /** Something was waited for in vain, in any round (T17). */
  onVain(step: "propose" | "prevote" | "precommit"): void {
    const { pace, proposer, height, settings, punctuality } = this.#state;
    if (pace === undefined) return;
    const { prevotes, precommits } = this.#state.current();
    const missing = settings.membership.members.filter(({ id }) => (step === "prevote" ? prevotes : precommits).of(id) === undefined);
    const late = step === "propose" ? [proposer] : missing.map(({ id }) => id);
    for (const member of late) if (member !== settings.self) punctuality.onLate(member, { height, pace });
  }

  /** @param mayVote whether this node waits for anything; `isDue`: whether a proposal is wanted */
  timers({ mayVote, isDue }: { readonly mayVote: boolean; readonly isDue: boolean }): readonly Wanted[] {
    const { height, round, step, pace, settings } = this.#state;
    const { punctualMs, voteMs } = settings.timing;
    const slot = `${height}/${round}`;
    const awaitsProposal = mayVote && isDue && step === "propose";
    const awaits = (of: "prevote" | "precommit"): boolean => mayVote && this.#waits.has(of);
    const awaitsVotes = step !== "propose" && awaits(step) && pace !== undefined;
    const paces = this.#latePaces;
    const isTimed = round === 0 && (awaitsProposal || awaitsVotes) && paces < PACES.length;
    return [
      ["punctual", isTimed ? `${this.#step}/${paces}` : "", punctualMs * (paces === 0 ? 1 : 2 ** (paces - 1))],
      ["propose", awaitsProposal ? `${slot}/${this.#isFetched}` : "", this.#proposeMs],
      ["prevote", step === "prevote" && awaits("prevote") ? slot : "", this.#waitMs(voteMs)],
      ["precommit", awaits("precommit") ? slot : "", this.#waitMs(voteMs)],
    ];
  }

  /** Somebody honest has the proposal and is asked for it: that takes a little longer (T20). */
  get #isFetched(): boolean {
    const { wanted, round } = this.#state;
    return [...wanted.values()].some((value) => value.round === round);
  }

  get #step(): string {
    const { height, step } = this.#state;
    return `${height}/${step}`;
  }

  /** For how many paces the present step has lasted too long already. */
  get #latePaces(): number {
    return this.#late.slot === this.#step ? this.#late.paces : 0;
  }

  get #proposeMs(): number {
    const { pace, proposer, punctuality, settings } = this.#state;
    const { proposeMs, briskMs, punctualMs } = settings.timing;
    if (pace === undefined) return this.#waitMs(proposeMs);
    return Math.min((this.#isFetched || punctuality.isTrusted(proposer, pace) ? briskMs : punctualMs) * 2 ** pace, proposeMs);
  }

  #waitMs(baseMs: number): number {
    const { pace, round, patience, settings } = this.#state;
    const { roundDeltaMs, timeoutMaxMs } = settings.timing;
    return pace !== undefined ? baseMs : Math.min((baseMs + round * roundDeltaMs) * 2 ** patience.steps, timeoutMaxMs);
  }
}
