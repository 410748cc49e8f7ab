import { type EngineName, findMember, LIMITS, type NodeId, type SignatureClaim, totalWeight, weightOf } from "#base";
import type { Proposal, Tip } from "./block.ts";
import type { CoreOptions } from "./core.ts";
import { CoreState, type ProposalCheck } from "./core-state.ts";
import { LaterMessages } from "./later-messages.ts";
import type { ConsensusMessage } from "./messages.ts";
import type { SignIntent } from "./vote-guard.ts";

/** The decisions on which safety stands in both engines with signed votes. */
export interface VotingRules {
  /** Whether the weight decides. */
  isQuorum(weight: number, total: number): boolean;
  /** Whether a decided block's certificate has to be a quorum's. */
  readonly checksCertificates: boolean;
  /** Whether a read waits until a quorum named its heights (docs/protocols/pbft.md, R1). */
  readonly confirmsReads: boolean;
}

/** What does not change while a core with signed votes runs. */
export interface VotingSettings extends Omit<CoreOptions, "tip" | "restored"> {
  readonly engine: EngineName;
  readonly rules: VotingRules;
  readonly timing: { readonly retransmitMs: number };
}

/** What the cores with signed votes share: the tip, checks and signatures that are under way, and messages that came too early. */
export abstract class VotingState<S extends VotingSettings = VotingSettings> extends CoreState {
  readonly settings: S;
  /** The weight of all members. */
  readonly total: number;
  tip: Tip;
  /** Work waits that a leader should be ordering. */
  pending: boolean = false;
  /** Learners and those who left follow, and promise nothing. */
  readonly #isMember: boolean;
  readonly #later: LaterMessages;

  /** @param options.laterPerSenderMax how many messages of one sender are kept for later heights or views */
  constructor(settings: S, tip: Tip, options: { readonly laterPerSenderMax: number }) {
    super();
    this.settings = settings;
    this.total = totalWeight(settings.membership);
    this.#isMember = findMember(settings.membership, settings.self) !== undefined;
    this.tip = tip;
    this.#later = new LaterMessages(options.laterPerSenderMax);
  }

  /** The lowest undecided height. */
  get height(): number {
    return this.tip.height + 1;
  }

  get epoch(): number {
    return this.settings.membership.epoch;
  }

  /** True for heights at which this core may still do something: answers about others are dropped. */
  abstract isInWindow(height: number): boolean;

  /** Makes the decided block the tip; what belonged to its height goes. */
  abstract moveTo(tip: Tip): void;

  /** True when the weight is a quorum's. */
  isEnough(weight: number): boolean {
    return this.settings.rules.isQuorum(weight, this.total);
  }

  isQuorum(nodes: Iterable<NodeId>): boolean {
    return this.isEnough(weightOf(this.settings.membership, nodes));
  }

  /** True when nothing that this node promised or decided is forgotten (vote guard, rule G3). */
  get remembers(): boolean {
    return this.participatesAbove !== undefined && this.height > this.participatesAbove;
  }

  /** True when this node's word counts: it is a member that remembers. */
  get participates(): boolean {
    return this.#isMember && this.remembers;
  }

  /** True when this node is a member, and the vote guard's floor and the epoch's end let it sign at the height. */
  mayVote(height: number = this.height): boolean {
    const { participatesAbove, lastHeight } = this;
    return this.#isMember && participatesAbove !== undefined && height > participatesAbove && height <= lastHeight;
  }

  /**
   * Asks for signatures to be checked; the answer is dropped when the height was decided meanwhile. False when too many checks are under way:
   * that is no verdict, and whoever asked asks again later (pbft rule P5).
   */
  verify(claims: readonly SignatureClaim[], then: (valid: boolean) => void, height: number = this.height): boolean {
    if (this.unanswered >= LIMITS.pendingVerificationsMax) return false;
    const id = this.ask((verdicts: readonly boolean[]) => {
      if (this.isInWindow(height)) then(verdicts.length === claims.length && verdicts.every(Boolean));
    });
    this.emit({ type: "verify", id, claims });
    return true;
  }

  override validate(proposal: Proposal, check: ProposalCheck, then: (valid: boolean) => void): void {
    super.validate(proposal, check, (valid) => {
      if (this.isInWindow(proposal.header.height)) then(valid);
    });
  }

  /**
   * Asks for a signature of this node; nothing happens below its floor, or when the guard refuses.
   * @param ifDecided runs instead when the height was decided meanwhile: others may need the vote that this node did not
   */
  sign(
    intent: Omit<SignIntent, "epoch">,
    body: Uint8Array,
    then: (signature: Uint8Array) => void,
    ifDecided?: (signature: Uint8Array) => void,
  ): void {
    const { purpose, height, view, phase, digest } = intent;
    if (!this.mayVote(height)) return;
    const id = this.ask((signature: Uint8Array | undefined) => {
      if (signature === undefined) return;
      if (this.isInWindow(height)) then(signature);
      else if (height <= this.tip.height) ifDecided?.(signature);
    });
    this.emit({ type: "sign", id, intent: { purpose, epoch: this.epoch, height, view, phase, digest }, body });
  }

  /** Keeps a message of a later height or view. */
  keepForLater(from: NodeId, message: ConsensusMessage): void {
    this.#later.add(from, message);
  }

  takeLater(): [NodeId, ConsensusMessage][] {
    return this.#later.take();
  }
}
