import { type CertifiedPoint, encodeUtf8, type Hash, LIMITS, type Membership, type NodeId, SeededRandom, toHash, ZERO_HASH } from "#base";
import {
  type ConsensusMessage,
  type Core,
  createRaftCore,
  decodeMessage,
  type Effect,
  encodeMessage,
  type Input,
  type Proposal,
  type RaftRules,
  type TimerName,
  type Tip,
} from "#consensus";
import { CLUSTER, hasher, membershipOf } from "./core-kit.ts";

/** One node: its core, and what stands on its disk. */
export interface RaftNode {
  readonly id: NodeId;
  core: Core;
  up: boolean;
  starts: number;
  above: number;
  tip: Tip;
  /** Durable records; `unsynced` are the writes that a crash may still lose. */
  disk: Map<string, Uint8Array>;
  readonly blocks: Map<number, Extract<Effect, { type: "decide" }>>;
  readonly timers: Map<TimerName, number>;
  readonly reads: { readonly id: number; readonly height: number | undefined }[];
  /** Held by a slow disk: outputs wait for the writes before them. */
  readonly held: (() => void)[];
  slowDisk: boolean;
}

interface OnTheWay {
  readonly at: number;
  readonly order: number;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: ConsensusMessage;
}

/** What a cluster of the tests is made from. */
export interface RaftClusterOptions {
  readonly weights: readonly number[];
  readonly seed?: number;
  readonly window?: number;
  readonly rules?: RaftRules;
  /** Whether leaders always have something to order; otherwise only `work` blocks, and those that an older term's entries need. */
  readonly busy?: boolean;
  /** A change of members stands in this height: whoever applied it knows that the epoch ends a window later. */
  readonly changeAt?: number;
}

/** Cores with virtual time, a network that can be cut, and disks; it checks agreement and election safety in every step. */
export class RaftCluster {
  readonly nodes: readonly RaftNode[];
  readonly membership: Membership;
  /** Who led in which term, for election safety. */
  readonly leaders: Map<number, NodeId> = new Map();
  readonly decided: Map<number, Hash> = new Map();
  /** Agreement or election safety broken, in words. */
  readonly violations: string[] = [];
  readonly halts: string[] = [];
  readonly sent: { readonly from: NodeId; readonly to: NodeId; readonly message: ConsensusMessage }[] = [];
  now = 0;
  /** How many blocks of commands wait to be ordered. */
  work = 0;
  loss = 0;
  /** What a message takes at least. */
  delayMs = 0;
  /** True when a message passes. */
  passes: (from: NodeId, to: NodeId, message: ConsensusMessage) => boolean = () => true;
  isValid: (node: NodeId, proposal: Proposal, check: Extract<Effect, { type: "validate" }>["check"]) => boolean = () => true;
  readonly random: SeededRandom;
  readonly #options: RaftClusterOptions;
  #wanted = new Map<NodeId, Extract<Effect, { type: "want-proposal" }>>();
  #mail: OnTheWay[] = [];
  #order = 0;
  #drafts = 0;
  readonly #inputs: [NodeId, Input][] = [];
  #feeding = false;

  constructor(options: RaftClusterOptions) {
    this.#options = options;
    this.membership = membershipOf(options.weights);
    this.random = new SeededRandom(options.seed ?? 1, "cluster");
    const tip: Tip = { height: 0, digest: ZERO_HASH, timeUs: 0, view: 0 };
    this.nodes = this.membership.members.map(({ id }, index) => ({
      id,
      core: this.#newCore({ id, tip, disk: new Map(), seed: index + 1 }),
      up: true,
      starts: 1,
      above: 0,
      tip,
      disk: new Map(),
      blocks: new Map(),
      timers: new Map(),
      reads: [],
      held: [],
      slowDisk: false,
    }));
    for (const { id } of this.nodes) {
      this.feed(id, { type: "start" });
      this.participate(id);
    }
  }

