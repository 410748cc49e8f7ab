import type { NodeId, SeededRandom, Transport, TransportEvents } from "#base";
import type { NodeTime, Scheduler } from "./scheduler.ts";

/** How frames travel; times in microseconds, chances from 0 to 1. */
export interface NetworkConditions {
  delayMinUs: number;
  delayMaxUs: number;
  loss: number;
  duplication: number;
  /** Chance that a frame is held back, and up to how long, so that later ones overtake it. */
  reordering: number;
  reorderMaxUs: number;
  /** Chance that a byte of a frame is another one on arrival. */
  corruption: number;
  /** Chance that a copy of a frame arrives again, seconds later. */
  lateCopies: number;
}

/** Conditions of a local network without faults. */
export const CALM: Readonly<NetworkConditions> = {
  delayMinUs: 200,
  delayMaxUs: 2_000,
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderMaxUs: 0,
  corruption: 0,
  lateCopies: 0,
};

/** What a Byzantine node does to what its honest core says and hears; an absent part leaves it as it is. */
export interface Mouth {
  /** The frames that leave in the place of one. */
  outgoing?(to: NodeId, frame: Uint8Array): readonly Uint8Array[];
  /** The frames that the core hears in the place of one. */
  incoming?(from: NodeId, frame: Uint8Array): readonly Uint8Array[];
}

/** Whether a frame is lost on a link. */
export type FrameLoss = (from: NodeId, to: NodeId, frame: Uint8Array) => boolean;

/** Why a frame does not arrive: a cut link, chance or a rule of a fault, a node that is down, a link that was reset, or ears that are shut. */
export type LossReason = "cut" | "loss" | "down" | "reset" | "unheard";

/** Sees what becomes of each frame on its way, under the number that it gives it. */
export interface NetworkWatch {
  onSent(from: NodeId, to: NodeId, frame: Uint8Array): number;
  onLost(number: number, why: LossReason): void;
  /** Once for each copy; the bytes may have changed. */
  onArrived(number: number, frame: Uint8Array): void;
}

/** Ends what a fault began. Ending twice does nothing. */
export type Mend = () => void;

/** What the network counted. */
export interface NetworkCounts {
  sent: number;
  lost: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
  late: number;
}

interface Port {
  readonly events: TransportEvents;
  readonly time: NodeTime;
  /** Frames of an earlier life never reach a later one. */
  readonly life: number;
}

/** One frame on its way. */
interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly number: number;
}

/** Between a frame and its late copy. */
const LATE_US = { min: 500_000, max: 4_000_000 };

/** Links between nodes: delay, loss, duplication, reordering, corruption, resets, clogs, one-way cuts and partitions. */
export class SimulatedNetwork {
  readonly conditions: NetworkConditions = { ...CALM };
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #ports = new Map<NodeId, Port>();
  /** Nodes with a port, in ascending id. */
  #running: readonly NodeId[] = [];
  /** How many faults cut a direction, by `from>to`. */
  readonly #cuts = new Map<string, number>();
  /** Extra delay of a link in both directions, microseconds. */
  readonly #slow = new Map<string, number>();
  readonly #resets = new Map<string, number>();
  /** Whom a node lets in; everybody while absent. */
  readonly #allowed = new Map<NodeId, ReadonlySet<NodeId>>();
  readonly #losses = new Set<FrameLoss>();
  readonly #mouths = new Map<NodeId, Mouth[]>();
  /** To whom the links of a node are up, as far as it was asked since links changed last: every frame asks twice. */
  readonly #linked = new Map<NodeId, readonly NodeId[]>();
  /** What waits until a node is no longer clogged. */
  readonly #clogs = new Map<NodeId, (() => void)[]>();
  readonly #counts: NetworkCounts = { sent: 0, lost: 0, duplicated: 0, reordered: 0, corrupted: 0, late: 0 };
  /** Sees each frame of a node as its core sends it, before anything is done to it. */
  onSend: (from: NodeId, to: NodeId, frame: Uint8Array) => void = () => {};
  /** Sees each frame as it is delivered. */
  onDelivery: (from: NodeId, to: NodeId, frame: Uint8Array) => void = () => {};
  watch: NetworkWatch | undefined;
  #life = 0;
  /** Healing everything ends what earlier faults would still have mended. */
  #generation = 0;

