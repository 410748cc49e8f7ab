import { type NodeId, unreachable } from "#base";
import type { ProposalDraft } from "./block.ts";
import type { Core, CoreSnapshot, Effect, Input, TimerName } from "./core.ts";
import { HeightReads } from "./height-reads.ts";
import type { ConsensusMessage } from "./messages.ts";
import type { VotingState } from "./voting-state.ts";

/** How far the wait for sending again grows, as a multiple of its base. */
const RETRANSMIT_GROWTH_MAX = 4;

/** What the cores with signed votes do with their inputs alike; the protocol is in what extends it. */
export abstract class VotingCore<S extends VotingState> implements Core {
  protected readonly state: S;
  /** Nothing is timed before the start. */
  protected started: boolean = false;
  /** What each timer was set for; absent when it is not. */
  readonly #timers = new Map<TimerName, string>();
  readonly #reads: HeightReads;
  #retransmits = 0;

  constructor(state: S) {
    this.state = state;
    this.#reads = new HeightReads(state);
  }

  step(input: Input): readonly Effect[] {
    this.#dispatch(input);
    this.adjustTimers();
    this.setTimer("read", this.#reads.underway, this.state.settings.timing.retransmitMs);
    return this.state.takeEffects();
  }

  abstract snapshot(): CoreSnapshot;

  protected abstract onMessage(from: NodeId, message: ConsensusMessage): void;
  /** A timer that still counts is over. */
  protected abstract onTimer(name: TimerName): void;
  /** Says again what was said and may be lost. */
  protected abstract sendAgain(): void;
  protected abstract onDraft(draft: ProposalDraft): void;
  protected abstract onSuspect(view: number): void;
  protected abstract onApplied(height: number): void;
  /** This node may vote now, or above a higher floor. */
  protected abstract onParticipate(): void;
  /** Sets every timer to what the state asks for; runs after each input. */
  protected abstract adjustTimers(): void;

  /** Sets a timer unless it runs for the same reason already; an empty reason ends it. */
  protected setTimer(name: TimerName, wanted: string, delayMs: number): void {
    if (wanted === (this.#timers.get(name) ?? "")) return;
    this.state.emit(wanted === "" ? { type: "cancel-timer", name } : { type: "set-timer", name, delayMs });
    if (wanted === "") this.#timers.delete(name);
    else this.#timers.set(name, wanted);
  }

  /** The wait for saying it again: longer each time that nothing was decided. */
  protected setRetransmit(wanted: string, baseMs: number): void {
    this.setTimer("retransmit", wanted, baseMs * Math.min(2 ** this.#retransmits, RETRANSMIT_GROWTH_MAX));
  }

  /** What came too early may fit now. */
  protected replayLater(): void {
    for (const [from, message] of this.state.takeLater()) this.onMessage(from, message);
  }

  /** A height was decided. */
  protected calmDown(): void {
    this.#retransmits = 0;
  }

  #dispatch(input: Input): void {
    const { state } = this;
    switch (input.type) {
      case "start":
        this.started = true;
        return undefined;
      case "message":
        return this.#onMessage(input.from, input.message);
      case "verified":
        return state.answer(input.id, input.verdicts);
      case "validated":
        return state.answer(input.id, input.valid);
      case "signed":
        return state.answer(input.id, input.signature);
      case "timer":
        return this.#onTimer(input.name);
      case "propose":
        return this.onDraft(input.draft);
      case "pending":
        state.pending = input.pending;
        return undefined;
      case "suspect":
        return this.onSuspect(input.view);
      case "applied":
        return this.onApplied(input.height);
      case "last-height":
        state.lastHeight = input.height;
        return undefined;
      case "transfer":
        return undefined;
      case "read":
        return this.#reads.onRead(input.id);
      case "participate":
        state.participate(input.above);
        return state.mayVote() ? this.onParticipate() : undefined;
      default:
        return unreachable(input);
    }
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    if (message.type === "height-request") return this.#reads.onRequest(from, message);
    if (message.type === "height-reply") return this.#reads.onReply(from, message);
    return this.onMessage(from, message);
  }

  #onTimer(name: TimerName): void {
    // One that was cancelled meanwhile says nothing any more.
    if (!this.#timers.delete(name)) return undefined;
    if (name === "read") return this.#reads.ask();
    if (name !== "retransmit") return this.onTimer(name);
    this.#retransmits += 1;
    return this.sendAgain();
  }
}
