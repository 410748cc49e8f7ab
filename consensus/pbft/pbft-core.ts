import { leaderOf, type NodeId, unreachable, VOTE_TYPE, weightOf } from "#base";
import type { CommitCertificate, ProposalDraft } from "../block.ts";
import type { Core, CoreOptions, CoreSnapshot, TimerName } from "../core.ts";
import { DecidedBlocks } from "../decided-blocks.ts";
import type { ConsensusMessage } from "../messages.ts";
import { VotingCore } from "../voting-core.ts";
import { pbftCodec } from "./codec.ts";
import type { PbftMessage, Propose } from "./messages.ts";
import { NormalCase } from "./normal-case.ts";
import { restoreRecords } from "./restore.ts";
import { PBFT_TIMING, type PbftRules, type PbftTiming, pbftRules } from "./rules.ts";
import type { Slot } from "./slot.ts";
import { PbftState } from "./state.ts";
import { ViewChanger } from "./view-changer.ts";

/** What a PBFT core is made from. */
export interface PbftOptions extends CoreOptions {
  readonly timing?: Partial<PbftTiming>;
  readonly rules?: PbftRules;
}

/**
 * PBFT with one height in flight and signed messages, by the rules of docs/protocols/pbft.md.
 * Source: Castro & Liskov 1999, section 4; the differences are written down there.
 */
export function createPbftCore(options: PbftOptions): Core {
  return new PbftCore(options);
}

class PbftCore extends VotingCore<PbftState> {
  readonly #blocks: DecidedBlocks;
  readonly #normal: NormalCase;
  readonly #viewChanger: ViewChanger;
  #named = { height: -1, view: -1, changing: false, stage: "" };

