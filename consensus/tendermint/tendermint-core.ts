import { invariant, type NodeId, unreachable } from "#base";
import type { CommitCertificate, Proposal } from "../block.ts";
import { checkCommitCertificate, commitCertificateClaims } from "../certificates.ts";
import type { Core, CoreOptions, CoreSnapshot, Effect, Input, TimerName } from "../core.ts";
import type { ConsensusMessage, DecidedBlockMessage, FetchProposal, ProposalBody } from "../messages.ts";
import { readProposal } from "../proposing.ts";
import { accuseBoth } from "./blame.ts";
import { tendermintCodec } from "./codec.ts";
import type { TendermintMessage } from "./messages.ts";
import { LOCK_KEY, ROUND_KEY } from "./records.ts";
import { restoreRecords } from "./restore.ts";
import { TENDERMINT_TIMING, type TendermintRules, type TendermintTiming, tendermintRules } from "./rules.ts";
import { TendermintState } from "./state.ts";
import { Voting } from "./voting.ts";

/** What a Tendermint core is made from. */
export interface TendermintOptions extends CoreOptions {
  readonly timing?: Partial<TendermintTiming>;
  readonly rules?: TendermintRules;
}

/** How far the wait for sending again grows, as a multiple of its base. */
const RETRANSMIT_GROWTH_MAX = 4;
const TYPES: ReadonlySet<string> = new Set(tendermintCodec.types);

/**
 * Tendermint with one height in flight, by the rules of docs/protocols/tendermint.md. Source: Buchman, Kwon & Milosevic 2018, algorithm 1, with
 * the valid round in each prevote, which makes amnesia provable.
 */
export function createTendermintCore(options: TendermintOptions): Core {
  return new TendermintCore(options);
}

class TendermintCore implements Core {
  readonly #state: TendermintState;
  readonly #voting: Voting;
  /** What each timer was set for; empty when it is not. */
  readonly #timers = new Map<TimerName, string>();
  /** Steps of the present round whose wait has begun. */
  readonly #waits = new Set<"prevote" | "precommit">();
  #retransmits = 0;
  #checkingBlock = false;
  #started = false;

