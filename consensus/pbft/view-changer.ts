import { type Hash, leaderOf, type NodeId, toHash } from "#base";
import type { FetchProposal, ProposalBody } from "../messages.ts";
import { readProposal } from "../proposing.ts";
import { newViewClaims, newViewSignedBody, newViewStatement, viewChangeClaims, viewChangeSignedBody } from "./certificates.ts";
import { encodePbftMessage } from "./codec.ts";
import type { NewView, ViewChange } from "./messages.ts";
import type { NormalCase } from "./normal-case.ts";
import { NEW_VIEW_KEY } from "./records.ts";
import type { Slot } from "./slot.ts";
import type { PbftState } from "./state.ts";

/** Replaces leaders: rules V1 to V9. */
export class ViewChanger {
  readonly #state: PbftState;
  readonly #normal: NormalCase;
  readonly #onEntered: () => void;
  #newViewSigned = "";

  /** @param onEntered runs when a view was established and entered */
  constructor(state: PbftState, normal: NormalCase, onEntered: () => void) {
    this.#state = state;
    this.#normal = normal;
    this.#onEntered = onEntered;
  }

  /**
   * True when a quorum has left the views below the one that this node asks for: only then is it fair to give up on its leader. Members that
   * went further count too, or those behind would wait for them for ever.
   */
  get isAwaitingLeader(): boolean {
    const { view, viewChanges, changing } = this.#state;
    return changing && this.#state.isQuorum(viewChanges.supporters(view));
  }

  /** Asks for a view, if it is above the present one (V1). */
  start(view: number): void {
    const state = this.#state;
    if (!state.mayVote() || view <= state.view) return;
    state.leaveView(view);
    state.attempts += 1;
    state.sent = {};
    this.send();
  }

  /** Signs and sends the view change of the present height and view, again for a new height (V3). */
  send(): void {
    const state = this.#state;
    const { settings, height, view, tip } = state;
    const prepared = state.slots().flatMap((slot) => slot.prepared ?? []);
    const { self, membership, hasher } = settings;
    const unsigned = { type: "view-change" as const, epoch: membership.epoch, height, view, sender: self, parent: tip.digest, prepared };
    const body = viewChangeSignedBody(settings, unsigned);
    state.sign({ purpose: "view-change", height, view, phase: 0, digest: toHash(hasher.sha256(body)) }, body, (signature) => {
      if (state.view !== view || !state.changing) return;
      const message: ViewChange = { ...unsigned, signature, ...(tip.certificate && { tip: tip.certificate }) };
      state.sent.viewChange = message;
      state.broadcast(message);
      state.viewChanges.add(message);
      this.#tryNewView();
    });
  }

  onViewChange(from: NodeId, message: ViewChange): void {
    const state = this.#state;
    if (message.sender !== from || from === state.settings.self) return;
    if (message.view <= state.establishedView) return this.#helpIntoView(from, message);
    if (message.parent !== state.tip.digest || !state.viewChanges.isNews(message)) return;
    const claims = viewChangeClaims(message, state.settings);
    if (claims === undefined) return;
    const { height } = state;
    state.verify(claims, (genuine) => {
      if (!genuine || state.height !== height) return;
      state.viewChanges.add(message);
      const join = state.viewChanges.viewToJoin(state.view, state.settings.self);
      if (join !== undefined) this.start(join);
      this.#tryNewView();
    });
  }

