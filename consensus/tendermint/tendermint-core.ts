import type { NodeId } from "#base";
import type { ProposalDraft } from "../block.ts";
import type { Core, CoreOptions, CoreSnapshot, TimerName } from "../core.ts";
import { DecidedBlocks } from "../decided-blocks.ts";
import type { ConsensusMessage, FetchProposal, ProposalBody } from "../messages.ts";
import { readProposal } from "../proposing.ts";
import { VotingCore } from "../voting-core.ts";
import { tendermintCodec } from "./codec.ts";
import { decisionOf } from "./disclosure.ts";
import type { TendermintMessage } from "./messages.ts";
import { LOCK_KEY, ROUND_KEY } from "./records.ts";
import { restoreRecords } from "./restore.ts";
import { TENDERMINT_TIMING, type TendermintRules, type TendermintTiming, tendermintRules } from "./rules.ts";
import { TendermintState } from "./state.ts";
import { Tempo } from "./tempo.ts";
import { Voting } from "./voting.ts";

/** What a Tendermint core is made from. */
export interface TendermintOptions extends CoreOptions {
  readonly timing?: Partial<TendermintTiming>;
  readonly rules?: TendermintRules;
}

const TYPES: ReadonlySet<string> = new Set(tendermintCodec.types);

/**
 * Tendermint with one height in flight, by the rules of docs/protocols/tendermint.md. Source: Buchman, Kwon & Milosevic 2018, algorithm 1, with
 * the valid round in each prevote, which makes amnesia provable.
 */
export function createTendermintCore(options: TendermintOptions): Core {
  return new TendermintCore(options);
}

class TendermintCore extends VotingCore<TendermintState> {
  readonly #voting: Voting;
  readonly #blocks: DecidedBlocks;
  readonly #tempo: Tempo;

