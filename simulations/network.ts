import type { NodeId, SeededRandom, Transport, TransportEvents } from "#base";
import type { NodeTime, Scheduler } from "./scheduler.ts";

/** How frames travel; times in microseconds, chances from 0 to 1. */
export interface NetworkConditions {
  delayMinUs: number;
  delayMaxUs: number;
  loss: number;
  duplication: number;
}

/** Looks at every frame that leaves a node; may replace it, send something else as well, or drop it. */
export type FrameFilter = (from: NodeId, to: NodeId, frame: Uint8Array) => readonly Uint8Array[];

/** Whether a frame is lost on a link. */
export type FrameLoss = (from: NodeId, to: NodeId, frame: Uint8Array) => boolean;

interface Port {
  readonly events: TransportEvents;
  readonly time: NodeTime;
  /** Frames of an earlier life never reach a later one. */
  readonly life: number;
}

/** Links between nodes: delay, loss, duplication, reordering by delay, one-way cuts and partitions. */
export class SimulatedNetwork {
  readonly conditions: NetworkConditions = { delayMinUs: 200, delayMaxUs: 2_000, loss: 0, duplication: 0 };
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #ports = new Map<NodeId, Port>();
  readonly #cuts = new Set<string>();
  /** Whom a node lets in; everybody while absent. */
  readonly #allowed = new Map<NodeId, ReadonlySet<NodeId>>();
  readonly #filters: FrameFilter[] = [];
  readonly #counts = { sent: 0, lost: 0, duplicated: 0 };
  /** Sees each frame as it is delivered. */
  onDelivery: (from: NodeId, to: NodeId, frame: Uint8Array) => void = () => {};
  /** Decides which frames are lost, beside chance. */
  isLost: FrameLoss | undefined;
  #life = 0;

  constructor(scheduler: Scheduler, random: SeededRandom) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get counts(): Readonly<{ sent: number; lost: number; duplicated: number }> {
    return this.#counts;
  }

  addFilter(filter: FrameFilter): void {
    this.#filters.push(filter);
  }

  /** Cuts one direction of a link. */
  cut(from: NodeId, to: NodeId): void {
    const key = `${from}>${to}`;
    if (this.#cuts.has(key)) return;
    const before = this.#isUp(from, to);
    this.#cuts.add(key);
    if (before) this.#tell(from, to, false);
  }

  /** Mends everything. */
  heal(): void {
    const pairs = [...this.#cuts].map((key) => key.split(">") as [NodeId, NodeId]);
    this.#cuts.clear();
    const seen = new Set<string>();
    for (const [from, to] of pairs) {
      const pair = [from, to].sort().join(">");
      if (!seen.has(pair) && this.#isUp(from, to)) this.#tell(from, to, true);
      seen.add(pair);
    }
    this.conditions.loss = 0;
    this.conditions.duplication = 0;
  }

  transportFor(node: NodeId, time: NodeTime): Transport {
    return {
      start: (events, done) => {
        this.#ports.set(node, { events, time, life: ++this.#life });
        for (const peer of this.#ports.keys()) if (peer !== node && this.#isUp(node, peer)) this.#tell(node, peer, true);
        done();
      },
      send: (to, frame) => this.#send(node, to, frame),
      setPeers: (members) => this.#allow(node, new Set(members.map(({ id }) => id))),
      connectedPeers: () => [...this.#ports.keys()].filter((peer) => peer !== node && this.#isUp(node, peer)).sort(),
      stop: (done) => {
        this.remove(node);
        done();
      },
    };
  }

  /** A node died: its links break. */
  remove(node: NodeId): void {
    if (!this.#ports.has(node)) return;
    const peers = [...this.#ports.keys()].filter((peer) => peer !== node && this.#isUp(node, peer));
    this.#ports.delete(node);
    for (const peer of peers) this.#later(peer, (port) => port.events.onPeerDown(node, "closed"));
  }

  #allow(node: NodeId, allowed: ReadonlySet<NodeId>): void {
    const others = [...this.#ports.keys()].filter((peer) => peer !== node);
    const before = new Set(others.filter((peer) => this.#isUp(node, peer)));
    this.#allowed.set(node, allowed);
    for (const peer of others) if (this.#isUp(node, peer) !== before.has(peer)) this.#tell(node, peer, !before.has(peer));
  }

  #admits(node: NodeId, peer: NodeId): boolean {
    return this.#allowed.get(node)?.has(peer) ?? true;
  }

  #send(from: NodeId, to: NodeId, frame: Uint8Array): void {
    let frames: readonly Uint8Array[] = [frame];
    for (const filter of this.#filters) frames = frames.flatMap((item) => filter(from, to, item));
    for (const item of frames) {
      this.#counts.sent += 1;
      if (!this.#isUp(from, to) || this.isLost?.(from, to, item) === true || this.#random.chance(this.conditions.loss)) {
        this.#counts.lost += 1;
        continue;
      }
      this.#deliver(from, to, item);
      if (this.conditions.duplication > 0 && this.#random.chance(this.conditions.duplication)) {
        this.#counts.duplicated += 1;
        this.#deliver(from, to, item);
      }
    }
  }

  #deliver(from: NodeId, to: NodeId, frame: Uint8Array): void {
    const { delayMinUs, delayMaxUs } = this.conditions;
    const port = this.#ports.get(to);
    if (port === undefined) return;
    this.#scheduler.after(this.#random.between(delayMinUs, delayMaxUs), () => {
      if (this.#ports.get(to)?.life !== port.life || !this.#isUp(from, to)) return;
      port.time.run(() => {
        this.onDelivery(from, to, frame);
        port.events.onFrame(from, frame);
      });
    });
  }

  /** A link counts as up only when both directions work: keep-alives need both. */
  #isUp(from: NodeId, to: NodeId): boolean {
    if (!this.#ports.has(from) || !this.#ports.has(to)) return false;
    if (!this.#admits(from, to) || !this.#admits(to, from)) return false;
    return this.#cuts.size === 0 || !(this.#cuts.has(`${from}>${to}`) || this.#cuts.has(`${to}>${from}`));
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
      if (this.#ports.get(node)?.life === port.life) port.time.run(() => action(port));
    });
  }
}
