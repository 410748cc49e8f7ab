import { LIMITS, type NodeId } from "#base";
import type { Leader } from "./leader.ts";
import type { ReadReply, ReadRequest } from "./messages.ts";
import type { RaftState } from "./state.ts";

interface WaitingRead {
  readonly id: number;
  /** Of the asker's core. */
  readonly life: number;
  /** Who asked; this node itself when undefined. */
  readonly from: NodeId | undefined;
  /** The answer: what was committed when the read came in. */
  readonly height: number;
}

/** Linearizable reads by asking a quorum who leads (ReadIndex, thesis section 6.4): rules R1 and R2. No clock is trusted. */
export class Reads {
  readonly #state: RaftState;
  readonly #leader: Leader;
  /** Reads that wait for the round under way. */
  #confirming: WaitingRead[] = [];
  #round = 0;
  /** Reads that came since: they need a round that begins after them. */
  #waiting: WaitingRead[] = [];
  /** Reads that the leader was asked about; the older half is given up at the next bound. */
  #forwarded = new Set<number>();
  #forwardedBefore = new Set<number>();

  constructor(state: RaftState, leader: Leader) {
    this.#state = state;
    this.#leader = leader;
  }

  /** Somebody at this node wants to read. */
  onRead(id: number): void {
    const state = this.#state;
    if (state.leads) return this.#admit({ id, life: state.settings.seed, from: undefined, height: this.#committed });
    if (state.leader === undefined || this.#count() >= LIMITS.readsMax) return this.#giveUp([id]);
    if (this.#forwarded.size + this.#forwardedBefore.size === 0) state.setTimer("progress", state.settings.timing.electionTimeoutMs);
    this.#forwarded.add(id);
    return state.send(state.leader, { type: "read-request", life: state.settings.seed, id });
  }

  onRequest(from: NodeId, { id, life }: ReadRequest): void {
    if (this.#state.leads) this.#admit({ id, life, from, height: this.#committed });
  }

  /** Ids begin anew with each start: what was owed to an earlier life may be older than what was decided since. */
  onReply(from: NodeId, { id, life, height }: ReadReply): void {
    if (from !== this.#state.leader || life !== this.#state.settings.seed) return;
    const known = this.#forwarded.delete(id) || this.#forwardedBefore.delete(id);
    if (known) this.#state.emit({ type: "read-at", id, height });
  }

  /** A round was answered, or a height decided. */
  check(): void {
    const state = this.#state;
    if (!state.leads) return;
    if (this.#confirming.length > 0) {
      if (!this.#leader.isConfirmed(this.#round)) return;
      const confirmed = this.#confirming;
      this.#confirming = [];
      for (const read of confirmed) this.#answer(read);
    }
    if (this.#waiting.length === 0 || !this.#knowsCommitted()) return;
    // Reads that came before this leader knew what is committed are answered with what it knows now: later is never stale.
    this.#confirming = this.#waiting.map((read) => ({ ...read, height: this.#committed }));
    this.#waiting = [];
    this.#round = this.#leader.beginRound();
    this.check();
  }

  /** Nobody leads, or somebody else: what was asked is void. */
  abandon(): void {
    const local = [...this.#confirming, ...this.#waiting].filter(({ from }) => from === undefined).map(({ id }) => id);
    const forwarded = [...this.#forwarded, ...this.#forwardedBefore];
    this.#confirming = [];
    this.#waiting = [];
    this.#forwarded = new Set();
    this.#forwardedBefore = new Set();
    this.#giveUp([...local, ...forwarded]);
  }

  /** Reads that the leader left unanswered for one to two bounds are given up. */
  onBound(): void {
    const late = [...this.#forwardedBefore];
    this.#forwardedBefore = this.#forwarded;
    this.#forwarded = new Set();
    if (this.#forwardedBefore.size > 0) this.#state.setTimer("progress", this.#state.settings.timing.electionTimeoutMs);
    this.#giveUp(late);
  }

  /** A leader knows what is committed once all that its log held at its election is decided (thesis section 6.4, step 1). */
  #knowsCommitted(): boolean {
    return this.#state.commit >= this.#leader.startHeight;
  }

  /** What a read has to see; entries above the epoch's end are never decided. */
  get #committed(): number {
    return Math.min(this.#state.commit, this.#state.lastHeight);
  }

  #admit(read: WaitingRead): void {
    const { rules } = this.#state.settings;
    if (!rules.confirmsReads) return this.#answer(read);
    if (this.#count() >= LIMITS.readsMax) return read.from === undefined ? this.#giveUp([read.id]) : undefined;
    this.#waiting.push(read);
    return this.check();
  }

  #count(): number {
    return this.#confirming.length + this.#waiting.length + this.#forwarded.size + this.#forwardedBefore.size;
  }

  #answer({ id, life, from, height }: WaitingRead): void {
    if (from === undefined) this.#state.emit({ type: "read-at", id, height });
    else this.#state.send(from, { type: "read-reply", life, id, height });
  }

  #giveUp(ids: readonly number[]): void {
    for (const id of ids) this.#state.emit({ type: "read-at", id, height: undefined });
  }
}
