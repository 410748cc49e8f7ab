import { errorCode, type NodeId, type TimerHandle } from "#base";
import { partBytes, StateAssembly, type StateItem } from "#state";
import type { Parts } from "../assembly.ts";
import type { Frame, LogPartFrame, StatePartFrame } from "../frames.ts";
import type { ReplicaOptions, TransferProgress } from "../types.ts";
import { type CheckedOffer, checkOffer } from "./check-offer.ts";
import { LogAdoption } from "./log-adoption.ts";
import { decodeOffer } from "./offer.ts";
import { Pace } from "./pace.ts";

/** A state and a log that were fetched and proved. */
export interface Fetched {
  readonly offer: CheckedOffer;
  readonly items: readonly StateItem[];
  readonly adoption: LogAdoption;
}

interface Underway {
  readonly peer: NodeId;
  readonly offer: CheckedOffer;
  readonly state: StateAssembly;
  readonly pace: Pace;
}

/** How often a part is asked for before another peer is. */
const ATTEMPTS = 3;

/**
 * Fetches the state at a stable checkpoint and the log up to it from one peer, in requests that are answered one at a time. Whatever fails ends
 * the attempt; the next peer is asked for blocks again, and may make another offer.
 */
export class Transfer {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #onFetched: (fetched: Fetched) => void;
  #underway: Underway | undefined;
  /** Proved entries stay when an attempt fails: they belong to every later offer too. */
  #adoption: LogAdoption | undefined;
  #timer: TimerHandle | undefined;
  #stopped = false;

  constructor(options: ReplicaOptions, parts: Parts, onFetched: (fetched: Fetched) => void) {
    this.#options = options;
    this.#parts = parts;
    this.#onFetched = onFetched;
  }

  /** Undefined when none is under way. */
  get progress(): TransferProgress | undefined {
    if (this.#underway === undefined) return undefined;
    const { offer, peer, state } = this.#underway;
    const entries = this.#adoption?.nextSeq ?? 0;
    return { height: offer.tip.height, from: peer, stateKeys: state.size, entries, entriesWanted: offer.seal.seq + 1 };
  }

  /** An offer from a peer that was asked for blocks. */
  begin(peer: NodeId, bytes: Uint8Array): void {
    const { hasher, verifier, clock } = this.#options;
    const { ledger, catchUp } = this.#parts;
    let offer: CheckedOffer;
    try {
      const { genesis, cluster, membership, tip, log } = ledger;
      offer = checkOffer(decodeOffer(bytes), { genesis, cluster, hasher, membership, tipHeight: tip.height, shard: log.point.shard });
    } catch (error) {
      return this.#fail(peer, error);
    }
    this.#wait(peer);
    verifier.verify(offer.claims, (verdicts) => {
      if (this.#stopped || this.#timer === undefined) return;
      this.#rest();
      if (!verdicts.every(Boolean)) return this.#fail(peer, undefined, "SYNC_OFFER_INVALID");
      if (offer.tip.height <= ledger.tip.height) return catchUp.resume();
      this.#options.telemetry.log("info", "state transfer", { height: offer.tip.height, entries: offer.seal.seq + 1, peer });
      this.#underway = { peer, offer, state: new StateAssembly(hasher, offer.stateRoot), pace: new Pace(clock.nowUs()) };
      this.#next();
    });
  }

  onStatePart(from: NodeId, { height, path, part }: StatePartFrame): void {
    const underway = this.#answered(from);
    const wanted = underway?.state.next;
    if (underway === undefined || wanted === undefined || height !== underway.offer.tip.height || wanted.join() !== path.join()) return;
    this.#rest();
    // That node needed the room for another state: it will offer its newest.
    if (part === undefined) return this.#abandon();
    try {
      underway.state.accept(part);
    } catch (error) {
      return this.#fail(from, error);
    }
    if (this.#isInTime(underway, partBytes(part))) this.#next();
  }

  onLogPart(from: NodeId, part: LogPartFrame): void {
    const underway = this.#answered(from);
    const adoption = this.#adoption;
    if (underway === undefined || adoption === undefined || part.seq !== adoption.nextSeq || underway.state.next !== undefined) return;
    this.#rest();
    try {
      const { writes } = adoption.accept(underway.offer, part);
      const bytes = [...part.entries, ...part.objects].reduce((sum, { length }) => sum + length, 0);
      // The next request waits for the disk: what is fetched never outruns it.
      this.#parts.writeAhead.append(writes, () => {
        if (this.#underway === underway && this.#isInTime(underway, bytes)) this.#next();
      });
    } catch (error) {
      this.#fail(from, error);
    }
  }

  /** The tip moved by blocks: what was fetched may be of no use any more. */
  onTip(): void {
    const { tip } = this.#parts.ledger;
    if (this.#underway !== undefined && this.#underway.offer.tip.height <= tip.height) this.#abandon();
    if (this.#adoption !== undefined && this.#adoption.nextSeq <= this.#parts.ledger.log.nextSeq) this.#adoption = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
    this.#underway = undefined;
  }

  /** Ends the attempt when a peer's answers, each in time, come to too little. */
  #isInTime({ peer, pace }: Underway, bytes: number): boolean {
    if (pace.keeps(bytes, this.#options.clock.nowUs())) return true;
    this.#stall(peer);
    return false;
  }

  #answered(from: NodeId): Underway | undefined {
    return this.#underway?.peer === from && this.#timer !== undefined ? this.#underway : undefined;
  }

  #next(): void {
    const underway = this.#underway;
    if (underway === undefined || this.#stopped) return;
    const { peer, offer, state } = underway;
    const path = state.next;
    if (path !== undefined) return this.#ask(peer, { kind: "state-request", height: offer.tip.height, path });
    try {
      this.#adoption ??= new LogAdoption(this.#parts.ledger.logOptions, this.#options.store);
      const request = this.#adoption.next(offer);
      if (request !== undefined) return this.#ask(peer, { kind: "log-request", ...request });
    } catch (error) {
      return this.#fail(peer, error);
    }
    const adoption = this.#adoption;
    this.#underway = undefined;
    this.#adoption = undefined;
    return this.#onFetched({ offer, items: state.items, adoption });
  }

  /** A frame may be lost, and a peer may be sparing with its answers: it is asked again before another one is. */
  #ask(peer: NodeId, frame: Frame, left: number = ATTEMPTS - 1): void {
    this.#parts.peers.send(peer, frame);
    this.#wait(peer, () => (left > 0 ? this.#ask(peer, frame, left - 1) : this.#stall(peer)));
  }

  #wait(peer: NodeId, onTimeout: () => void = () => this.#stall(peer)): void {
    this.#rest();
    this.#timer = this.#options.timers.after(this.#parts.timing.syncTimeoutMs, () => {
      this.#timer = undefined;
      onTimeout();
    });
  }

  #stall(peer: NodeId): void {
    this.#options.telemetry.log("warn", "state transfer stalled", { peer });
    this.#abandon();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** What a peer sent is wrong, or this node's disk failed; the first is counted against it, the second ends this node. */
  #fail(peer: NodeId, error: unknown, code: string = errorCode(error)): void {
    if (code.startsWith("STORAGE_")) throw error;
    this.#parts.peers.misbehaved(peer, code);
    this.#abandon();
  }

  #abandon(): void {
    this.#rest();
    this.#underway = undefined;
    this.#parts.catchUp.resume();
  }
}
