import { LIMITS, type NodeId } from "#base";
import type { DecidedBlockMessage } from "../messages.ts";
import { readProposal } from "../proposing.ts";
import type { LogPoint } from "./log.ts";
import type { Append } from "./messages.ts";
import { follows, namesCertified } from "./proposals.ts";
import type { RaftState } from "./state.ts";

/** Appends that wait while an entry is being validated: a window of them and the heartbeats between. */
const WAITING_MAX = 2 * LIMITS.windowMax;

/** What a follower does with its leader's appends, and with decided blocks: rules L1 to L5 and B1. */
export class Follower {
  readonly #state: RaftState;
  readonly #onDecided: () => void;
  readonly #onTerm: (term: number) => void;
  /** Appends of the present leader that came while an entry was being validated. */
  #waiting: [NodeId, Append][] = [];
  #validating = false;
  #checkingBlock = false;
  /** The newest height that was decided without its leader's word: from a peer's block, or before this core started. */
  #toldHeight: number;

  /** @param hooks.onDecided runs when the tip moved; `onTerm` takes on a later term that a decided block shows */
  constructor(state: RaftState, hooks: { onDecided(): void; onTerm(term: number): void }) {
    this.#state = state;
    this.#toldHeight = state.log.tip.height;
    this.#onDecided = () => hooks.onDecided();
    this.#onTerm = (term) => hooks.onTerm(term);
  }

  /** An append of this term's leader. */
  onAppend(from: NodeId, message: Append): void {
    const state = this.#state;
    if (!this.#validating) return this.#take(from, message);
    if (this.#waiting.length < WAITING_MAX && message.term === state.term) this.#waiting.push([from, message]);
    return undefined;
  }

  /**
   * A decided block (rule B1): peers that may only stop send no block that they have not decided; the chain of digests from this node's own tip
   * holds it in its place, and whatever contradicts it here was never committed.
   */
  onBlock(message: DecidedBlockMessage): void {
    const state = this.#state;
    const { certificate } = message;
    const proposal = readProposal(state.settings.hasher, { ...message, certifiedProof: new Uint8Array(0) });
    const { tip } = state.log;
    if (proposal === undefined || this.#checkingBlock || state.leads) return;
    const { height, originView } = proposal.header;
    const matches = certificate.height === height && certificate.view === originView && certificate.digest === proposal.digest;
    if (!matches || certificate.epoch !== state.epoch || certificate.votes.length > 0) return;
    if (height === tip.height && proposal.digest !== tip.digest && certificate.epoch === state.epoch) return this.#contradict();
    if (!follows(state, proposal, tip) || height > state.lastHeight) return;
    this.#checkingBlock = true;
    state.validate(proposal, "decided", (valid) => {
      this.#checkingBlock = false;
      if (!valid || proposal.header.parent !== state.log.tip.digest || state.leads) return;
      // The leader of an older term may hold another entry here and not know better: from now on it hears that its term is over.
      if (originView > state.term) this.#onTerm(originView);
      this.#toldHeight = height;
      state.decide(state.log.entry(height)?.digest === proposal.digest ? (state.log.entry(height) ?? proposal) : proposal);
      state.decideCommitted();
      this.#onDecided();
    });
  }

  #take(from: NodeId, message: Append): void {
    const state = this.#state;
    const { log, settings } = state;
    const { prevHeight, prevDigest } = message;
    // Below the tip everything is decided, so the leader has it too.
    if (prevHeight < log.tip.height) return this.#reply(from, message, { accepted: true, point: log.tip });
    if (message.commit > log.last.height) {
      state.emit({ type: "request-sync", fromHeight: log.tip.height + 1, peers: [from] });
    }
    const point = log.point(prevHeight);
    if (point === undefined) return this.#refuse(from, message, log.last);
    if (point.digest !== prevDigest && settings.rules.matchesPrevious) {
      if (prevHeight === log.tip.height) return this.#onOtherTip();
      return this.#refuse(from, message, this.#hint(point));
    }
    this.#advance(Math.min(message.commit, prevHeight));
    if (message.entry === undefined) return this.#reply(from, message, { accepted: true, point });
    return this.#onEntry(from, message, message.entry);
  }

  /** Rules L1 and L3: the entry is held already, or it is validated before it is appended and acknowledged. */
  #onEntry(from: NodeId, message: Append, body: NonNullable<Append["entry"]>): void {
    const state = this.#state;
    const { log } = state;
    const proposal = readProposal(state.settings.hasher, body);
    const below = log.point(message.prevHeight);
    if (proposal === undefined || below === undefined) return;
    const { height, originView } = proposal.header;
    if (originView > state.term || !follows(state, proposal, below)) return;
    const known = log.point(height);
    if (known?.digest === proposal.digest) return this.#acknowledge(from, message, known);
    if (known !== undefined && height <= state.commit) return this.#contradict();
    const accept = (): void => {
      if (log.last.height >= height) state.forgetEntries(log.truncate(height));
      state.appendEntry(proposal);
      this.#acknowledge(from, message, log.last);
    };
    // Above the epoch's end an entry is never executed: there is nothing to validate (rule J3).
    if (height > state.lastHeight) return proposal.batch.length === 0 ? accept() : undefined;
    if (!namesCertified(proposal, below)) return;
    const { term } = state;
    this.#validating = true;
    // An older term's entry may be one that everybody refused, its proposer's clock being wrong: a longer log wins elections, no matter what is in it.
    state.validate(proposal, originView === term ? "first-proposal" : "earlier-proposal", (valid) => {
      this.#validating = false;
      const stands = state.term === term && state.leader === from && log.point(height - 1)?.digest === proposal.header.parent;
      const isNew = log.point(height)?.digest !== proposal.digest && height > log.tip.height;
      if (valid && stands && isNew) accept();
      this.#resume();
    });
  }

  /** Takes what came while an entry was being validated, unless it is of another term by now. */
  #resume(): void {
    const state = this.#state;
    while (!this.#validating) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const [from, message] = next;
      if (message.term === state.term && state.leader === from) this.#take(from, message);
    }
  }