  constructor(options: TendermintOptions) {
    const { tip, restored, rules = tendermintRules, timing, ...settings } = options;
    this.#state = new TendermintState({ ...settings, engine: "tendermint", rules, timing: { ...TENDERMINT_TIMING, ...timing } }, tip);
    this.#voting = new Voting(this.#state, {
      onDecided: (proposal, certificate) => this.#decide(proposal, certificate),
      onWait: (step) => void this.#waits.add(step),
      onRound: () => this.#waits.clear(),
    });
    restoreRecords(this.#state, restored);
  }

  step(input: Input): readonly Effect[] {
    this.#dispatch(input);
    this.#adjustTimers();
    return this.#state.takeEffects();
  }

  snapshot(): CoreSnapshot {
    const state = this.#state;
    const { height, round, proposer, step, settings, total } = state;
    const { prevotes, precommits, proposal } = state.current();
    const voted = step === "propose" ? [proposer] : step === "prevote" ? prevotes.voters() : precommits.voters();
    const present = step === "propose" && proposal === undefined ? [] : voted;
    const members = settings.membership.members.map(({ id }) => id);
    const waits = this.#isDue && state.mayVote;
    return {
      epoch: state.epoch,
      height,
      view: round,
      leader: proposer,
      phase: !state.mayVote ? "following" : step === "precommit" ? "prepared" : step === "prevote" ? "proposed" : "idle",
      waitingFor: !waits ? [] : step === "propose" ? [proposer] : members.filter((id) => !present.includes(id)),
      weightPresent: settings.membership.members.reduce((sum, { id, weight }) => sum + (present.includes(id) ? weight : 0), 0),
      weightNeeded: Math.floor((2 * total) / 3) + 1,
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
        return this.#voting.onDraft(input.draft);
      case "pending":
        state.pending = input.pending;
        return undefined;
      case "suspect":
        if (input.view === state.round) this.#voting.giveUpProposal();
        return undefined;
      case "applied":
        return this.#forget(input.height);
      case "participate":
        return this.#onParticipate(input.above);
      case "last-height":
        state.lastHeight = input.height;
        return undefined;
      case "transfer":
        return undefined;
      case "read":
        return state.emit({ type: "read-at", id: input.id, height: undefined });
      default:
        return unreachable(input);
    }
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    const state = this.#state;
    if (message.type === "block") return this.#onBlock(message);
    if (message.type === "fetch-proposal") return this.#onFetch(from, message);
    if (message.type === "proposal-body") return this.#onBody(message);
    if (!isTendermint(message) || message.epoch !== state.epoch) return undefined;
    if (message.height > state.height) {
      state.keepForLater(from, message);
      if (message.height > state.height + 1) state.emit({ type: "request-sync", fromHeight: state.height, peers: [from] });
      return undefined;
    }
    if (message.height < state.height) {
      // Late votes of a height just decided are the normal case; whoever is in a later round there has missed the decision.
      if (message.view > 0 && (message.type === "prevote" || message.type === "precommit"))
        state.emit({ type: "send-block", to: from, height: message.height });
      return undefined;
    }
    if (message.type === "round-proposal") return this.#voting.onProposal(from, message);
    if (message.type === "polka") return this.#voting.onPolka(message);
    if (message.type === "round-certificate") return this.#voting.onRoundCertificate(message);
    return this.#voting.onVote(from, message);
  }

  #onFetch(from: NodeId, { height, digest }: FetchProposal): void {
    const state = this.#state;
    if (height < state.height) return state.emit({ type: "send-block", to: from, height });
    const body = height === state.height ? state.bodies.get(digest) : undefined;
    if (body === undefined) return undefined;
    const { headerBytes, certifiedProof, batch } = body;
    return state.emit({ type: "send", to: from, message: { type: "proposal-body", height, headerBytes, certifiedProof, batch } });
  }

  #onBody(message: ProposalBody): void {
    const proposal = message.height === this.#state.height ? readProposal(this.#state.settings.hasher, message) : undefined;
    if (proposal?.header.parent === this.#state.tip.digest) this.#voting.onBody(proposal);
  }

  /** A decided block: proved by its certificate, whoever sent it. */
  #onBlock(message: DecidedBlockMessage): void {
    const state = this.#state;
    const { certificate } = message;
    const proposal = readProposal(state.settings.hasher, { ...message, certifiedProof: new Uint8Array(0) });
    if (proposal === undefined || certificate.digest !== proposal.digest || proposal.header.height !== certificate.height) return;
    if (!checkCommitCertificate(certificate, state.settings)) return;
    const claims = commitCertificateClaims(certificate, state.settings);
    if (certificate.height === state.tip.height && certificate.digest !== state.tip.digest) {
      state.verify(claims, (valid) => {
        if (!valid) return;
        accuseBoth(state, certificate);
        state.emit({ type: "halt", reason: "two certificates decide one height differently" });
      });
      return;
    }
    if (certificate.height !== state.height || proposal.header.parent !== state.tip.digest || this.#checkingBlock) return;
    this.#checkingBlock = state.verify(claims, (genuine) => {
      this.#checkingBlock = false;
      if (genuine) state.validate(proposal, "decided", (valid) => valid && this.#decide(proposal, certificate));
    });
  }

  #decide(proposal: Proposal, certificate: CommitCertificate): void {
    const state = this.#state;
    if (certificate.height !== state.height) return;
    if (proposal.header.parent !== state.tip.digest) {
      return state.emit({ type: "halt", reason: "a quorum decided a block that does not follow what this node decided" });
    }
    state.emit({ type: "decide", proposal, certificate });
    const { height, view } = certificate;
    state.moveTo({ height, digest: proposal.digest, timeUs: proposal.header.timeUs, view, certificate });
    this.#checkingBlock = false;
    this.#retransmits = 0;
    this.#waits.clear();
    for (const [from, message] of state.takeLater()) this.#onMessage(from, message);
    this.#voting.evaluate();
  }

  #onParticipate(above: number): void {
    const state = this.#state;
    invariant(state.participatesAbove === undefined || above >= state.participatesAbove, "a floor never sinks");
    state.participatesAbove = above;
    if (!state.mayVote) return;
    this.#sendAgain();
    this.#voting.evaluate();
  }

  #onTimer(name: TimerName): void {
    // One that was cancelled meanwhile says nothing any more.
    if (!this.#timers.delete(name)) return undefined;
    switch (name) {
      case "propose":
        return this.#voting.giveUpProposal();
      case "prevote":
        return this.#voting.giveUpPrevotes();
      case "precommit":
        return this.#voting.enterNext();
      case "retransmit":
        this.#retransmits += 1;
        return this.#sendAgain();
      default:
        return undefined;
    }
  }

  /** Says again what was said, and shows the newest polka: without it a value that one member is locked on could stay unknown to the others. */
  #sendAgain(): void {
    const state = this.#state;
    const { proposal, prevote, precommit } = state.sent;
    for (const message of [state.entry, state.valid, proposal, prevote, precommit]) if (message !== undefined) state.broadcast(message);
    if (state.valid !== undefined && !state.bodies.has(state.valid.digest)) {
      state.broadcast({ type: "fetch-proposal", height: state.height, digest: state.valid.digest });
    }
  }

  /** What a decided, durable height has made needless goes; what was said of the present one stays. */
  #forget(height: number): void {
    const state = this.#state;
    if (height !== state.tip.height) return;
    const current = `body/${state.height}/`;
    const isOfPresent = (key: string): boolean => key.startsWith(current) || (key.startsWith("sent/") && this.#isSaid(key));
    const keys = [...state.records].filter((key) => !isOfPresent(key) && !this.#isOfLockOrRound(key));
    for (const key of keys) state.records.delete(key);
    if (keys.length > 0) state.emit({ type: "forget", keys });
  }

  #isOfLockOrRound(key: string): boolean {
    const { locked, entry } = this.#state;
    return (key === LOCK_KEY && locked !== undefined) || (key === ROUND_KEY && entry !== undefined);
  }

  #isSaid(key: string): boolean {
    const { proposal, prevote, precommit } = this.#state.sent;
    return (key === "sent/proposal" ? proposal : key === "sent/prevote" ? prevote : precommit) !== undefined;
  }

  get #isDue(): boolean {
    return this.#state.pending || this.#state.begun || this.#state.round > 0;
  }

  #adjustTimers(): void {
    const state = this.#state;
    const { height, round, step } = state;
    const { proposeMs, voteMs, roundDeltaMs, timeoutMaxMs, retransmitMs } = state.settings.timing;
    const slot = `${height}/${round}`;
    const votes = this.#started && state.mayVote;
    const wait = (base: number): number => Math.min(base + round * roundDeltaMs, timeoutMaxMs);
    this.#setTimer("propose", votes && this.#isDue && step === "propose" ? slot : "", wait(proposeMs));
    this.#setTimer("prevote", votes && step === "prevote" && this.#waits.has("prevote") ? slot : "", wait(voteMs));
    this.#setTimer("precommit", votes && this.#waits.has("precommit") ? slot : "", wait(voteMs));
    const said = this.#started && Object.keys(state.sent).length > 0;
    const growth = Math.min(2 ** this.#retransmits, RETRANSMIT_GROWTH_MAX);
    this.#setTimer("retransmit", said ? `${slot}/${this.#retransmits}` : "", retransmitMs * growth);
  }

  #setTimer(name: TimerName, wanted: string, delayMs: number): void {
    if (wanted === (this.#timers.get(name) ?? "")) return;
    this.#state.emit(wanted === "" ? { type: "cancel-timer", name } : { type: "set-timer", name, delayMs });
    if (wanted === "") this.#timers.delete(name);
    else this.#timers.set(name, wanted);
  }
}

function isTendermint(message: ConsensusMessage): message is TendermintMessage {
  return TYPES.has(message.type);
}
