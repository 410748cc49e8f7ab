import { type Hash, invariant, LIMITS, leaderOf, type NodeId, type SignatureClaim, totalWeight, type VoteType } from "#base";
import type { Proposal, Tip } from "../block.ts";
import { voteClaim } from "../certificates.ts";
import type { CoreOptions, Effect, SignIntent } from "../core.ts";
import type { ConsensusMessage } from "../messages.ts";
import { Ballot } from "./ballot.ts";
import type { NewView, PreparedCertificate, Propose, ViewChange, Vote } from "./messages.ts";
import { NEW_VIEW_KEY, readKey } from "./records.ts";
import type { PbftRules, PbftTiming } from "./rules.ts";
import { ViewChanges } from "./view-changes.ts";

/** Messages of one sender kept for later heights and views. */
const LATER_PER_SENDER_MAX = 16;
/** Ballots of one height: the current view's two, and a few of views whose commits may still decide. */
const BALLOTS_MAX = 16;

/** A proposal that this node accepted at the current height. */
export interface Accepted {
  readonly proposal: Proposal;
  readonly view: number;
  /** The leader's. */
  readonly signature: Uint8Array;
}

/** What this node sent at the current height, to be sent again as it is. */
export interface Sent {
  propose?: Propose;
  prepare?: Vote;
  commit?: Vote;
  viewChange?: ViewChange;
  newView?: NewView;
}

/** What does not change while a core runs. */
export interface PbftSettings extends Omit<CoreOptions, "tip" | "restored"> {
  readonly engine: "pbft";
  readonly rules: PbftRules;
  readonly timing: PbftTiming;
}

/** The state of one core, and the small operations that all handlers share. Mutable and private to the core. */
export class PbftState {
  readonly settings: PbftSettings;
  readonly total: number;
  tip: Tip;
  view: number = 0;
  /** A view is asked for and not yet established. */
  changing: boolean = false;
  /** The highest view that is established (rule V4). */
  establishedView: number = 0;
  /** What the new-view of (height, view) demands; an absent digest demands nothing. */
  demand: { readonly height: number; readonly view: number; readonly digest: Hash | undefined } | undefined;
  accepted: Accepted | undefined;
  /** A proposal whose signature or content is being checked, or our own being signed. */
  candidate: { readonly digest: Hash; readonly view: number; readonly signature: Uint8Array } | undefined;
  prepared: PreparedCertificate | undefined;
  /** Keys of the records in the write-ahead log. */
  readonly records: Set<string> = new Set();
  /** Valid proposals of this height by digest. */
  readonly bodies: Map<Hash, Proposal> = new Map();
  viewChanges: ViewChanges;
  sent: Sent = {};
  /** The epoch ends here: nothing is proposed or voted above. */
  lastHeight: number = Number.MAX_SAFE_INTEGER;
  /** Votes only above this height; nowhere while undefined. */
  participatesAbove: number | undefined;
  pending: boolean = false;
  /** Views in a row without a decision. */
  attempts: number = 0;
  readonly #ballots = new Map<string, Ballot>();
  readonly #later = new Map<NodeId, ConsensusMessage[]>();
  readonly #answers = new Map<number, (answer: never) => void>();
  #effects: Effect[] = [];
  #nextId = 1;

  constructor(settings: PbftSettings, tip: Tip) {
    this.settings = settings;
    this.total = totalWeight(settings.membership);
    this.tip = tip;
    this.viewChanges = new ViewChanges(settings.membership);
  }

  /** The height being decided. */
  get height(): number {
    return this.tip.height + 1;
  }

  get leader(): NodeId {
    return leaderOf(this.settings.membership, this.view);
  }

  get leads(): boolean {
    return this.leader === this.settings.self;
  }

  /** True when this node may vote in the current view at the current height (P1, V4). */
  get isOpen(): boolean {
    return !this.changing && this.establishedView === this.view;
  }

