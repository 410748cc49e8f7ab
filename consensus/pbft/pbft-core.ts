import { invariant, leaderOf, type NodeId, unreachable, VOTE_TYPE, weightOf } from "#base";
import type { CommitCertificate } from "../block.ts";
import type { Core, CoreOptions, CoreSnapshot, Effect, Input, TimerName } from "../core.ts";
import type { ConsensusMessage } from "../messages.ts";
import { pbftCodec } from "./codec.ts";
import type { PbftMessage, Propose } from "./messages.ts";
import { NormalCase } from "./normal-case.ts";
import { restoreRecords } from "./restore.ts";
import { PBFT_TIMING, type PbftRules, type PbftTiming, pbftRules } from "./rules.ts";
import { PbftState } from "./state.ts";
import { ViewChanger } from "./view-changer.ts";

/** What a PBFT core is made from. */
export interface PbftOptions extends CoreOptions {
  readonly timing?: Partial<PbftTiming>;
  readonly rules?: PbftRules;
}

/** How far the wait for sending again grows, as a multiple of its base. */
const RETRANSMIT_GROWTH_MAX = 8;

/**
 * PBFT with one height in flight and signed messages, by the rules of docs/protocols/pbft.md.
 * Source: Castro & Liskov 1999, section 4; the differences are written down there.
 */
export function createPbftCore(options: PbftOptions): Core {
  return new PbftCore(options);
}

class PbftCore implements Core {
  readonly #state: PbftState;
  readonly #normal: NormalCase;
  readonly #viewChanger: ViewChanger;
  #progressKey = "";
  #retransmitKey = "";
  #retransmits = 0;
  #started = false;

