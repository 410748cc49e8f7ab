import type { NodeId, TimerHandle, Timers } from "#base";
import type { ReplicaRules } from "../rules.ts";

/** What catching up needs from the replica. */
export interface CatchUpPorts {
  readonly timers: Timers;
  readonly timeoutMs: number;
  readonly rules: Pick<ReplicaRules, "forgetsDenied">;
  tipHeight(): number;
  peers(): readonly NodeId[];
  request(peer: NodeId, fromHeight: number): void;
  /** Hands one block to the core; it is checked there like any message. */
  deliver(from: NodeId, block: Uint8Array): void;
}

/**
 * Asks one peer at a time for the blocks after the tip. An answer is only a hint: each block is proved by its commit certificate in
 * the core, and a peer that gives nothing usable within the time is passed over for the next.
 */
export class CatchUp {
  readonly #ports: CatchUpPorts;
  #target = 0;
  #asked: { readonly peer: NodeId; readonly from: number; readonly timer: TimerHandle } | undefined;
  #turn = 0;
  /** Answers without a block in a row: one more than there are peers, and each was asked. */
  #empty = 0;
  /** A state is being fetched instead of blocks. */
  #paused = false;
  #queue: { readonly from: NodeId; readonly blocks: readonly Uint8Array[]; next: number } | undefined;

  constructor(ports: CatchUpPorts) {
    this.#ports = ports;
  }

  get active(): boolean {
    return this.#target > this.#ports.tipHeight();
  }

  /** Blocks up to this height are said to exist. A lie costs one request per peer and time-out, nothing else. */
  want(height: number, from?: NodeId): void {
    if (height <= this.#ports.tipHeight()) return;
    this.#target = Math.max(this.#target, height);
    if (this.#asked === undefined && this.#queue === undefined) this.#ask(from);
  }

  /** An answer to the request under way; others are dropped. */
  onResponse(from: NodeId, response: { readonly fromHeight: number; readonly blocks: readonly Uint8Array[] }): void {
    if (this.#asked?.peer !== from || this.#asked.from !== response.fromHeight) return;
    this.#asked.timer.cancel();
    this.#asked = undefined;
    if (response.blocks.length === 0) return this.active ? this.#giveUpOrAsk() : undefined;
    this.#empty = 0;
    this.#queue = { from, blocks: response.blocks, next: 0 };
    this.#deliverNext();
  }

  /** True when the peer answers the request under way with an offer of its state: no blocks are asked for until `resume`. */
  onOffer(from: NodeId, fromHeight: number): boolean {
    if (this.#asked?.peer !== from || this.#asked.from !== fromHeight) return false;
    this.#asked.timer.cancel();
    this.#asked = undefined;
    this.#paused = true;
    return true;
  }

  /** The state was fetched, or could not be: the next peer is asked for what is missing. */
  resume(): void {
    this.#paused = false;
    if (this.active) this.#ask();
  }

  /** The tip moved: the next block of the answer is due, or the next request. */
  onTip(): void {
    if (this.#queue !== undefined) this.#deliverNext();
    else if (this.#asked === undefined && this.active) this.#ask();
  }

  stop(): void {
    this.#asked?.timer.cancel();
    this.#asked = undefined;
    this.#queue = undefined;
    this.#target = 0;
  }

  #deliverNext(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    const block = queue.blocks[queue.next];
    if (block === undefined) {
      this.#queue = undefined;
      // Never the same one again and again: a peer that gives one block just in time would keep this node behind for ever.
      if (this.active) this.#ask();
      return;
    }
    queue.next += 1;
    const height = this.#ports.tipHeight();
    this.#ports.deliver(queue.from, block);
    // A block that does not move the tip within the time ends this answer; the next peer is asked.
    this.#ports.timers.after(this.#ports.timeoutMs, () => {
      if (this.#queue !== queue || this.#ports.tipHeight() > height) return;
      this.#queue = undefined;
      if (this.active) this.#ask();
    });
  }

  /** An empty answer: that peer has nothing newer. After everyone said so the claim that there is more is dropped. */
  #giveUpOrAsk(): void {
    this.#empty += 1;
    if (this.#empty <= this.#ports.peers().length || !this.#ports.rules.forgetsDenied) return this.#ask();
    this.#empty = 0;
    this.#target = this.#ports.tipHeight();
  }

  #ask(preferred?: NodeId): void {
    if (this.#paused) return;
    const peers = this.#ports.peers();
    const peer = preferred !== undefined && peers.includes(preferred) ? preferred : peers[this.#turn % Math.max(peers.length, 1)];
    this.#turn += 1;
    if (peer === undefined) return;
    const from = this.#ports.tipHeight() + 1;
    const timer = this.#ports.timers.after(this.#ports.timeoutMs, () => {
      this.#asked = undefined;
      if (this.active) this.#ask();
    });
    this.#asked = { peer, from, timer };
    this.#ports.request(peer, from);
  }
}
