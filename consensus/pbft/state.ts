import { type Hash, invariant, leaderOf, type NodeId, type VoteType } from "#base";
import type { Ballot } from "../ballot.ts";
import type { Proposal, Tip } from "../block.ts";
import { voteClaim } from "../certificates.ts";
import { Patience } from "../patience.ts";
import { type VotingSettings, VotingState } from "../voting-state.ts";
import type { NewView, ViewChange } from "./messages.ts";
import { NEW_VIEW_KEY, proposalKey, readKey } from "./records.ts";
import type { PbftRules, PbftTiming } from "./rules.ts";
import { Slot } from "./slot.ts";
import { ViewChanges } from "./view-changes.ts";

/** Messages of one sender kept for later heights and views. */
const LATER_PER_SENDER_MAX = 48;

/** What the new-view of a view demands: digests for its height and the ones above, a chain. */
export interface Demand {
  readonly height: number;
  readonly view: number;
  readonly digests: readonly Hash[];
}

/** What does not change while a core runs. */
export interface PbftSettings extends VotingSettings {
  readonly engine: "pbft";
  readonly rules: PbftRules;
  readonly timing: PbftTiming;
}

/** The state of one core, and the small operations that all handlers share. Mutable and private to the core. */
export class PbftState extends VotingState<PbftSettings> {
  view: number = 0;
  /** A view is asked for and not yet established. */
  changing: boolean = false;
  /** The highest view that is established (rule V4). */
  establishedView: number = 0;
  demand: Demand | undefined;
  viewChanges: ViewChanges;
  /** Messages of the view itself, to be sent again as they are. */
  sent: { viewChange?: ViewChange; newView?: NewView } = {};
  /** Views in a row without a decision. */
  attempts: number = 0;
  /** Doublings of the timer that earlier view changes left behind: the network, or the load, was slower than the timer. */
  readonly patience: Patience = new Patience();
  readonly #slots = new Map<number, Slot>();

  constructor(settings: PbftSettings, tip: Tip) {
    super(settings, tip, { laterPerSenderMax: LATER_PER_SENDER_MAX });
    this.viewChanges = new ViewChanges(settings.membership);
  }

  get leader(): NodeId {
    return leaderOf(this.settings.membership, this.view);
  }

  get leads(): boolean {
    return this.leader === this.settings.self;
  }

  /** True when this node may vote in the current view (P1, V4). */
  get isOpen(): boolean {
    return !this.changing && this.establishedView === this.view;
  }

  /** True for the heights that are in flight. */
  override isInWindow(height: number): boolean {
    return height > this.tip.height && height <= this.tip.height + this.settings.window;
  }

  /** How long to wait for a decision before the leader is replaced, in milliseconds: doubled with each attempt, and slow to forget. */
  get progressDelayMs(): number {
    const { viewTimeoutMs, viewTimeoutMaxMs } = this.settings.timing;
    return Math.min(viewTimeoutMs * 2 ** Math.min(Math.max(this.attempts, this.patience.steps), 10), viewTimeoutMaxMs);
  }

  /** The slot of a height in the window. */
  slot(height: number = this.height): Slot {
    invariant(this.isInWindow(height), "a slot is in the window");
    const known = this.#slots.get(height);
    if (known !== undefined) return known;
    const { membership, rules } = this.settings;
    const slot = new Slot(height, { membership, isQuorum: (weight, total) => rules.isQuorum(weight, total) });
    this.#slots.set(height, slot);
    return slot;
  }

  /** The slots in the window of which something is known, in ascending height. */
  slots(): readonly Slot[] {
    const slots: Slot[] = [];
    const { height } = this;
    for (let at = height; at < height + this.settings.window; at++) {
      const slot = this.#slots.get(at);
      if (slot !== undefined) slots.push(slot);
    }
    return slots;
  }

  /** What a proposal at the height follows: the tip, or what is accepted below it in the present view; undefined while that is missing. */
  parentOf(height: number): Pick<Tip, "digest" | "timeUs"> | undefined {
    if (height === this.height) return this.tip;
    const below = this.#slots.get(height - 1)?.accepted;
    return below?.view === this.view ? { digest: below.proposal.digest, timeUs: below.proposal.header.timeUs } : undefined;
  }

  /** The digest that the view's new-view demands at a height, if it demands one (V6). */
  demandAt(height: number): Hash | undefined {
    const { demand, view } = this;
    return demand?.view === view && height >= demand.height ? demand.digests[height - demand.height] : undefined;
  }

  /** Lets go of the records that a decided, durable height has made needless; the new-view only when its view decided too (rule G2a). */
  forget(height: number): void {
    const keys = [...this.records].filter((key) => {
      if (key === NEW_VIEW_KEY) return height === this.tip.height && this.tip.view >= this.establishedView && this.#isDemandMet();
      return readKey(key).height <= height;
    });
    this.forgetRecords(keys);
  }

  /** Keeps a valid proposal; the record of one that makes room goes too. */
  keepBody(slot: Slot, proposal: Proposal): void {
    const dropped = slot.keepBody(proposal);
    if (dropped !== undefined) this.forgetRecords([proposalKey({ height: slot.height, digest: dropped })]);
  }

  ballot(slot: Slot, type: VoteType, view: number): Ballot {
    return slot.ballot(type, view, this.view);
  }

  verifyVote(
    vote: { readonly node: NodeId; readonly height: number; readonly view: number; readonly digest: Hash; readonly signature: Uint8Array },
    type: VoteType,
    then: (valid: boolean) => void,
  ): boolean {
    const { node, height, view, digest, signature } = vote;
    const slot = { epoch: this.epoch, height, view, digest };
    const claim = voteClaim(this.settings, { node, slot, type, signature });
    return claim !== undefined && this.verify([claim], then, height);
  }

  /** The view is established, and this node votes in it (V4). */
  enterView(view: number): void {
    this.#dropAccepted();
    this.view = view;
    this.changing = false;
    this.establishedView = view;
  }

  /** Asks for a higher view, and votes in no lower one any more (V1, V3). */
  leaveView(asked: number): void {
    this.#dropAccepted();
    this.view = asked;
    this.changing = true;
  }

  override moveTo(tip: Tip): void {
    invariant(tip.height === this.height, "heights are decided in order");
    this.#slots.delete(tip.height);
    this.tip = tip;
    this.viewChanges = new ViewChanges(this.settings.membership);
    const { newView } = this.sent;
    this.sent = newView === undefined ? {} : { newView };
    this.attempts = 0;
    this.patience.onDecided();
  }

  /** What was accepted or said in another view stands no more. */
  #dropAccepted(): void {
    for (const slot of this.slots()) slot.leaveView();
  }

  /** Nothing that the present view's new-view demands is still undecided: only then may it be forgotten. */
  #isDemandMet(): boolean {
    return this.demandAt(this.height) === undefined;
  }
}
