import { errorCode, InvariantError, LIMITS, type NodeId, type TimerHandle } from "#base";
import { ProvedParts, partBytes, StateAssembly, type StateItem } from "#state";
import type { Parts } from "../assembly.ts";
import { ownFault } from "../core-driver.ts";
import type { Frame, LogPartFrame, StatePartFrame } from "../peers/frames.ts";
import type { ReplicaOptions, TransferProgress } from "../types.ts";
import { type CheckedOffer, checkOffer } from "./check-offer.ts";
import { LogAdoption } from "./log-adoption.ts";
import { decodeOffer } from "./offer.ts";
import { type Pace, Paces } from "./pace.ts";

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

/** What becomes of a transfer. */
export interface TransferHandlers {
  onFetched(fetched: Fetched): void;
  /** This node's own disk or program failed. */
  halt(reason: string): void;
}

/** How often a part is asked for before another peer is. */
const ATTEMPTS = 3;
/** How many older offers in a row are passed over: each peer of a small cluster is asked more than once. */
const PASSED_OVER_MAX = 12;

/**
 * Fetches the state at a stable checkpoint and the log up to it from one peer, in requests that are answered one at a time. Whatever fails ends
 * the attempt; the next peer is asked for blocks again, and may make another offer.
 */
export class Transfer {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #handlers: TransferHandlers;
  #underway: Underway | undefined;
  /** Counts the attempts: what an earlier one asked for does not answer a later one. */
  #attempt = 0;
  /** Parts of states stay too, for what later ones have in common with them. */
  readonly #proved = new ProvedParts();
  /** Older offers that were passed over in a row. */
  #passedOver = 0;
  readonly #paces = new Paces();
  /** When a peer last sent something wrong. */
  readonly #wrongSinceUs = new Map<NodeId, number>();
  /** Proved entries stay when an attempt fails: they belong to every later offer too. */
  #adoption: LogAdoption | undefined;
  #timer: TimerHandle | undefined;
  #stopped = false;

  constructor(options: ReplicaOptions, parts: Parts, handlers: TransferHandlers) {
    this.#options = options;
    this.#parts = parts;
    this.#handlers = handlers;
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
    const { hasher } = this.#options;
    const { ledger, catchUp } = this.#parts;
    this.#attempt += 1;
    // As if it had said nothing.
    if (this.#isDistrusted(peer)) return this.#wait(peer, () => this.#abandon());
    let offer: CheckedOffer;
    try {
      const { genesis, cluster, membership, tip, log } = ledger;
      const decoded = decodeOffer(bytes);
      // Blocks came meanwhile.
      if (decoded.height <= tip.height) return catchUp.resume();
      offer = checkOffer(decoded, { genesis, cluster, hasher, membership, tipHeight: tip.height, shard: log.point.shard });
    } catch (error) {
      return this.#fail(peer, error);
    }
    return this.#verify(peer, offer, this.#attempt);
  }

  /** One after the other, in the order in which they stand on each other: an offer that is made up costs as much as its first step. */
  #verify(peer: NodeId, offer: CheckedOffer, attempt: number, step = 0): void {
    const claims = offer.claims[step];
    if (claims === undefined) return this.#start(peer, offer);
    // Each step has its own time: many handovers take long, and that is not the peer's fault.
    this.#wait(peer);
    return this.#options.verifier.verify(claims, (verdicts) => {
      if (this.#stopped || this.#attempt !== attempt) return undefined;
      if (!verdicts.every(Boolean)) return this.#fail(peer, undefined, "SYNC_OFFER_INVALID");
      return this.#verify(peer, offer, attempt, step + 1);
    });
  }

  #start(peer: NodeId, offer: CheckedOffer): void {
    const { hasher, telemetry, clock } = this.#options;
    const { ledger, catchUp, peers } = this.#parts;
    this.#rest();
    if (offer.tip.height <= ledger.tip.height) return catchUp.resume();
    if (this.#isPassedOver(offer)) return this.#abandon();
    telemetry.log("info", "state transfer", { height: offer.tip.height, entries: offer.seal.seq + 1, peer });
    const state = new StateAssembly(hasher, offer.stateRoot, this.#proved);
    this.#underway = { peer, offer, state, pace: this.#paces.begin(peer, peers.connected(), clock.nowUs()) };
    return this.#next();
  }

  /** An offer whose seal the fetched log has left behind makes that begin again: first others are asked whether they have a newer one. */
  #isPassedOver({ seal }: CheckedOffer): boolean {
    const isOlder = this.#adoption !== undefined && this.#adoption.nextSeq > seal.seq + 1;
    this.#passedOver = isOlder ? this.#passedOver + 1 : 0;
    return isOlder && this.#passedOver <= PASSED_OVER_MAX;
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
    if (this.#underway === undefined) this.#proved.clear();
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
    this.#underway = undefined;
  }

  /** Ends the attempt when a peer's answers, each in time, come to too little. */
  #isInTime({ peer, pace }: Underway, bytes: number): boolean {
    const nowUs = this.#options.clock.nowUs();
    if (pace.keeps(bytes, nowUs)) return true;
    this.#paces.leave(peer, pace, nowUs);
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
    this.#proved.clear();
    this.#paces.clear();
    return this.#handlers.onFetched({ offer, items: state.items, adoption });
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

  /** What a peer sent is wrong, which is counted against it (O3), or this node's disk or program failed, which ends this node. */
  #fail(peer: NodeId, error: unknown, code: string = errorCode(error)): void {
    if (code.startsWith("STORAGE_") || error instanceof InvariantError) return this.#handlers.halt(ownFault(error));
    this.#wrongSinceUs.set(peer, this.#options.clock.nowUs());
    this.#parts.peers.misbehaved(peer, code);
    return this.#abandon();
  }

  /** A clock that was set back trusts at once. */
  #isDistrusted(peer: NodeId): boolean {
    const sinceUs = this.#wrongSinceUs.get(peer);
    const passedUs = sinceUs === undefined ? undefined : this.#options.clock.nowUs() - sinceUs;
    return passedUs !== undefined && passedUs >= 0 && passedUs < LIMITS.transferDistrustMs * 1_000;
  }

  #abandon(): void {
    this.#rest();
    this.#attempt += 1;
    this.#underway = undefined;
    this.#parts.catchUp.resume();
  }
}