  constructor(options: PbftOptions) {
    const { tip, restored, rules = pbftRules, timing, ...settings } = options;
    this.#state = new PbftState({ ...settings, engine: "pbft", rules, timing: { ...PBFT_TIMING, ...timing } }, tip);
    this.#normal = new NormalCase(this.#state, {
      onDecided: (certificate) => this.#onDecided(certificate),
      onAccepted: () => this.#replayLater(),
    });
    this.#viewChanger = new ViewChanger(this.#state, this.#normal, () => this.#replayLater());
    restoreRecords(this.#state, this.#normal, restored);
  }

  step(input: Input): readonly Effect[] {
    this.#dispatch(input);
    this.#adjustTimers();
    return this.#state.takeEffects();
  }

  snapshot(): CoreSnapshot {
    const state = this.#state;
    const { settings, height, view, leader } = state;
    const present = this.#present();
    return {
      epoch: settings.membership.epoch,
      height,
      view,
      leader,
      phase: this.#phase(),
      waitingFor: this.#isWaiting() ? settings.membership.members.map((member) => member.id).filter((id) => !present.includes(id)) : [],
      weightPresent: weightOf(settings.membership, present),
      weightNeeded: Math.floor((2 * state.total) / 3) + 1,
    };
  }

  #dispatch(input: Input): void {
    const state = this.#state;
    switch (input.type) {
      case "start":
        this.#started = true;
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
        return this.#normal.onDraft(input.draft);
      case "pending":
        state.pending = input.pending;
        return undefined;
      case "suspect":
        if (input.view === state.view && !state.changing) this.#viewChanger.start(state.view + 1);
        return undefined;
      case "applied":
        return state.forget(input.height);
      case "last-height":
        state.lastHeight = input.height;
        return undefined;
      case "transfer":
        return undefined;
      case "read":
        return state.emit({ type: "read-at", id: input.id, height: undefined });
      case "participate":
        return this.#onParticipate(input.above);
      default:
        return unreachable(input);
    }
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    if (isPbft(message)) return this.#onProtocolMessage(from, message);
    if (message.type === "block") return this.#normal.onBlock(message);
    if (message.type === "fetch-proposal") return this.#viewChanger.onFetch(from, message);
    if (message.type === "proposal-body") return this.#viewChanger.onBody(message);
    return undefined;
  }

  #onProtocolMessage(from: NodeId, message: PbftMessage): void {
    const state = this.#state;
    if (message.epoch !== state.settings.membership.epoch) return undefined;
    const isOfView = message.type === "view-change" || message.type === "new-view";
    if (isOfView ? message.height > state.height : message.height > state.tip.height + state.settings.window) {
      return this.#onLaterHeight(from, message);
    }
    if (message.type === "new-view") return this.#viewChanger.onNewView(from, message);
    if (message.height < state.height) {
      // Rule V9; late votes of a height just decided are the normal case and need no help.
      if (message.type === "view-change") state.emit({ type: "send-block", to: from, height: message.height });
      return undefined;
    }
    switch (message.type) {
      case "propose":
        return this.#onPropose(from, message);
      case "prepare":
      case "commit":
        return this.#normal.onVote(from, message);
      case "view-change":
        return this.#viewChanger.onViewChange(from, message);
      default:
        return unreachable(message);
    }
  }

  #onPropose(from: NodeId, message: Propose): void {
    const { view, isOpen, settings } = this.#state;
    if (message.view === view && isOpen) return this.#normal.onPropose(from, message);
    if (message.view >= view && from === leaderOf(settings.membership, message.view)) this.#state.keepForLater(from, message);
    return undefined;
  }

  /** A sender ahead of this node: the next height is normal, more means that blocks are missing here. */
  #onLaterHeight(from: NodeId, message: PbftMessage): void {
    const state = this.#state;
    state.keepForLater(from, message);
    const isFar = message.height > state.height + state.settings.window || message.type === "view-change" || message.type === "new-view";
    if (isFar) state.emit({ type: "request-sync", fromHeight: state.height, peers: [from] });
  }

  #onDecided(certificate: CommitCertificate): void {
    const state = this.#state;
    if (certificate.view >= state.view) {
      state.view = certificate.view;
      state.changing = false;
    }
    state.establishedView = Math.max(state.establishedView, certificate.view);
    this.#retransmits = 0;
    if (state.changing) this.#viewChanger.send();
    this.#normal.onHeight();
    this.#viewChanger.proposeDemanded();
    this.#normal.offer();
    this.#replayLater();
  }

  #replayLater(): void {
    for (const [from, message] of this.#state.takeLater()) this.#onMessage(from, message);
  }

  #onParticipate(above: number): void {
    const state = this.#state;
    invariant(state.participatesAbove === undefined || above >= state.participatesAbove, "a floor never sinks");
    state.participatesAbove = above;
    if (!state.mayVote()) return;
    if (state.changing) this.#viewChanger.send();
    else this.#normal.resume();
    this.#viewChanger.proposeDemanded();
    this.#normal.offer();
  }

  #onTimer(name: TimerName): void {
    const state = this.#state;
    if (name === "progress") {
      this.#progressKey = "";
      state.countTimeout();
      return this.#viewChanger.start(state.view + 1);
    }
    this.#retransmitKey = "";
    this.#retransmits += 1;
    const { viewChange, newView } = state.sent;
    const votes = state.slots().flatMap(({ sent }) => [sent.propose, sent.prepare, sent.commit]);
    for (const message of [newView, ...votes, viewChange]) if (message !== undefined) state.broadcast(message);
    return this.#viewChanger.proposeDemanded();
  }

  /** Progress runs while a decision is due; sending again runs while something was said that others may have missed. */
  #adjustTimers(): void {
    const state = this.#state;
    const { height, view, changing } = state;
    const { timing } = state.settings;
    const slot = `${height}/${view}/${changing}`;
    const due = state.mayVote() && this.#started && (changing ? this.#viewChanger.isAwaitingLeader : this.#isDue());
    this.#progressKey = this.#setTimer("progress", due ? slot : "", this.#progressKey, state.progressDelayMs);
    const isVoting = state.slots().some(({ accepted, sent }) => accepted !== undefined || sent.prepare !== undefined);
    const said = this.#started && (changing || isVoting);
    const growth = Math.min(2 ** this.#retransmits, RETRANSMIT_GROWTH_MAX);
    this.#retransmitKey = this.#setTimer("retransmit", said ? slot : "", this.#retransmitKey, timing.retransmitMs * growth);
  }

  #setTimer(name: TimerName, wanted: string, current: string, delayMs: number): string {
    if (wanted === current) return current;
    this.#state.emit(wanted === "" ? { type: "cancel-timer", name } : { type: "set-timer", name, delayMs });
    return wanted;
  }

  #isDue(): boolean {
    const state = this.#state;
    const isUnderway = state.slots().some(({ accepted, candidate }) => accepted !== undefined || candidate !== undefined);
    return state.pending || isUnderway || state.demandAt(state.height) !== undefined;
  }

  #isWaiting(): boolean {
    return this.#state.changing || this.#isDue();
  }

  #phase(): CoreSnapshot["phase"] {
    const state = this.#state;
    if (!state.mayVote()) return "following";
    if (state.changing) return "changing-view";
    const { prepared, accepted } = state.slot();
    if (prepared?.view === state.view) return "prepared";
    return accepted === undefined ? "idle" : "proposed";
  }

  /** Members heard of in the present phase. */
  #present(): NodeId[] {
    const state = this.#state;
    const { view, settings, leader, changing } = state;
    if (changing) return state.viewChanges.for(view).map((message) => message.sender);
    const slot = state.slot();
    if (slot.prepared?.view === view) return state.ballot(slot, VOTE_TYPE.pbftCommit, view).voters();
    if (slot.accepted !== undefined) return [leader, ...state.ballot(slot, VOTE_TYPE.pbftPrepare, view).voters()];
    return settings.membership.members.map((member) => member.id).filter((id) => id !== leader);
  }
}

const PBFT_TYPES: ReadonlySet<string> = new Set(pbftCodec.types);

function isPbft(message: ConsensusMessage): message is PbftMessage {
  return PBFT_TYPES.has(message.type);
}