  /** True when the vote guard's floor and the epoch's end let this node sign at the current height. */
  get mayVote(): boolean {
    return this.participatesAbove !== undefined && this.height > this.participatesAbove && this.height <= this.lastHeight;
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** Appends a record; what it replaces is of the same key. */
  append(key: string, bytes: Uint8Array): void {
    this.records.add(key);
    this.emit({ type: "append", record: { key, bytes } });
  }

  /** Lets go of the records that a decided, durable height has made needless; the new-view only when its view decided too (rule G2a). */
  forget(height: number): void {
    const keys = [...this.records].filter((key) => {
      if (key === NEW_VIEW_KEY) return height === this.tip.height && this.tip.view >= this.establishedView;
      return readKey(key).height <= height;
    });
    for (const key of keys) this.records.delete(key);
    if (keys.length > 0) this.emit({ type: "forget", keys });
  }

  takeEffects(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  broadcast(message: ConsensusMessage): void {
    this.emit({ type: "broadcast", message });
  }

  isQuorum(weight: number): boolean {
    return this.settings.rules.isQuorum(weight, this.total);
  }

  ballot(type: VoteType, view: number): Ballot {
    const key = `${type}/${view}`;
    const known = this.#ballots.get(key);
    if (known !== undefined) return known;
    if (this.#ballots.size >= BALLOTS_MAX) this.#dropBallot();
    const ballot = new Ballot(this.settings.membership, this.settings.rules.isQuorum);
    this.#ballots.set(key, ballot);
    return ballot;
  }

  /**
   * Asks for signatures to be checked; the answer is dropped when the height was decided meanwhile. False when too many checks are under way:
   * that is no verdict, and whoever asked asks again later (rule P5).
   */
  verify(claims: readonly SignatureClaim[], then: (valid: boolean) => void): boolean {
    if (this.#answers.size >= LIMITS.pendingVerificationsMax) return false;
    const { height } = this;
    const id = this.#ask((verdicts: readonly boolean[]) => {
      if (this.height === height) then(verdicts.length === claims.length && verdicts.every(Boolean));
    });
    this.emit({ type: "verify", id, claims });
    return true;
  }

  verifyVote(
    vote: { readonly node: NodeId; readonly view: number; readonly digest: Hash; readonly signature: Uint8Array },
    type: VoteType,
    then: (valid: boolean) => void,
  ): boolean {
    const slot = { epoch: this.settings.membership.epoch, height: this.height, view: vote.view, digest: vote.digest };
    const claim = voteClaim(this.settings, { node: vote.node, slot, type, signature: vote.signature });
    return claim !== undefined && this.verify([claim], then);
  }

  validate(proposal: Proposal, check: "first-proposal" | "re-proposal" | "decided", then: (valid: boolean) => void): void {
    const { height } = this;
    const id = this.#ask((valid: boolean) => {
      if (this.height === height) then(valid);
    });
    this.emit({ type: "validate", id, proposal, check });
  }

  /** Asks for a signature of this node; nothing happens below its floor, or when the guard refuses. */
  sign(intent: Omit<SignIntent, "epoch" | "height">, body: Uint8Array, then: (signature: Uint8Array) => void): void {
    if (!this.mayVote) return;
    const { height } = this;
    const id = this.#ask((signature: Uint8Array | undefined) => {
      if (signature !== undefined && this.height === height) then(signature);
    });
    this.emit({ type: "sign", id, intent: { ...intent, epoch: this.settings.membership.epoch, height }, body });
  }

  /** Gives an answer of the driver to whoever asked. */
  answer(id: number, value: readonly boolean[] | boolean | Uint8Array | undefined): void {
    const then = this.#answers.get(id) as ((answer: typeof value) => void) | undefined;
    if (then === undefined) return;
    this.#answers.delete(id);
    then(value);
  }

  /** Keeps a message of a later height or view; the oldest of a sender makes room. */
  keepForLater(from: NodeId, message: ConsensusMessage): void {
    const kept = this.#later.get(from) ?? [];
    if (kept.length >= LATER_PER_SENDER_MAX) kept.shift();
    kept.push(message);
    this.#later.set(from, kept);
  }

  takeLater(): [NodeId, ConsensusMessage][] {
    const kept = [...this.#later].flatMap(([from, messages]) => messages.map((message): [NodeId, ConsensusMessage] => [from, message]));
    this.#later.clear();
    return kept;
  }

  /** Moves to the next height; what belonged to the decided one goes. */
  moveTo(tip: Tip): void {
    invariant(tip.height === this.height, "heights are decided in order");
    this.tip = tip;
    this.accepted = undefined;
    this.candidate = undefined;
    this.prepared = undefined;
    this.demand = undefined;
    this.bodies.clear();
    this.viewChanges = new ViewChanges(this.settings.membership);
    this.#ballots.clear();
    const { newView } = this.sent;
    this.sent = newView === undefined ? {} : { newView };
    this.attempts = 0;
  }

  #ask<T>(then: (answer: T) => void): number {
    const id = this.#nextId++;
    this.#answers.set(id, then as (answer: never) => void);
    return id;
  }

  /** A Byzantine member may vote in many views; ballots of other views than the current make room, fewest voters first. */
  #dropBallot(): void {
    const current = `/${this.view}`;
    const others = [...this.#ballots].filter(([key]) => !key.endsWith(current));
    others.sort(([, a], [, b]) => a.voters().length - b.voters().length);
    const [first] = others;
    if (first !== undefined) this.#ballots.delete(first[0]);
  }
}