  node(id: NodeId): RaftNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no ${id}`);
    return found;
  }

  /** The node that leads in the highest term, if one does. */
  leader(): RaftNode | undefined {
    const leading = this.nodes.filter(({ id, core, up }) => up && core.snapshot().leader === id);
    return leading.sort((a, b) => b.core.snapshot().view - a.core.snapshot().view)[0];
  }

  /** Runs until somebody leads, and returns the leader. */
  elect(): RaftNode {
    this.run(5_000, () => this.leader() !== undefined);
    const leader = this.leader();
    if (leader === undefined) throw new Error("nobody leads");
    return leader;
  }

  /** Cuts nodes off from all others, or heals everything when none is named. */
  cut(...groups: readonly (readonly NodeId[])[]): void {
    const groupOf = (id: NodeId): number => groups.findIndex((group) => group.includes(id));
    this.passes = (from, to) => groupOf(from) === groupOf(to);
  }

  crash(id: NodeId): void {
    const node = this.node(id);
    node.up = false;
    node.held.length = 0;
    node.timers.clear();
    this.#wanted.delete(id);
    this.#mail = this.#mail.filter((mail) => mail.to !== id);
  }

  /** Starts a crashed node from its disk; without memory it takes part above the floor only. */
  restart(id: NodeId, options: { readonly forgetsAll?: boolean; readonly waitsForFloor?: boolean } = {}): void {
    const node = this.node(id);
    if (options.forgetsAll === true) {
      node.disk = new Map();
      node.above = Math.max(...this.nodes.map(({ tip }) => tip.height)) + 2 * (this.#options.window ?? 1) + 1;
    }
    node.starts += 1;
    node.up = true;
    node.slowDisk = false;
    node.core = this.#newCore({ ...node, seed: node.starts * 1_000 + this.nodes.indexOf(node) });
    this.feed(id, { type: "start" });
    if (options.waitsForFloor !== true) this.participate(id);
  }

  /** Tells a node its floor. */
  participate(id: NodeId): void {
    this.feed(id, { type: "participate", above: this.node(id).above });
  }

  /** Lets virtual time pass, or until the condition holds. */
  run(forMs: number, until: () => boolean = () => false): void {
    const end = this.now + forMs;
    while (this.now <= end && !until()) {
      const mail = this.#mail.reduce<OnTheWay | undefined>(
        (best, item) => (best === undefined || isEarlier(item, best) ? item : best),
        undefined,
      );
      const timer = this.#nextTimer();
      const at = Math.min(mail?.at ?? Number.POSITIVE_INFINITY, timer?.at ?? Number.POSITIVE_INFINITY);
      if (at > end) break;
      this.now = at;
      if (mail !== undefined && mail.at === at) this.#deliver(mail);
      else if (timer !== undefined) {
        timer.node.timers.delete(timer.name);
        this.feed(timer.node.id, { type: "timer", name: timer.name });
      }
    }
    if (!until()) this.now = end;
  }

  /** An input for a node; those that arise while its effects run wait their turn, as in the driver. */
  feed(id: NodeId, input: Input): void {
    this.#inputs.push([id, input]);
    if (this.#feeding) return;
    this.#feeding = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#step(...next);
    this.#feeding = false;
  }

  #step(id: NodeId, input: Input): void {
    const node = this.node(id);
    if (!node.up) return;
    for (const effect of node.core.step(input)) this.#run(node, effect);
    const { leader, view } = node.core.snapshot();
    if (leader === id) this.#notice(view, id);
    this.#propose(node);
  }

  /** More to order: leaders that were asking get a draft. */
  order(blocks = 1): void {
    this.work += blocks;
    for (const node of this.nodes) this.#propose(node);
  }

  /** What was held by a slow disk becomes durable and leaves. */
  release(id: NodeId): void {
    const node = this.node(id);
    for (let run = node.held.shift(); run !== undefined; run = node.held.shift()) run();
    node.slowDisk = false;
  }

  #newCore(node: { readonly id: NodeId; readonly tip: Tip; readonly disk: ReadonlyMap<string, Uint8Array>; readonly seed: number }): Core {
    const records = [...node.disk].map(([key, bytes]) => ({ key, bytes }));
    const { rules, window = 1, seed = 1 } = this.#options;
    const fixed = { cluster: CLUSTER, membership: this.membership, protocol: 1, window, hasher };
    const own = { self: node.id, tip: node.tip, restored: { records, guard: [] }, seed: seed * 100_000 + node.seed };
    return createRaftCore({ ...fixed, ...own, ...(rules && { rules }) });
  }

  #notice(term: number, id: NodeId): void {
    const known = this.leaders.get(term);
    if (known !== undefined && known !== id) this.violations.push(`${known} and ${id} lead in term ${term}`);
    this.leaders.set(term, id);
  }

  #nextTimer(): { readonly node: RaftNode; readonly name: TimerName; readonly at: number } | undefined {
    let best: { readonly node: RaftNode; readonly name: TimerName; readonly at: number } | undefined;
    for (const node of this.nodes) {
      for (const [name, at] of node.timers) if (node.up && (best === undefined || at < best.at)) best = { node, name, at };
    }
    return best;
  }

  #deliver(mail: OnTheWay): void {
    this.#mail.splice(this.#mail.indexOf(mail), 1);
    if (!this.passes(mail.from, mail.to, mail.message)) return;
    this.feed(mail.to, { type: "message", from: mail.from, message: decodeMessage(encodeMessage(mail.message)) });
  }

  #send(from: NodeId, to: NodeId, message: ConsensusMessage): void {
    this.sent.push({ from, to, message });
    if (this.loss > 0 && this.random.chance(this.loss)) return;
    this.#mail.push({ at: this.now + 1 + this.delayMs + this.random.below(3), order: this.#order++, from, to, message });
  }

  #sendBlocks(from: RaftNode, to: NodeId, fromHeight: number, count: number): void {
    for (let height = fromHeight; height < fromHeight + count; height++) {
      const block = from.blocks.get(height);
      if (block === undefined) return;
      const { proposal, certificate } = block;
      this.#send(from.id, to, { type: "block", headerBytes: proposal.headerBytes, batch: proposal.batch, certificate });
    }
  }

  #afterWrites(node: RaftNode, run: () => void): void {
    if (node.slowDisk) node.held.push(run);
    else run();
  }

  #run(node: RaftNode, effect: Effect): void {
    switch (effect.type) {
      case "send":
        return this.#afterWrites(node, () => this.#send(node.id, effect.to, effect.message));
      case "append":
        return this.#afterWrites(node, () => void node.disk.set(effect.record.key, effect.record.bytes));
      case "forget":
        return this.#afterWrites(node, () => {
          for (const key of effect.keys) node.disk.delete(key);
        });
      case "set-timer":
        return void node.timers.set(effect.name, this.now + effect.delayMs);
      case "cancel-timer":
        return void node.timers.delete(effect.name);
      case "validate":
        return this.feed(node.id, { type: "validated", id: effect.id, valid: this.isValid(node.id, effect.proposal, effect.check) });
      case "want-proposal":
        return void this.#wanted.set(node.id, effect);
      case "decide":
        return this.#afterWrites(node, () => this.#decide(node, effect));
      case "send-block":
        return this.#afterWrites(node, () => this.#sendBlocks(node, effect.to, effect.height, 1));
      case "request-sync": {
        const [peer] = effect.peers;
        if (
          peer !== undefined &&
          this.node(peer).up &&
          this.passes(peer, node.id, { type: "fetch-proposal", height: 0, digest: ZERO_HASH })
        )
          this.#sendBlocks(this.node(peer), node.id, effect.fromHeight, 64);
        return undefined;
      }
      case "read-at":
        return void node.reads.push({ id: effect.id, height: effect.height });
      case "halt":
        this.halts.push(`${node.id}: ${effect.reason}`);
        return this.crash(node.id);
      default:
        throw new Error(`raft has no effect ${effect.type}`);
    }
  }

  #decide(node: RaftNode, effect: Extract<Effect, { type: "decide" }>): void {
    const { proposal, certificate } = effect;
    const { height, view } = certificate;
    if (height !== node.tip.height + 1) this.violations.push(`${node.id} decides ${height} on top of ${node.tip.height}`);
    const known = this.decided.get(height);
    if (known !== undefined && known !== proposal.digest) this.violations.push(`height ${height} is decided twice`);
    this.decided.set(height, proposal.digest);
    node.tip = { height, digest: proposal.digest, timeUs: proposal.header.timeUs, view, certificate };
    node.blocks.set(height, effect);
    this.feed(node.id, { type: "applied", height });
    const { changeAt, window = 1 } = this.#options;
    if (height === changeAt) this.feed(node.id, { type: "last-height", height: height + window, next: { ...this.membership, epoch: 1 } });
  }

  #propose(node: RaftNode): void {
    const wanted = this.#wanted.get(node.id);
    if (wanted === undefined) return;
    const newest = wanted.undecided.at(-1);
    const isOwed = newest !== undefined && newest.header.originView < wanted.view;
    if (!isOwed && this.work === 0 && this.#options.busy !== true) return;
    const { empty = false } = wanted;
    // As the replica's driver: what is decided here stands for what is certified, and nothing but empty blocks goes further above it than the bound.
    if (!empty && wanted.height - node.tip.height > LIMITS.uncertifiedHeightsMax) return;
    this.#wanted.delete(node.id);
    if (!isOwed && this.work > 0) this.work -= 1;
    const text = `block ${this.#drafts++}`;
    const certified: CertifiedPoint = { height: node.tip.height, size: 0, root: ZERO_HASH };
    const { height, view, timeAfterUs } = wanted;
    const commandsRoot = toHash(hasher.sha256(encodeUtf8(text)));
    const draft = {
      height,
      view,
      timeUs: timeAfterUs + 1,
      commandsRoot,
      certified,
      certifiedProof: new Uint8Array(0),
      batch: empty ? [] : [encodeUtf8(text)],
    };
    this.feed(node.id, { type: "propose", draft });
  }
}

function isEarlier(item: OnTheWay, other: OnTheWay): boolean {
  return item.at < other.at || (item.at === other.at && item.order < other.order);
}