  #acknowledge(from: NodeId, message: Append, point: LogPoint): void {
    const { log, settings } = this.#state;
    if (!settings.rules.truncatesOnlyConflicts && log.last.height > point.height) this.#state.forgetEntries(log.truncate(point.height + 1));
    this.#reply(from, message, { accepted: true, point });
    this.#advance(Math.min(message.commit, point.height));
  }

  /** Rule L4: what the leader committed is committed here as far as the logs are known to agree. */
  #advance(commit: number): void {
    const state = this.#state;
    if (commit <= state.commit) return;
    state.commit = commit;
    if (state.decideCommitted()) this.#onDecided();
  }

  /** The point below the whole run of entries of the contradicting term: one answer skips the run (thesis section 3.5). */
  #hint(conflict: LogPoint): LogPoint {
    const { log } = this.#state;
    for (let { height } = conflict; height > log.tip.height; height--) {
      const below = log.point(height - 1);
      if (below !== undefined && below.term !== conflict.term) return below;
    }
    return log.tip;
  }

  /** Where the leader has only decided blocks left to send, they have to begin right above the tip. */
  #refuse(from: NodeId, message: Append, hint: LogPoint): void {
    this.#reply(from, message, { accepted: false, point: hint.height < message.commit ? this.#state.log.tip : hint });
  }

  #reply(from: NodeId, message: Append, answer: { readonly accepted: boolean; readonly point: LogPoint }): void {
    const state = this.#state;
    const { accepted, point } = answer;
    const { height, term: heightTerm } = point;
    const { participates: counts, incarnation } = state;
    const { round } = message;
    state.send(from, { type: "append-reply", accepted, height, heightTerm, round, counts, incarnation });
  }

  /**
   * What a leader committed is held by the leaders of later terms. A block that was told may be an older term's entry that a term decided which this node
   * does not know yet: its leader is over then, gets no answer, and a later block shows that term.
   */
  #onOtherTip(): void {
    if (this.#state.log.tip.height !== this.#toldHeight) this.#contradict();
  }

  #contradict(): void {
    this.#state.emit({ type: "halt", reason: "a peer's log contradicts what was decided here: more failed than crashes" });
  }
}
