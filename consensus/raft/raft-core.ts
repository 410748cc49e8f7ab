import { LIMITS, type NodeId, totalWeight, unreachable, weightOf } from "#base";
import type { Core, CoreOptions, CoreSnapshot, Effect, Input, TimerName } from "../core.ts";
import type { ConsensusMessage } from "../messages.ts";
import { raftCodec } from "./codec.ts";
import { Election } from "./election.ts";
import { Follower } from "./follower.ts";
import { Leader } from "./leader.ts";
import type { Append, RaftMessage } from "./messages.ts";
import { Reads } from "./reads.ts";
import { Recall } from "./recall.ts";
import { restoreRecords } from "./restore.ts";
import { RAFT_TIMING, type RaftRules, type RaftTiming, raftRules } from "./rules.ts";
import { RaftState } from "./state.ts";

/** Quorum checks without a commit after which a leader makes room: followers may refuse what it proposed, its clock being wrong. */
const STALLED_CHECKS_MAX = 4;

/** What a raft core is made from. */
export interface RaftOptions extends CoreOptions {
  readonly timing?: Partial<RaftTiming>;
  readonly rules?: RaftRules;
}

/**
 * Raft with hash-chained blocks as its log, by the rules of docs/protocols/raft.md. It tolerates crashes only.
 * Source: Ongaro, Consensus: Bridging Theory and Practice, 2014; the differences are written down there.
 */
export function createRaftCore(options: RaftOptions): Core {
  return new RaftCore(options);
}

class RaftCore implements Core {
  readonly #state: RaftState;
  readonly #election: Election;
  readonly #leader: Leader;
  readonly #follower: Follower;
  readonly #reads: Reads;
  readonly #recall: Recall;
  /** Quorum checks in a row at which this leader had committed nothing more, though it had entries. */
  #stalled = 0;
  #commitBefore = 0;