  /** A new-view of this height or a lower one (V5, V8). */
  onNewView(from: NodeId, message: NewView): void {
    const state = this.#state;
    const { settings } = state;
    const { view } = message;
    if (from !== leaderOf(settings.membership, view) || !this.#isWanted(view)) return;
    if (!settings.rules.verifiesNewViews) return this.#enter(message);
    // What the leader itself sent does not prove its view, and nothing that it may still send is worth waiting for (V5).
    const doubt = (): void => {
      if (view === state.view && state.changing) this.start(view + 1);
    };
    const claims = newViewClaims(message, settings);
    if (claims === undefined) return doubt();
    state.verify(claims, (genuine) => {
      if (!this.#isWanted(view)) return;
      if (genuine) this.#enter(message);
      else doubt();
    });
  }

  /** Whether a new-view of the view says something new: it establishes the view, or this node entered it by a certificate and knows no demand (V4). */
  #isWanted(view: number): boolean {
    const { establishedView, demand } = this.#state;
    if (view < this.#state.view || view === 0) return false;
    return view > establishedView || (view === establishedView && demand?.view !== view);
  }

  onFetch(from: NodeId, message: FetchProposal): void {
    const state = this.#state;
    const { height, digest } = message;
    if (height < state.height) return state.emit({ type: "send-block", to: from, height });
    const body = state.isInWindow(height) ? state.slot(height).body(digest) : undefined;
    if (body === undefined) return;
    const { headerBytes, certifiedProof, batch } = body;
    state.emit({ type: "send", to: from, message: { type: "proposal-body", height, headerBytes, certifiedProof, batch } });
  }

  /** A body that the new-view demands and this leader did not have (V7). */
  onBody(message: ProposalBody): void {
    const state = this.#state;
    if (!state.isInWindow(message.height)) return;
    const slot = state.slot(message.height);
    const proposal = readProposal(state.settings.hasher, message);
    if (proposal?.header.height !== message.height || !this.#needs(slot, proposal.digest)) return;
    state.validate(proposal, "re-proposal", (valid) => {
      if (!valid || !this.#needs(slot, proposal.digest)) return;
      state.keepBody(slot, proposal);
      this.#tryNewView();
      this.proposeDemanded();
    });
  }

  /** Waits no longer for a body, or for another's view change that does without it. */
  insist(): void {
    this.#tryNewView({ mayWait: false });
    this.proposeDemanded();
  }

  /** Proposes what the new-view demands, from the lowest height upwards, as soon as its body is here. */
  proposeDemanded(): void {
    const state = this.#state;
    if (!state.leads || !state.isOpen) return;
    for (let { height } = state; state.isInWindow(height); height++) {
      const demanded = state.demandAt(height);
      if (demanded === undefined) return;
      const slot = state.slot(height);
      if (slot.accepted !== undefined) continue;
      if (slot.candidate !== undefined || state.parentOf(height) === undefined) return;
      const body = slot.body(demanded);
      if (body === undefined) return state.broadcast({ type: "fetch-proposal", height, digest: demanded });
      this.#normal.propose(body);
    }
  }

  /** Whether this leader lacks a body that its new-view demands, or that a view change for its view is about. */
  #needs(slot: Slot, digest: Hash): boolean {
    const state = this.#state;
    const { height } = slot;
    if (!state.leads || slot.body(digest) !== undefined) return false;
    if (!state.changing) return state.demandAt(height) === digest;
    return state.viewChanges
      .for(state.view)
      .some(({ prepared }) => prepared.some((item) => item.height === height && item.digest === digest));
  }

  /**
   * The view changes of this leader's new-view, once there are enough: those about bodies that it holds, if they are a quorum's. Whatever was decided is
   * in those of every quorum; and a liar's certificate for a block that nobody else holds any more must not stop one view after the other (V7).
   */
  #chooseViewChanges({ mayWait }: { readonly mayWait: boolean }): readonly ViewChange[] | undefined {
    const state = this.#state;
    const all = state.viewChanges.for(state.view);
    const isEnough = (some: readonly ViewChange[]): boolean => {
      const senders = some.map(({ sender }) => sender);
      return senders.includes(state.settings.self) && state.isQuorum(senders);
    };
    const missing = all.flatMap(({ prepared }) => prepared.filter(({ height, digest }) => state.slot(height).body(digest) === undefined));
    const held = all.filter(({ prepared }) => !prepared.some((certificate) => missing.includes(certificate)));
    if (isEnough(held)) return held;
    if (!isEnough(all)) return undefined;
    if (!mayWait) return all;
    for (const { height, digest } of missing) state.broadcast({ type: "fetch-proposal", height, digest });
    return undefined;
  }

  /** @param options.mayWait that the bodies come, or view changes that do without them */
  #tryNewView(options: { readonly mayWait: boolean } = { mayWait: true }): void {
    const state = this.#state;
    const { settings, view, height } = state;
    const slot = `${height}/${view}`;
    if (!state.changing || !state.leads || this.#newViewSigned === slot) return;
    const viewChanges = this.#chooseViewChanges(options);
    if (viewChanges === undefined) return;
    this.#newViewSigned = slot;
    const unsigned = { epoch: settings.membership.epoch, height, view, viewChanges };
    const body = newViewSignedBody(settings.cluster, unsigned);
    const digest: Hash = toHash(settings.hasher.sha256(body));
    state.sign({ purpose: "new-view", height, view, phase: 0, digest }, body, (signature) => {
      if (state.view !== view || !state.changing) return;
      const message: NewView = { type: "new-view", ...unsigned, signature };
      state.sent.newView = message;
      state.broadcast(message);
      this.#enter(message);
    });
  }

  /** The view is established; what it demands at this height is recomputed here (V4, V6). */
  #enter(message: NewView): void {
    const state = this.#state;
    const { rules } = state.settings;
    const { view, height } = message;
    this.#show(message);
    const viewChanges = rules.demandsByNewView ? message.viewChanges : state.viewChanges.for(view);
    state.append(NEW_VIEW_KEY, encodePbftMessage(message));
    if (view > state.establishedView) {
      state.enterView(view);
      state.sent = state.sent.newView?.view === view ? { newView: state.sent.newView } : {};
    }
    state.demand = { height, view, digests: rules.demandedChain(viewChanges) };
    this.proposeDemanded();
    this.#normal.offer();
    this.#onEntered();
  }

  /** Tells everybody what the leader signed: it may have told others something else. */
  #show(message: NewView): void {
    const { epoch, view, signature } = message;
    const { membership, self } = this.#state.settings;
    if (leaderOf(membership, view) === self) return;
    this.#state.broadcast({ type: "heard-new-view", epoch, ...newViewStatement(message), signature });
  }

  /** Somebody asks for a view that is established here: its new-view may have been lost on the way. */
  #helpIntoView(from: NodeId, message: ViewChange): void {
    const { newView } = this.#state.sent;
    if (newView !== undefined && newView.view >= message.view) this.#state.emit({ type: "send", to: from, message: newView });
  }
}
