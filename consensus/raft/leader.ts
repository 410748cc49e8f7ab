import type { NodeId } from "#base";
import type { ProposalDraft } from "../block.ts";
import type { AppendReply } from "./messages.ts";
import { newProgress, type Progress } from "./progress.ts";
import { closingEntry, proposalOf, slotKey } from "./proposals.ts";
import type { RaftState } from "./state.ts";

/** Names of lost memories kept for each node: each cost a start with nothing, and late copies of messages are not that old. */
const MEMORIES_MAX = 16;

/** What a leader does: proposing, replication, commits, handing over. Rules L6, C1, C2, C4, J3, T1. */
export class Leader {
  readonly #state: RaftState;
  readonly #onRound: () => void;
  readonly #onDecided: () => void;
  readonly #followers = new Map<NodeId, Progress>();
  /** Under which names each node asked what it may have forgotten, in any role of this node; the last one counts. */
  readonly #asked = new Map<NodeId, readonly number[]>();
  #offered = "";
  #successor: NodeId | undefined;
  #round = 0;

  /** @param hooks.onRound runs when a follower answered a round */
  constructor(state: RaftState, hooks: { onRound(): void; onDecided(): void }) {
    this.#state = state;
    this.#onRound = () => hooks.onRound();
    this.#onDecided = () => hooks.onDecided();
  }

  /** The end of the log at this leader's election: what is committed lies at or below it. */
  startHeight: number = 0;