  constructor(options: TendermintOptions) {
    const { cluster, self, membership, protocol, window, hasher, seed, tip, restored, rules = tendermintRules } = options;
    const timing = options.timing === undefined ? TENDERMINT_TIMING : { ...TENDERMINT_TIMING, ...options.timing };
    super(new TendermintState({ cluster, self, membership, protocol, window, hasher, seed, engine: "tendermint", rules, timing }, tip));
    const { state } = this;
    this.#blocks = new DecidedBlocks(state, { onDecided: () => this.#onDecided() });
    this.#tempo = new Tempo(state);
    this.#voting = new Voting(state, {
      onDecided: (proposal, certificate) => this.#blocks.decide(proposal, certificate),
      onWait: (step) => this.#tempo.onWait(step),
      onRound: () => this.#tempo.onRound(),
    });
    restoreRecords(state, restored);
  }

  snapshot(): CoreSnapshot {
    const state = this.state;
    const { height, round, proposer, step, settings, total } = state;
    const { prevotes, precommits, proposal } = state.current();
    const voted = step === "propose" ? [proposer] : step === "prevote" ? prevotes.voters() : precommits.voters();
    const present = step === "propose" && proposal === undefined ? [] : voted;
    const members = settings.membership.members.map(({ id }) => id);
    const waits = this.#isDue && state.mayVote();
    return {
      epoch: state.epoch,
      height,
      view: round,
      leader: proposer,
      phase: !state.mayVote() ? "following" : step === "precommit" ? "prepared" : step === "prevote" ? "proposed" : "idle",
      participates: state.participates,
      waitingFor: !waits ? [] : step === "propose" ? [proposer] : members.filter((id) => !present.includes(id)),
      weightPresent: settings.membership.members.reduce((sum, { id, weight }) => sum + (present.includes(id) ? weight : 0), 0),
      weightNeeded: Math.floor((2 * total) / 3) + 1,
    };
  }

  protected onDraft(draft: ProposalDraft): void {
    this.#voting.onDraft(draft);
  }

  protected onSuspect(view: number): void {
    if (view === this.state.round) this.#voting.doubt();
  }

  protected onMessage(from: NodeId, message: ConsensusMessage): void {
    const state = this.state;
    if (message.type === "block") return this.#blocks.onBlock(message);
    if (message.type === "fetch-proposal") return this.#onFetch(from, message);
    if (message.type === "proposal-body") return this.#onBody(message);
    if (!isTendermint(message) || message.epoch !== state.epoch) return undefined;
    if (message.height > state.height) {
      state.keepForLater(from, message);
      if (message.height === state.height + 1) return this.#voting.onOtherHeight(from, message);
      return state.emit({ type: "request-sync", fromHeight: state.height, peers: [from] });
    }
    if (message.height < state.height) {
      // Late votes of a height just decided are the normal case; whoever is in a later round there has missed the decision.
      if (isOfLaterRound(message)) return state.emit({ type: "send-block", to: from, height: message.height });
      return this.#voting.onOtherHeight(from, message);
    }
    if (message.type === "round-proposal") return this.#voting.proposals.onProposal(from, message);
    if (message.type === "passed-proposal") return this.#voting.proposals.onPassed(from, message);
    if (message.type === "polka") return this.#voting.onPolka(message);
    if (message.type === "round-certificate") return this.#voting.onRoundCertificate(from, message);
    return this.#voting.onVote(from, message);
  }

  #onFetch(from: NodeId, { height, digest }: FetchProposal): void {
    const state = this.state;
    if (height < state.height) return state.emit({ type: "send-block", to: from, height });
    const body = height === state.height ? state.bodies.get(digest) : undefined;
    if (body === undefined) return undefined;
    const proposal = state.proposalOf(digest);
    if (proposal !== undefined) return state.emit({ type: "send", to: from, message: proposal });
    const { headerBytes, certifiedProof, batch } = body;
    return state.emit({ type: "send", to: from, message: { type: "proposal-body", height, headerBytes, certifiedProof, batch } });
  }

  #onBody(message: ProposalBody): void {
    const proposal = message.height === this.state.height ? readProposal(this.state.settings.hasher, message) : undefined;
    if (proposal?.header.parent === this.state.tip.digest) this.#voting.proposals.onBody(proposal);
  }

  #onDecided(): void {
    this.#tempo.onRound();
    this.calmDown();
    this.replayLater();
    this.#voting.evaluate();
  }

  protected onParticipate(): void {
    this.sendAgain();
    this.#voting.evaluate();
  }

  protected onTimer(name: TimerName): void {
    switch (name) {
      case "punctual":
        this.#tempo.onLate();
        return this.#voting.evaluate();
      case "propose":
        this.#tempo.onVain(name);
        return this.#voting.passOver();
      case "prevote":
        this.#tempo.onVain(name);
        return this.#voting.giveUpPrevotes();
      case "precommit":
        this.#tempo.onVain(name);
        return this.#voting.enterNext();
      default:
        return undefined;
    }
  }

  /** Says again what was said, and shows the newest polka: without it a value that one member is locked on could stay unknown to the others. */
  protected sendAgain(): void {
    const state = this.state;
    const { proposal, prevote, precommit } = state.sent;
    const polka = state.settings.rules.sharesPolkas ? state.valid : undefined;
    for (const message of [state.entry, polka, proposal, prevote, precommit]) if (message !== undefined) state.broadcast(message);
    if (state.valid !== undefined && !state.bodies.has(state.valid.digest)) {
      state.broadcast({ type: "fetch-proposal", height: state.height, digest: state.valid.digest });
    }
  }

  /** What a decided, durable height has made needless goes; what was said of the present one stays. */
  protected onApplied(height: number): void {
    const state = this.state;
    if (height !== state.tip.height) return;
    const current = `body/${state.height}/`;
    const isOfPresent = (key: string): boolean => key.startsWith(current) || (key.startsWith("sent/") && this.#isSaid(key));
    const keys = [...state.records].filter((key) => !isOfPresent(key) && !this.#isOfLockOrRound(key));
    state.forgetRecords(keys);
  }

  #isOfLockOrRound(key: string): boolean {
    const { locked, entry } = this.state;
    return (key === LOCK_KEY && locked !== undefined) || (key === ROUND_KEY && entry !== undefined);
  }

  #isSaid(key: string): boolean {
    const { proposal, prevote, precommit } = this.state.sent;
    return (key === "sent/proposal" ? proposal : key === "sent/prevote" ? prevote : precommit) !== undefined;
  }

  get #isDue(): boolean {
    return this.state.pending || this.state.begun || this.state.round > 0;
  }

  protected adjustTimers(): void {
    const state = this.state;
    const mayVote = this.started && state.mayVote();
    for (const wanted of this.#tempo.timers({ mayVote, isDue: this.#isDue })) this.setTimer(...wanted);
    const said = this.started && Object.keys(state.sent).length > 0;
    this.setRetransmit(said ? `${state.height}/${state.round}` : "", state.settings.timing.retransmitMs);
  }
}

function isOfLaterRound(message: TendermintMessage): boolean {
  if (message.type === "round-certificate") return decisionOf(message) === undefined;
  return message.view > 0 && (message.type === "prevote" || message.type === "precommit");
}

function isTendermint(message: ConsensusMessage): message is TendermintMessage {
  return TYPES.has(message.type);
}