  constructor(options: RaftOptions) {
    const { cluster, self, membership, protocol, window, hasher, seed, tip, epochFirstHeight, restored, rules = raftRules } = options;
    const timing = options.timing === undefined ? RAFT_TIMING : { ...RAFT_TIMING, ...options.timing };
    const first = epochFirstHeight === undefined ? {} : { epochFirstHeight };
    const state = new RaftState({ cluster, self, membership, protocol, window, hasher, seed, tip, rules, timing, ...first });
    this.#state = state;
    this.#leader = new Leader(state, { onRound: () => this.#reads.check(), onDecided: () => this.#onDecided() });
    this.#reads = new Reads(state, this.#leader);
    this.#follower = new Follower(state, {
      onDecided: () => this.#onDecided(),
      onTerm: (term) => this.#election.follow(term, undefined),
    });
    this.#recall = new Recall(state, () => this.#election.onParticipate());
    this.#election = new Election(state, {
      onElected: () => {
        this.#stalled = 0;
        this.#commitBefore = state.commit;
        this.#leader.begin();
        this.#reads.check();
      },
      onDeposed: () => {
        this.#leader.end();
        this.#reads.abandon();
      },
    });
    restoreRecords(state, restored);
  }

  step(input: Input): readonly Effect[] {
    this.#dispatch(input);
    return this.#state.takeEffects();
  }

  snapshot(): CoreSnapshot {
    const state = this.#state;
    const { membership } = state.settings;
    const present = this.#present();
    const waits = state.role !== "follower" && (!state.leads || state.log.entries.length > 0);
    return {
      epoch: state.epoch,
      height: state.log.tip.height + 1,
      view: state.term,
      leader: state.leader,
      phase: this.#phase(),
      participates: state.participates,
      waitingFor: this.#recall.isAsking ? this.#recall.missing : waits ? state.voters.all().filter((id) => !present.includes(id)) : [],
      weightPresent: weightOf(membership, present),
      weightNeeded: Math.floor(totalWeight(membership) / 2) + 1,
    };
  }

  #dispatch(input: Input): void {
    const state = this.#state;
    switch (input.type) {
      case "start":
        this.#recall.begin();
        return this.#election.begin();
      case "message":
        return this.#onMessage(input.from, input.message);
      case "validated":
        return state.answer(input.id, input.valid);
      case "timer":
        return this.#onTimer(input.name);
      case "propose":
        return this.#leader.onDraft(input.draft);
      case "suspect":
        return input.view === state.term ? this.#election.suspect() : undefined;
      case "applied":
        state.onApplied(input.height);
        return state.decideCommitted() ? this.#onDecided() : undefined;
      case "last-height":
        state.lastHeight = input.height;
        state.voters.join(input.next);
        if (state.leads) this.#leader.onVoters();
        return this.#leader.offer();
      case "transfer":
        return this.#leader.transfer(input.to);
      case "read":
        return this.#reads.onRead(input.id);
      case "participate":
        return this.#onParticipate(input.above);
      case "pending":
      case "verified":
      case "signed":
        // A leader shows by its heartbeats that it is there, and nothing is signed.
        return undefined;
      default:
        return unreachable(input);
    }
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    if (message.type === "block") return this.#follower.onBlock(message);
    return isRaft(message) ? this.#onProtocolMessage(from, message) : undefined;
  }

  /** Epoch, sender and term before anything else: rule E7. */
  #onProtocolMessage(from: NodeId, message: RaftMessage): void {
    const state = this.#state;
    const { epoch, term } = message;
    const isFar = term > state.term + LIMITS.viewAheadMax;
    if (epoch > state.epoch || isFar) state.emit({ type: "request-sync", fromHeight: state.log.tip.height + 1, peers: [from] });
    if (epoch !== state.epoch || from === state.self || !state.voters.has(from)) return undefined;
    if (message.type === "recall-request") {
      this.#leader.onRecall(from, message.incarnation);
      return this.#recall.onRequest(from, message);
    }
    if (message.type === "recall-reply") return this.#recall.onReply(from, message);
    if (isFar) return this.#onFarTerm(from, message);
    if (term > state.term && !this.#onHigherTerm(from, message)) return undefined;
    if (term < state.term) return this.#onLowerTerm(from, message);
    return this.#onTermed(from, message);
  }

  /** Takes on the term unless nobody began it yet, or this node hears its leader. False when the message is not looked at. */
  #onHigherTerm(from: NodeId, message: RaftMessage): boolean {
    const { type } = message;
    if (type === "vote-request" && message.pre) return true;
    if (type === "vote-reply" && message.pre && message.granted) return true;
    if (type === "vote-request" && this.#election.isSticky && !message.transfer) return false;
    this.#election.follow(message.term, type === "append" ? from : undefined);
    return true;
  }

  /** One step towards a term that is far ahead: blocks tell of no term in which nothing was decided, and who asks for votes needs them. */
  #onFarTerm(from: NodeId, message: RaftMessage): void {
    if (message.type === "vote-request" && message.pre) return this.#election.onRequest(from, message);
    const isIgnored = message.type === "vote-request" && this.#election.isSticky && !message.transfer;
    if (!isIgnored) this.#election.follow(this.#state.term + LIMITS.viewAheadMax, undefined);
    return undefined;
  }

  /** Whoever is behind hears of the term, or it would wait for ever for one who cannot follow it any more. */
  #onLowerTerm(from: NodeId, message: RaftMessage): void {
    const state = this.#state;
    const { height, term: heightTerm } = state.log.tip;
    if (message.type === "vote-request") return state.send(from, { type: "vote-reply", pre: message.pre, granted: false });
    if (message.type !== "append" || !state.settings.rules.answersLowerTerms) return undefined;
    const { round } = message;
    const { incarnation } = state;
    return state.send(from, { type: "append-reply", accepted: false, height, heightTerm, round, counts: false, incarnation });
  }

  #onTermed(from: NodeId, message: Exclude<RaftMessage, { type: "recall-request" | "recall-reply" }>): void {
    const state = this.#state;
    switch (message.type) {
      case "vote-request":
        return this.#election.onRequest(from, message);
      case "vote-reply":
        return this.#election.onReply(from, message);
      case "append":
        return this.#onAppend(from, message);
      case "append-reply":
        return state.leads ? this.#leader.onReply(from, message) : undefined;
      case "timeout-now":
        return from === state.leader ? this.#election.onTimeoutNow() : undefined;
      case "read-request":
        return this.#reads.onRequest(from, message);
      case "read-reply":
        return this.#reads.onReply(from, message);
      default:
        return unreachable(message);
    }
  }

  #onAppend(from: NodeId, message: Append): void {
    const state = this.#state;
    if (state.leads) return state.emit({ type: "halt", reason: "two nodes lead in one term: more failed than crashes" });
    this.#election.follow(message.term, from);
    return this.#follower.onAppend(from, message);
  }

  #onParticipate(above: number): void {
    const state = this.#state;
    const { rules } = state.settings;
    state.participate(above);
    // Without a floor everything that this node promised is in its log; below one that lies in an earlier epoch nothing was promised in this one (rule M2).
    if (above < state.epochFirstHeight || !rules.recallsBeforeVoting) state.settled = true;
    this.#recall.onParticipate();
    this.#election.onParticipate();
  }

  #onDecided(): void {
    this.#recall.check();
    this.#leader.offer();
    this.#reads.check();
  }

  #onTimer(name: TimerName): void {
    const state = this.#state;
    if (name === "retransmit") return this.#recall.ask();
    if (name === "progress") return this.#reads.onBound();
    if (name === "heartbeat") return state.leads ? this.#leader.onHeartbeat() : undefined;
    if (name !== "election") return undefined;
    return state.leads ? this.#onLeaderTimeout() : this.#election.onTimeout();
  }

  /** Rule E6: a leader that no quorum answers makes room. */
  #onLeaderTimeout(): void {
    const state = this.#state;
    const { rules } = state.settings;
    const isActive = this.#leader.countActive();
    this.#stalled = state.log.entries.length > 0 && state.commit === this.#commitBefore ? this.#stalled + 1 : 0;
    this.#commitBefore = state.commit;
    if (rules.checksQuorum && (!isActive || this.#stalled >= STALLED_CHECKS_MAX)) {
      this.#stalled = 0;
      return this.#election.follow(state.term, undefined);
    }
    state.setTimer("election", state.electionTimeoutMs);
    return this.#leader.offer();
  }

  #phase(): CoreSnapshot["phase"] {
    const { participates, leader, log } = this.#state;
    if (!participates) return "following";
    if (leader === undefined) return "changing-view";
    return log.entries.length > 0 ? "proposed" : "idle";
  }

  /** Voters heard of in the present phase. */
  #present(): readonly NodeId[] {
    const { role, leads, voters } = this.#state;
    if (leads) return this.#leader.upToDate;
    return role === "follower" ? voters.all() : this.#election.granted;
  }
}

const RAFT_TYPES: ReadonlySet<string> = new Set(raftCodec.types);

function isRaft(message: ConsensusMessage): message is RaftMessage {
  return RAFT_TYPES.has(message.type);
}