  begin(): void {
    const state = this.#state;
    this.#followers.clear();
    this.#successor = undefined;
    this.#offered = "";
    this.startHeight = state.log.last.height;
    state.setTimer("heartbeat", state.settings.timing.heartbeatMs);
    this.#meet();
    for (const progress of this.#followers.values()) this.#sendAppend(progress);
    this.#checkCommitted();
    this.offer();
  }

  end(): void {
    this.#followers.clear();
    this.#state.emit({ type: "cancel-timer", name: "heartbeat" });
  }

  /** Followers that acknowledged the whole log, and this leader. */
  get upToDate(): readonly NodeId[] {
    return this.#agreeing(this.#state.log.last.height);
  }

  /**
   * Asks for a proposal while fewer than a window of heights is undecided, or when older terms' entries need one on top (C2). Where those fill more
   * than a window, terms in a row left one each: the next one is empty, and stands on what a quorum holds (C4).
   */
  offer(): void {
    const state = this.#state;
    const { log, term, settings } = state;
    if (!state.leads || this.#successor !== undefined) return;
    const { height: below, digest, timeUs, term: lastTerm } = log.last;
    const undecided = log.entries.length;
    const isOwed = undecided > 0 && lastTerm < term;
    const isBeyond = undecided > settings.window;
    if (isOwed ? isBeyond && !state.voters.isQuorum(this.upToDate) : undecided >= settings.window) return undefined;
    const height = below + 1;
    if (height > state.lastHeight) return isOwed ? this.#close() : undefined;
    const key = slotKey({ height, term, digest });
    if (this.#offered === key) return undefined;
    this.#offered = key;
    const slot = { height, view: term, parent: digest, timeAfterUs: timeUs, undecided: [...log.entries] };
    state.emit({ type: "want-proposal", ...slot, ...(isBeyond ? { empty: true as const } : {}) });
    return undefined;
  }

  /** The driver's answer becomes the next entry. */
  onDraft(draft: ProposalDraft): void {
    const state = this.#state;
    const { log, term } = state;
    if (this.#successor !== undefined) return;
    const isAsked = this.#offered === slotKey({ height: draft.height, term, digest: log.last.digest });
    if (!state.leads || draft.view !== term || draft.height !== log.last.height + 1 || !isAsked || draft.height > state.lastHeight) return;
    state.appendEntry(proposalOf(state, draft));
    this.#replicate();
  }

  onReply(from: NodeId, message: AppendReply): void {
    const state = this.#state;
    const progress = this.#followers.get(from);
    if (progress === undefined || (progress.incarnation !== undefined && progress.incarnation !== message.incarnation)) return;
    if (message.height > state.log.last.height) return;
    if (message.counts) {
      progress.active = true;
      progress.round = Math.max(progress.round, Math.min(message.round, this.#round));
    }
    if (message.accepted) this.#onAccepted(progress, message);
    else this.#onRefused(progress, message);
    this.#onRound();
  }

  /** A node lost its memory: what it acknowledged before counts no more (rule M2). Who asked before another asked under its name is of an earlier life (M3). */
  onRecall(from: NodeId, incarnation: number): void {
    const asked = this.#asked.get(from) ?? [];
    if (asked.includes(incarnation)) return;
    this.#asked.set(from, [...asked, incarnation].slice(-MEMORIES_MAX));
    if (this.#followers.delete(from)) this.#meet();
  }

  /** Repeats what may have been lost, and says that this leader is there. */
  onHeartbeat(): void {
    const state = this.#state;
    state.setTimer("heartbeat", state.settings.timing.heartbeatMs);
    this.#meet();
    for (const progress of this.#followers.values()) {
      const isStalled = progress.next > progress.match + 1 && progress.match === progress.matchAtHeartbeat;
      if (isStalled) this.#probe(progress, progress.match + 1);
      progress.matchAtHeartbeat = progress.match;
      progress.repeated = false;
      this.#sendAppend(progress);
    }
  }

  /** True when a quorum answered since the last time (rule E6). */
  countActive(): boolean {
    const active = [...this.#followers.values()].filter((progress) => progress.active);
    for (const progress of active) progress.active = false;
    // Who should have taken over did not: what was offered meanwhile may have been dropped.
    if (this.#successor !== undefined) this.#offered = "";
    this.#successor = undefined;
    return this.#state.voters.isQuorum([this.#state.self, ...active.map(({ node }) => node)]);
  }

  /** Hands over once the member holds the whole log; nothing is proposed meanwhile (rule T1). */
  transfer(to: NodeId | undefined): void {
    const { self, leads, voters } = this.#state;
    const successor = to ?? this.#furthest();
    if (!leads || successor === undefined || successor === self || !voters.isMember(successor)) return;
    this.#successor = successor;
    this.#handOver();
  }

  /** Asks everybody whether this node still leads; the round's number. */
  beginRound(): number {
    this.#round += 1;
    for (const progress of this.#followers.values()) this.#sendAppend(progress);
    return this.#round;
  }

  /** True when a quorum answered the round: nobody else led when it began. */
  isConfirmed(round: number): boolean {
    const answered = [...this.#followers.values()].filter((progress) => progress.round >= round);
    return this.#state.voters.isQuorum([this.#state.self, ...answered.map(({ node }) => node)]);
  }

  /** Who counts has changed: what is held may be committed, or not be enough any more. */
  onVoters(): void {
    this.#meet();
    this.#checkCommitted();
  }

  /** Knows everybody who counts; whom it meets first is sent the end of the log. */
  #meet(): void {
    for (const node of this.#state.others()) {
      if (this.#followers.has(node)) continue;
      const next = this.#state.log.last.height + 1;
      this.#followers.set(node, newProgress(node, { next, incarnation: this.#asked.get(node)?.at(-1) }));
    }
  }

  #onAccepted(progress: Progress, message: AppendReply): void {
    const wasProbing = progress.probing;
    progress.probing = false;
    progress.match = Math.max(progress.match, message.height);
    if (message.counts) progress.acknowledged = Math.max(progress.acknowledged, message.height);
    progress.next = Math.max(progress.next, progress.match + 1);
    if (wasProbing) progress.next = progress.match + 1;
    this.#checkCommitted();
    this.#sendEntries(progress);
    this.offer();
    this.#handOver();
  }

  /** Goes back to where the logs may agree: past the follower's hint, and past own entries of later terms (thesis section 3.5). */
  #onRefused(progress: Progress, message: AppendReply): void {
    const { log } = this.#state;
    // An old answer: the logs are known to agree further up.
    if (message.height < progress.match) return;
    let agree = message.height;
    for (let point = log.point(agree); agree > log.tip.height && point !== undefined && point.term > message.heightTerm; ) {
      agree -= 1;
      point = log.point(agree);
    }
    const next = Math.max(progress.match, agree) + 1;
    // Refused again where it was refused before: one answer until the next heartbeat. An answer to each would be refused each time, for as long as
    // the follower is behind, and every heartbeat meanwhile would begin another such exchange.
    if (progress.probing && progress.next === next && progress.repeated) return;
    progress.repeated = progress.probing && progress.next === next;
    this.#probe(progress, next);
    this.#sendAppend(progress, true);
  }

  #probe(progress: Progress, next: number): void {
    progress.probing = true;
    progress.next = next;
  }

  /** Sends every follower what is new. */
  #replicate(): void {
    for (const progress of this.#followers.values()) this.#sendEntries(progress);
    this.#checkCommitted();
    this.offer();
  }

  /** Without waiting for answers; the window of undecided heights bounds what is under way. */
  #sendEntries(progress: Progress): void {
    const { log } = this.#state;
    if (progress.probing) return;
    while (progress.next > log.tip.height && progress.next <= log.last.height) {
      this.#sendAppend(progress, true);
      progress.next += 1;
    }
  }

  /** One append: at the follower's next entry, or, where that is decided and gone, at the tip, with the decided blocks beside it (rule L5). */
  #sendAppend(progress: Progress, withEntry = false): void {
    const state = this.#state;
    const { log, settings } = state;
    const previous = log.point(progress.next - 1);
    if (previous === undefined && withEntry) {
      const last = Math.min(log.tip.height, progress.next + settings.window - 1);
      for (let height = progress.next; height <= last; height++) state.emit({ type: "send-block", to: progress.node, height });
    }
    const { height: prevHeight, digest: prevDigest } = previous ?? log.tip;
    const entry = withEntry ? log.entry(prevHeight + 1) : undefined;
    const { commit } = state;
    const round = this.#round;
    if (entry === undefined) return state.send(progress.node, { type: "append", prevHeight, prevDigest, commit, round });
    const { headerBytes, certifiedProof, batch } = entry;
    const carried = { headerBytes, certifiedProof, batch };
    return state.send(progress.node, { type: "append", prevHeight, prevDigest, commit, round, entry: carried });
  }

  /** Rules C1 and C2. The notice leaves before the block is decided here: the last one of an epoch ends this core. */
  #checkCommitted(): void {
    const state = this.#state;
    const { log, term, settings } = state;
    let height = log.last.height;
    while (height > state.commit && !state.voters.isQuorum(this.#agreeing(height))) height -= 1;
    if (height <= state.commit) return;
    const entryTerm = log.point(height)?.term ?? 0;
    if (!settings.rules.mayCommit({ entryTerm, leaderTerm: term, isEnd: height === state.lastHeight })) return;
    state.commit = height;
    for (const progress of this.#followers.values()) this.#sendAppend(progress);
    if (state.decideCommitted()) this.#onDecided();
  }

  #agreeing(height: number): NodeId[] {
    const others = [...this.#followers.values()].filter((progress) => progress.acknowledged >= height).map(({ node }) => node);
    return [this.#state.self, ...others];
  }

  /** The member whose log reaches furthest, before all those that did not answer since the last count. */
  #furthest(): NodeId | undefined {
    const candidates = [...this.#followers.values()].filter(({ node }) => this.#state.voters.isMember(node));
    return candidates.sort((a, b) => Number(b.active) - Number(a.active) || b.acknowledged - a.acknowledged)[0]?.node;
  }

  #handOver(): void {
    const successor = this.#successor === undefined ? undefined : this.#followers.get(this.#successor);
    if (successor === undefined || successor.acknowledged < this.#state.log.last.height) return;
    this.#state.send(successor.node, { type: "timeout-now" });
  }

  #close(): void {
    const entry = closingEntry(this.#state);
    if (entry === undefined) return;
    this.#state.appendEntry(entry);
    this.#replicate();
  }
}