  constructor(scheduler: Scheduler, random: SeededRandom) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get counts(): Readonly<NetworkCounts> {
    return this.#counts;
  }

  /** Makes a node Byzantine; several mouths speak one after another. */
  addMouth(node: NodeId, mouth: Mouth): void {
    this.#mouths.set(node, [...(this.#mouths.get(node) ?? []), mouth]);
  }

  /** Sends a frame that no core said, past the mouths. */
  inject(from: NodeId, to: NodeId, frame: Uint8Array): void {
    this.#transmit(from, to, frame);
  }

  /** Loses frames by a rule, beside chance. */
  addLoss(loss: FrameLoss): Mend {
    this.#losses.add(loss);
    return () => void this.#losses.delete(loss);
  }

  /** Cuts one direction of a link. */
  cut(from: NodeId, to: NodeId): Mend {
    const key = `${from}>${to}`;
    const before = this.#isUp(from, to);
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
    this.#linked.clear();
    if (before) this.#tell(from, to, false);
    return this.#once(() => {
      const count = this.#cuts.get(key) ?? 0;
      if (count > 1) return void this.#cuts.set(key, count - 1);
      this.#cuts.delete(key);
      this.#linked.clear();
      return count === 1 && this.#isUp(from, to) ? this.#tell(from, to, true) : undefined;
    });
  }

  /** Cuts both directions between the nodes of one side and all others. */
  partition(side: ReadonlySet<NodeId>, all: readonly NodeId[]): Mend {
    const mends: Mend[] = [];
    for (const a of all) for (const b of all) if (side.has(a) !== side.has(b)) mends.push(this.cut(a, b));
    return () => {
      for (const mend of mends) mend();
    };
  }

  /** Delays everything between two nodes. */
  slowDown(left: NodeId, right: NodeId, delayUs: number): Mend {
    this.#slow.set(pairOf(left, right), delayUs);
    return this.#once(() => void this.#slow.delete(pairOf(left, right)));
  }

  /** A link breaks and is there again: what was under way is gone. */
  reset(left: NodeId, right: NodeId): void {
    if (!this.#isUp(left, right)) return;
    const pair = pairOf(left, right);
    this.#resets.set(pair, (this.#resets.get(pair) ?? 0) + 1);
    this.#tell(left, right, false);
    this.#scheduler.after(5_000, () => {
      if (this.#isUp(left, right)) this.#tell(left, right, true);
    });
  }

  /** Holds everything to and from a node back until it is mended; then all arrives. */
  clog(node: NodeId): Mend {
    const waiting = this.#clogs.get(node) ?? [];
    this.#clogs.set(node, waiting);
    return this.#once(() => this.#unclog(node));
  }

  /** Mends everything. */
  heal(): void {
    const pairs = [...this.#cuts.keys()].map((key) => key.split(">") as [NodeId, NodeId]);
    this.#generation += 1;
    this.#cuts.clear();
    this.#linked.clear();
    for (const node of [...this.#clogs.keys()]) this.#unclog(node);
    this.#slow.clear();
    this.#losses.clear();
    const seen = new Set<string>();
    for (const [from, to] of pairs) {
      if (!seen.has(pairOf(from, to)) && this.#isUp(from, to)) this.#tell(from, to, true);
      seen.add(pairOf(from, to));
    }
    Object.assign(this.conditions, CALM);
  }

  transportFor(node: NodeId, time: NodeTime): Transport {
    return {
      start: (events, done) => {
        this.#ports.set(node, { events, time, life: ++this.#life });
        this.#running = [...this.#ports.keys()].sort();
        this.#linked.clear();
        for (const peer of this.#ports.keys()) if (peer !== node && this.#isUp(node, peer)) this.#tell(node, peer, true);
        done();
      },
      send: (to, frame) => this.#send(node, to, frame),
      setPeers: (members) => this.#allow(node, new Set(members.map(({ id }) => id))),
      connectedPeers: () => this.#linkedTo(node),
      stop: (done) => {
        this.remove(node);
        done();
      },
    };
  }

  /** In ascending id. */
  #linkedTo(node: NodeId): readonly NodeId[] {
    let linked = this.#linked.get(node);
    if (linked === undefined) {
      linked = this.#running.filter((peer) => peer !== node && this.#joins(node, peer));
      this.#linked.set(node, linked);
    }
    return linked;
  }

  /** A node died: its links break. */
  remove(node: NodeId): void {
    if (!this.#ports.has(node)) return;
    const peers = [...this.#ports.keys()].filter((peer) => peer !== node && this.#isUp(node, peer));
    this.#ports.delete(node);
    this.#running = this.#running.filter((running) => running !== node);
    this.#linked.clear();
    for (const peer of peers) this.#later(peer, (port) => port.events.onPeerDown(node, "closed"));
  }

  #allow(node: NodeId, allowed: ReadonlySet<NodeId>): void {
    const others = [...this.#ports.keys()].filter((peer) => peer !== node);
    const before = new Set(others.filter((peer) => this.#isUp(node, peer)));
    this.#allowed.set(node, allowed);
    this.#linked.clear();
    for (const peer of others) if (this.#isUp(node, peer) !== before.has(peer)) this.#tell(node, peer, !before.has(peer));
  }

  #admits(node: NodeId, peer: NodeId): boolean {
    return this.#allowed.get(node)?.has(peer) ?? true;
  }

  #send(from: NodeId, to: NodeId, frame: Uint8Array): void {
    this.onSend(from, to, frame);
    const mouths = this.#mouths.get(from);
    if (mouths === undefined) return this.#transmit(from, to, frame);
    let frames: readonly Uint8Array[] = [frame];
    for (const mouth of mouths) frames = frames.flatMap((item) => mouth.outgoing?.(to, item) ?? [item]);
    for (const item of frames) this.#transmit(from, to, item);
  }

  #transmit(from: NodeId, to: NodeId, frame: Uint8Array): void {
    const { conditions } = this;
    const counts = this.#counts;
    counts.sent += 1;
    const number = this.watch?.onSent(from, to, frame) ?? 0;
    if (!this.#isUp(from, to) || this.#isLost(from, to, frame) || this.#random.chance(conditions.loss)) {
      counts.lost += 1;
      this.watch?.onLost(number, this.#isUp(from, to) ? "loss" : this.#whyDown(from, to));
      return;
    }
    const link = { from, to, number };
    this.#deliver(link, this.#isHit(conditions.corruption, "corrupted") ? this.#corrupted(frame) : frame);
    if (this.#isHit(conditions.duplication, "duplicated")) this.#deliver(link, frame);
    if (this.#isHit(conditions.lateCopies, "late")) this.#deliver(link, frame, this.#random.between(LATE_US.min, LATE_US.max));
  }

  #isLost(from: NodeId, to: NodeId, frame: Uint8Array): boolean {
    if (this.#losses.size > 0) for (const loss of this.#losses) if (loss(from, to, frame)) return true;
    return false;
  }

  /** Draws only while the fault is on: it then changes nothing before and after. */
  #isHit(chance: number, count: keyof NetworkCounts): boolean {
    if (chance === 0 || !this.#random.chance(chance)) return false;
    this.#counts[count] += 1;
    return true;
  }

  #corrupted(frame: Uint8Array): Uint8Array {
    const copy = frame.slice();
    const at = this.#random.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 + this.#random.below(255));
    return copy;
  }

  #deliver(link: Link, frame: Uint8Array, extraUs = 0): void {
    const { from, to, number } = link;
    const { delayMinUs, delayMaxUs, reordering, reorderMaxUs } = this.conditions;
    const port = this.#ports.get(to);
    if (port === undefined) return;
    let delayUs = this.#random.between(delayMinUs, delayMaxUs) + extraUs;
    if (this.#isHit(reordering, "reordered")) delayUs += this.#random.below(reorderMaxUs);
    if (this.#slow.size > 0) delayUs += this.#slow.get(pairOf(from, to)) ?? 0;
    const resets = this.#resets.size === 0 ? 0 : (this.#resets.get(pairOf(from, to)) ?? 0);
    const arrive = (): void => {
      if (this.#ports.get(to) !== port || !this.#isUp(from, to)) return this.watch?.onLost(number, this.#whyDown(from, to));
      if (this.#resets.size > 0 && (this.#resets.get(pairOf(from, to)) ?? 0) !== resets) return this.watch?.onLost(number, "reset");
      const clog = this.#clogs.size === 0 ? undefined : (this.#clogs.get(to) ?? this.#clogs.get(from));
      if (clog !== undefined) clog.push(arrive);
      else port.time.run(() => this.#hand(link, frame, port));
      return undefined;
    };
    this.#scheduler.after(delayUs, arrive);
  }

  #hand(link: Link, frame: Uint8Array, port: Port): void {
    const { from, to, number } = link;
    const mouths = this.#mouths.get(to);
    if (mouths === undefined) return this.#arrive(link, frame, port);
    let frames: readonly Uint8Array[] = [frame];
    for (const mouth of mouths) frames = frames.flatMap((item) => mouth.incoming?.(from, item) ?? [item]);
    if (frames.length === 0) this.watch?.onLost(number, "unheard");
    for (const item of frames) this.#arrive(link, item, port);
    return undefined;
  }

  #arrive({ from, to, number }: Link, frame: Uint8Array, port: Port): void {
    this.watch?.onArrived(number, frame);
    this.onDelivery(from, to, frame);
    port.events.onFrame(from, frame);
  }

  #whyDown(from: NodeId, to: NodeId): LossReason {
    return this.#cuts.has(`${from}>${to}`) || this.#cuts.has(`${to}>${from}`) ? "cut" : "down";
  }

  #isUp(from: NodeId, to: NodeId): boolean {
    return this.#linkedTo(from).includes(to);
  }

  /** A link counts as up only when both directions work: keep-alives need both. */
  #joins(from: NodeId, to: NodeId): boolean {
    if (!this.#ports.has(from) || !this.#ports.has(to)) return false;
    if (!this.#admits(from, to) || !this.#admits(to, from)) return false;
    return this.#cuts.size === 0 || !(this.#cuts.has(`${from}>${to}`) || this.#cuts.has(`${to}>${from}`));
  }

  #unclog(node: NodeId): void {
    const waiting = this.#clogs.get(node) ?? [];
    this.#clogs.delete(node);
    for (const deliver of waiting) this.#scheduler.after(this.#random.between(1, 500), deliver);
  }

  #once(action: () => void): Mend {
    const generation = this.#generation;
    let done = false;
    return () => {
      if (done || generation !== this.#generation) return;
      done = true;
      action();
    };
  }

  #tell(left: NodeId, right: NodeId, up: boolean): void {
    for (const [node, peer] of [
      [left, right],
      [right, left],
    ] as const) {
      this.#later(node, (port) => (up ? port.events.onPeerUp(peer) : port.events.onPeerDown(peer, "cut")));
    }
  }

  #later(node: NodeId, action: (port: Port) => void): void {
    const port = this.#ports.get(node);
    if (port === undefined) return;
    this.#scheduler.after(this.#random.between(100, 2_000), () => {
      if (this.#ports.get(node) === port) port.time.run(() => action(port));
    });
  }
}

function pairOf(left: NodeId, right: NodeId): string {
  return left < right ? `${left}|${right}` : `${right}|${left}`;
}