  constructor(options: PbftOptions) {
    const { cluster, self, membership, protocol, window, hasher, seed, tip, restored, rules = pbftRules } = options;
    const timing = options.timing === undefined ? PBFT_TIMING : { ...PBFT_TIMING, ...options.timing };
    super(new PbftState({ cluster, self, membership, protocol, window, hasher, seed, engine: "pbft", rules, timing }, tip));
    const { state } = this;
    this.#blocks = new DecidedBlocks(state, { onDecided: (certificate) => this.#onDecided(certificate) });
    this.#normal = new NormalCase(state, {
      onDecided: (proposal, certificate) => this.#blocks.decide(proposal, certificate),
      onAccepted: () => this.replayLater(),
    });
    this.#viewChanger = new ViewChanger(state, this.#normal, () => this.replayLater());
    restoreRecords(state, restored);
  }

  snapshot(): CoreSnapshot {
    const state = this.state;
    const { settings, height, view, leader } = state;
    const present = this.#present();
    return {
      epoch: settings.membership.epoch,
      height,
      view,
      leader,
      phase: this.#phase(),
      participates: state.participates,
      waitingFor: this.#isWaiting() ? settings.membership.members.map((member) => member.id).filter((id) => !present.includes(id)) : [],
      weightPresent: weightOf(settings.membership, present),
      weightNeeded: Math.floor((2 * state.total) / 3) + 1,
    };
  }

  protected onDraft(draft: ProposalDraft): void {
    this.#normal.onDraft(draft);
  }

  protected onSuspect(view: number): void {
    if (view === this.state.view && !this.state.changing) this.#viewChanger.start(view + 1);
  }

  protected onApplied(height: number): void {
    this.state.forget(height);
  }

  protected onMessage(from: NodeId, message: ConsensusMessage): void {
    if (isPbft(message)) return this.#onProtocolMessage(from, message);
    if (message.type === "block") return this.#blocks.onBlock(message);
    if (message.type === "fetch-proposal") return this.#viewChanger.onFetch(from, message);
    if (message.type === "proposal-body") return this.#viewChanger.onBody(message);
    return undefined;
  }

  #onProtocolMessage(from: NodeId, message: PbftMessage): void {
    const state = this.state;
    // The last is for who looks for evidence.
    if (message.epoch !== state.settings.membership.epoch || message.type === "heard-new-view") return undefined;
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
    const { view, isOpen, settings } = this.state;
    if (message.view === view && isOpen) return this.#normal.onPropose(from, message);
    if (message.view >= view && from === leaderOf(settings.membership, message.view)) this.state.keepForLater(from, message);
    return undefined;
  }

  /** A sender ahead of this node: the next height is normal, more means that blocks are missing here. */
  #onLaterHeight(from: NodeId, message: PbftMessage): void {
    const state = this.state;
    state.keepForLater(from, message);
    const isFar = message.height > state.height + state.settings.window || message.type === "view-change" || message.type === "new-view";
    if (isFar) state.emit({ type: "request-sync", fromHeight: state.height, peers: [from] });
  }

  #onDecided(certificate: CommitCertificate): void {
    const state = this.state;
    this.#onEstablished(certificate.view);
    this.calmDown();
    if (state.changing) this.#viewChanger.send();
    this.#normal.onHeight();
    this.#viewChanger.proposeDemanded();
    this.#normal.offer();
    this.replayLater();
  }

  /** A certificate establishes its view, and whoever stands in a lower one enters it (V4). */
  #onEstablished(view: number): void {
    const { state } = this;
    if (view <= state.establishedView) return;
    if (view >= state.view) state.enterView(view);
    else state.establishedView = view;
  }

  protected onParticipate(): void {
    const { state } = this;
    if (state.changing) this.#viewChanger.send();
    else this.#normal.resume();
    this.#viewChanger.proposeDemanded();
    this.#normal.offer();
  }

  protected onTimer(name: TimerName): void {
    if (name !== "progress") return;
    this.state.patience.lengthen();
    this.#viewChanger.start(this.state.view + 1);
  }

  protected sendAgain(): void {
    const { state } = this;
    const { viewChange, newView } = state.sent;
    const votes = state.slots().flatMap(({ sent }) => [sent.propose, sent.prepare, sent.commit]);
    for (const message of [newView, ...votes, viewChange]) if (message !== undefined) state.broadcast(message);
    this.#viewChanger.insist();
  }

  /** Progress runs while a decision is due; sending again runs while something was said that others may have missed. */
  protected adjustTimers(): void {
    const state = this.state;
    const { changing } = state;
    const slots = state.slots();
    const due = state.mayVote() && this.started && (changing ? this.#viewChanger.isAwaitingLeader : this.#isDue(slots));
    this.setTimer("progress", due ? this.#stage() : "", state.progressDelayMs);
    const said = this.started && (changing || slots.some(({ accepted, sent }) => accepted !== undefined || sent.prepare !== undefined));
    this.setRetransmit(said ? this.#stage() : "", state.settings.timing.retransmitMs);
  }

  /** Names height, view and whether it is left; the same text as long as they are the same. */
  #stage(): string {
    const { height, view, changing } = this.state;
    const named = this.#named;
    if (named.height === height && named.view === view && named.changing === changing) return named.stage;
    const stage = `${height}/${view}/${changing}`;
    this.#named = { height, view, changing, stage };
    return stage;
  }

  #isDue(slots: readonly Slot[]): boolean {
    const state = this.state;
    if (state.pending || state.demandAt(state.height) !== undefined) return true;
    return slots.some(({ accepted, candidate }) => accepted !== undefined || candidate !== undefined);
  }

  #isWaiting(): boolean {
    return this.state.changing || this.#isDue(this.state.slots());
  }

  #phase(): CoreSnapshot["phase"] {
    const state = this.state;
    if (!state.mayVote()) return "following";
    if (state.changing) return "changing-view";
    const { prepared, accepted } = state.slot();
    if (prepared?.view === state.view) return "prepared";
    return accepted === undefined ? "idle" : "proposed";
  }

  /** Members heard of in the present phase. */
  #present(): NodeId[] {
    const state = this.state;
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
