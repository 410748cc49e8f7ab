import { type NodeId, SeededRandom } from "#base";
import type { Proposal } from "../block.ts";
import type { CoreOptions, TimerName } from "../core.ts";
import { CoreState } from "../core-state.ts";
import { Patience } from "../patience.ts";
import { encodeEntry, encodeHardState, encodeMemory } from "./codec.ts";
import { RaftLog } from "./log.ts";
import type { RaftMessage } from "./messages.ts";
import { entryKey, HARD_STATE_KEY, MEMORY_KEY, readEntryKey } from "./records.ts";
import type { LogEnd, RaftRules, RaftTiming } from "./rules.ts";
import { Voters } from "./voters.ts";

/** What does not change while a core runs. */
export interface RaftSettings extends Omit<CoreOptions, "restored"> {
  readonly rules: RaftRules;
  readonly timing: RaftTiming;
}

/** What a node is in its term. */
export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** A message without what every message says. */
type Unsent<M extends RaftMessage = RaftMessage> = M extends RaftMessage ? Omit<M, "epoch" | "term"> & { readonly term?: number } : never;

/** The state of one core, and the small operations that all handlers share. Mutable and private to the core. */
export class RaftState extends CoreState {
  readonly settings: RaftSettings;
  readonly log: RaftLog;
  readonly voters: Voters;
  readonly random: SeededRandom;
  readonly patience: Patience = new Patience();
  role: Role = "follower";
  term: number = 0;
  vote: NodeId | undefined;
  leader: NodeId | undefined;
  /** The highest height that is known to be committed. */
  commit: number;
  /** The highest height that is applied and durable. */
  applied: number;
  /** False while votes and acknowledgements of an earlier life may be forgotten (rule M2). */
  settled: boolean = true;
  /** Names this node's memory to leaders: another one once votes and acknowledgements may be forgotten, and else the same over restarts (rule M3). */
  incarnation: number;

  constructor(settings: RaftSettings) {
    const { tip, membership, rules, seed } = settings;
    super();
    this.settings = settings;
    this.log = new RaftLog(tip, membership.epoch);
    this.voters = new Voters(membership, rules);
    this.random = new SeededRandom(seed, "raft");
    this.incarnation = seed;
    this.term = this.log.tip.term;
    this.commit = tip.height;
    this.applied = tip.height;
  }

  get self(): NodeId {
    return this.settings.self;
  }

  get epoch(): number {
    return this.settings.membership.epoch;
  }

  /** Everything that this node promised in the epoch lies above. */
  get epochFirstHeight(): number {
    const { epochFirstHeight, tip } = this.settings;
    return epochFirstHeight ?? (tip.certificate?.epoch === this.epoch ? 1 : tip.height + 1);
  }

  get leads(): boolean {
    return this.role === "leader";
  }

  get end(): LogEnd {
    const { height, term } = this.log.last;
    return { lastHeight: height, lastTerm: term };
  }

  /** Silence after which a leader is given up, in milliseconds: longer while the network is slower than the timers (rule E8). */
  get electionTimeoutMs(): number {
    return this.settings.timing.electionTimeoutMs * 2 ** this.patience.steps;
  }

  /** True when this node's votes and acknowledgements count (rule M1). */
  get participates(): boolean {
    return this.settled && this.participatesAbove !== undefined && this.log.tip.height >= this.participatesAbove;
  }

  /** The other voters. */
  others(): readonly NodeId[] {
    return this.voters.all().filter((node) => node !== this.self);
  }

  send(to: NodeId, message: Unsent): void {
    this.emit({ type: "send", to, message: { epoch: this.epoch, ...message, term: message.term ?? this.term } as RaftMessage });
  }

  setTimer(name: TimerName, delayMs: number): void {
    this.emit({ type: "set-timer", name, delayMs });
  }

  /** Takes on a term and a vote; both are durable before anything that follows leaves (rule E2). */
  promise(term: number, vote: NodeId | undefined): void {
    this.term = term;
    this.vote = vote;
    if (this.settings.rules.persistsVote) this.keepPromise();
  }

  keepPromise(): void {
    const { term, vote, settled } = this;
    this.append(HARD_STATE_KEY, encodeHardState({ term, vote, settled }), { promise: true });
  }

  /** Writes what this core holds in memory, once more or for the first time: whoever asks under a name keeps it (rule M3). */
  keepAll(): void {
    this.append(MEMORY_KEY, encodeMemory(this.incarnation));
    this.keepPromise();
    for (const proposal of this.log.entries) this.append(entryKey(proposal.header.height), encodeEntry(proposal), { promise: true });
  }

  /** Appends an entry to log and write-ahead log: an acknowledgement is a promise like a vote. */
  appendEntry(proposal: Proposal): void {
    this.log.append(proposal);
    this.append(entryKey(proposal.header.height), encodeEntry(proposal), { promise: true });
  }

  /** Lets the records of the heights go, in the batch of the append that follows. */
  forgetEntries(heights: readonly number[]): void {
    this.forgetRecords(heights.map(entryKey));
  }

  /** The block of the height is durable: entries up to there are not needed again. */
  onApplied(height: number): void {
    this.applied = Math.max(this.applied, height);
    const heights = [...this.records].flatMap((key) => readEntryKey(key) ?? []);
    this.forgetEntries(heights.filter((entry) => entry <= height));
  }

  /** Decides what is committed, in order; but not before the end of the epoch could have become known (rule J2). */
  decideCommitted(): boolean {
    const { log, settings } = this;
    let decided = false;
    for (let next = log.tip.height + 1; next <= Math.min(this.commit, this.lastHeight, this.applied + settings.window); next++) {
      const proposal = log.entry(next);
      if (proposal === undefined) break;
      this.decide(proposal);
      decided = true;
    }
    return decided;
  }

  /** Rule C3: the certificate names the entry's own term, so that all nodes write the same one. */
  decide(proposal: Proposal): void {
    const { height, originView } = proposal.header;
    this.forgetEntries(this.log.decide(proposal));
    this.commit = Math.max(this.commit, height);
    this.patience.onDecided();
    const certificate = { epoch: this.epoch, height, view: originView, digest: proposal.digest, votes: [] };
    this.emit({ type: "decide", proposal, certificate });
  }
}
