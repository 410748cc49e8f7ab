import {
  type Accusation,
  type CertifiedPoint,
  type Clock,
  type EngineName,
  errorCode,
  type Hash,
  type Hasher,
  type Member,
  type Membership,
  type NodeId,
  type NodeSigner,
  SeededRandom,
  type Telemetry,
} from "#base";
import { type BlockEvent, initializeGuard, Replica, type ReplicaOptions, type ReplicaTiming, STORE_KEYS } from "#replica";
import { type DiskRules, type Platter, platterOf, SimulatedAnchor, SimulatedStore, type Survival } from "./disk.ts";
import { genesisOf, memberOf, nodeIds } from "./genesis.ts";
import { type KeyMill, nodeSigner } from "./keys.ts";
import { SimulatedNetwork } from "./network.ts";
import { NodeTime, type Scheduler } from "./scheduler.ts";

/** The rules of a replica and all that it stands on. */
type NodeRules = NonNullable<ReplicaOptions["rules"]>;

/** What a simulated cluster is made from. */
export interface ClusterOptions {
  readonly seed: number;
  /** The consensus engine that genesis names; pbft by default. */
  readonly engine?: EngineName;
  /** Heights in flight; 1 by default. */
  readonly window?: number;
  /** Heights between stable checkpoints; as usual by default. */
  readonly checkpointInterval?: number;
  /** Blocks that each node keeps below its tip; as usual by default. */
  readonly blocksKept?: number;
  readonly nodes: number;
  /** One weight each; all 1 by default. */
  readonly weights?: readonly number[];
  readonly hasher: Hasher;
  readonly keys: KeyMill;
  readonly scheduler: Scheduler;
  /** Rules that hang on a node's own clock are made for each node. */
  readonly rules?: NodeRules | ((clock: Clock) => NodeRules);
  readonly disk?: DiskRules;
  readonly acknowledgesEarly?: boolean;
  /** Planted bug: a node that lost its memory takes itself for a new one. */
  readonly forgetsGuard?: boolean;
  readonly timing?: Partial<ReplicaTiming>;
}

/** One node: its disk outlives its process. */
export interface SimulatedNode {
  readonly id: NodeId;
  platter: Platter;
  replica: Replica | undefined;
  store: SimulatedStore | undefined;
  time: NodeTime | undefined;
  /** Why it stopped by itself. */
  halted: string | undefined;
}

/** A state that a node took over. */
export type Installed = Pick<BlockEvent, "height" | "timeUs" | "digest" | "stateHash">;

/** Watchers of what nodes do. */
export interface ClusterObserver {
  onBlock(node: NodeId, block: BlockEvent): void;
  /** A node took over the state after a height that it had not applied. */
  onInstalled(node: NodeId, installed: Installed): void;
  onCertified(node: NodeId, point: CertifiedPoint): void;
  /** A node stopped by itself; `stopped` tells what for. */
  onHalted(node: NodeId, reason: string, stopped: StopCause): void;
  onEvidence(node: NodeId, accusation: Accusation): void;
  /** A node's disk was lost, damaged or replaced. */
  onForgot(node: NodeId): void;
  onStarted(node: NodeId): void;
  onKilled(node: NodeId): void;
  /** A node takes part, from now on. */
  onParticipating(node: NodeId): void;
  onSign(purpose: string): void;
  /** A node signed a command of its own, a report of evidence: the bytes that it signed. */
  onReport(node: NodeId, message: Uint8Array): void;
  /** Logs and counters of all nodes. */
  readonly telemetry: Telemetry;
}

/** Why a node stopped by itself: its disk failed it, its disk lied to it, or for no reason that it should have had. */
export type StopCause = "disk-failed" | "disk-corrupt" | "wrong";

/** How long an operator takes to look after a node whose disk lied. */
const REPAIR_MS = 500;

/** Whole replicas on simulated clocks, links and disks. */
export class SimulatedCluster {
  readonly scheduler: Scheduler;
  readonly network: SimulatedNetwork;
  readonly genesisBytes: Uint8Array;
  readonly members: readonly Member[];
  readonly #options: ClusterOptions;
  readonly #observer: ClusterObserver;
  readonly #diskRandom: SeededRandom;
  readonly #nodes: SimulatedNode[];
  readonly #byId: Map<NodeId, SimulatedNode>;

  constructor(options: ClusterOptions, observer: ClusterObserver) {
    this.#options = options;
    this.#observer = observer;
    this.scheduler = options.scheduler;
    this.network = new SimulatedNetwork(options.scheduler, new SeededRandom(options.seed, "network"));
    this.#diskRandom = new SeededRandom(options.seed, "disk");
    const ids = nodeIds(options.nodes);
    this.members = ids.map((id, index) => memberOf(options.keys, id, options.weights?.[index] ?? 1));
    this.genesisBytes = genesisOf(options, this.members);
    this.#nodes = ids.map(newNode);
    this.#byId = new Map(this.nodes.map((node) => [node.id, node]));
  }

  /** Genesis's members in their order, then those that joined. */
  get nodes(): readonly SimulatedNode[] {
    return this.#nodes;
  }

  /** Those that genesis does not name. */
  get newcomers(): readonly SimulatedNode[] {
    return this.#nodes.slice(this.members.length);
  }

  /** Members of an epoch, by whichever running node knows of it. */
  membershipOf(epoch: number): Membership | undefined {
    for (const { replica } of this.nodes) {
      if (replica === undefined) continue;
      for (let { height } = replica.state; height > 0; height = replica.state.membershipAt(height).epoch <= epoch ? 0 : height - 1) {
        const membership = replica.state.membershipAt(height);
        if (membership.epoch === epoch) return membership;
      }
      const next = replica.state.membership();
      if (next.epoch === epoch) return next;
    }
    return epoch === 0 ? { epoch: 0, members: this.members } : undefined;
  }

  /** The newest members that any running node knows of. */
  newestMembership(): Membership | undefined {
    let newest: Membership | undefined;
    for (const { replica } of this.nodes) {
      const known = replica?.state.membership();
      if (known !== undefined && known.epoch >= (newest?.epoch ?? 0)) newest = known;
    }
    return newest;
  }

  node(id: NodeId): SimulatedNode {
    const node = this.#byId.get(id);
    if (node === undefined) throw new RangeError(`no node ${id}`);
    return node;
  }

  /** Creates every node and starts it. */
  begin(): void {
    for (const node of this.nodes) this.#create(node);
  }

  /** Creates and starts a node that genesis does not name. It knows genesis and where the present members are; they have to be told of it. */
  add(id: NodeId): void {
    const node = newNode(id);
    this.#nodes.push(node);
    this.#byId.set(id, node);
    this.#create(node);
  }

  #create(node: SimulatedNode): void {
    const time = new NodeTime(this.scheduler, { alive: () => true, onThrow: (cause) => this.#onThrow(node, cause) });
    const store = new SimulatedStore({ platter: node.platter, time, random: this.#diskRandom });
    initializeGuard({ store, anchor: new SimulatedAnchor(node.platter, time) }, () => this.start(node.id));
  }

  /** Starts a node that is down, from what its disk holds. */
  start(id: NodeId): void {
    const node = this.node(id);
    if (node.time !== undefined) return;
    const { keys, acknowledgesEarly, forgetsGuard, disk } = this.#options;
    const time: NodeTime = new NodeTime(this.scheduler, {
      alive: () => node.time === time,
      onThrow: (cause) => this.#onThrow(node, cause),
    });
    const store = new SimulatedStore({ platter: node.platter, time, random: this.#diskRandom, ...(disk && { rules: disk }) });
    store.acknowledgesEarly = acknowledgesEarly ?? false;
    Object.assign(node, { time, store, halted: undefined });
    this.#observer.onStarted(id);
    const anchor = new SimulatedAnchor(node.platter, time);
    const open = (): void => this.#open(node, { keys, store, anchor, time });
    if (forgetsGuard === true) initializeGuard({ store, anchor }, () => time.run(open));
    else time.run(open);
  }

  #open(node: SimulatedNode, parts: { keys: KeyMill; store: SimulatedStore; anchor: SimulatedAnchor; time: NodeTime }): void {
    const { id } = node;
    const { hasher, rules, timing, seed, blocksKept } = this.#options;
    const { keys, store, anchor, time } = parts;
    Replica.open(
      {
        self: id,
        genesisBytes: this.genesisBytes,
        hasher,
        signer: this.#watched(id, nodeSigner(keys, id)),
        verifier: keys.verifier,
        store,
        anchor,
        transport: this.network.transportFor(id, time),
        clock: time,
        timers: time,
        entropy: new SeededRandom(seed + this.scheduler.executed, `entropy ${id}`),
        telemetry: this.#telemetryOf(node),
        // Few commands wait at a time here: any one of them is enough for a block on top of those under way.
        timing: { pipelineCommandsMin: 1, ...timing },
        ...(blocksKept === undefined ? {} : { blocksKept }),
        ...(this.newcomers.includes(node) ? { contacts: this.newestMembership()?.members ?? this.members } : {}),
        ...(rules && { rules: typeof rules === "function" ? rules(time) : rules }),
        events: {
          onBlock: (block) => this.#observer.onBlock(id, block),
          onInstalled: ({ height, timeUs, digest }) => {
            if (node.replica !== undefined)
              this.#observer.onInstalled(id, { height, timeUs, digest, stateHash: node.replica.state.stateHash });
          },
          onCertified: (point) => this.#observer.onCertified(id, point),
          onEvidence: (accusation) => this.#observer.onEvidence(id, accusation),
          onHalted: (reason) => this.#onHalt(node, reason),
        },
      },
      (error, replica) => {
        if (error !== undefined || replica === undefined) return this.#onThrow(node, error ?? new Error("no replica"));
        node.replica = replica;
        return replica.start(() => {});
      },
    );
  }

  #watched(id: NodeId, signer: NodeSigner): NodeSigner {
    return {
      holds: (role, key) => signer.holds(role, key),
      sign: (role, message, done, key) => {
        if (role === "vote") this.#observer.onSign(purposeOf(message));
        if (role === "gateway") this.#observer.onReport(id, message);
        signer.sign(role, message, done, key);
      },
    };
  }

  #telemetryOf(node: SimulatedNode): Telemetry {
    const { telemetry } = this.#observer;
    return {
      ...telemetry,
      log: (level, event, fields) => {
        telemetry.log(level, event, fields);
        // Its core hears of it in the same turn: a moment later it stands where it stood.
        if (event === "participating") node.time?.after(0, () => this.#observer.onParticipating(node.id));
      },
    };
  }

  /** Kills a node: what was not durable may be lost. */
  crash(id: NodeId, survival: Survival = "some"): void {
    const node = this.node(id);
    if (node.time === undefined) return;
    node.time = undefined;
    node.replica = undefined;
    node.store?.crash(survival);
    node.store = undefined;
    this.network.remove(id);
    this.#observer.onKilled(id);
  }

  /** Stops a node as an operator does: it hands over what it leads, and its process ends then. */
  stop(id: NodeId, done: () => void): void {
    const node = this.node(id);
    const { replica, time } = node;
    time?.run(() =>
      replica?.stop(() => {
        if (node.time !== time) return;
        this.crash(id);
        done();
      }),
    );
  }

  /** Kills a node and destroys its data folder; the anchor stands elsewhere and stays. */
  loseDisk(id: NodeId): void {
    this.crash(id);
    const node = this.node(id);
    node.platter = platterOf(undefined, node.platter.anchor);
    this.#observer.onForgot(id);
  }

  /** Kills a node and puts back an older copy of its folder. */
  restoreCopy(id: NodeId, copy: ReadonlyMap<string, Uint8Array>): void {
    this.crash(id);
    const node = this.node(id);
    node.platter = platterOf(copy, node.platter.anchor);
    this.#observer.onForgot(id);
  }

  /**
   * Damages what a node has on its disk. Evidence alone is lost by that: where anything else is, the disk holds until it is replaced.
   * @param how returns the damaged key
   * @returns false where there is nothing to damage
   */
  damage(id: NodeId, how: (platter: Platter) => string | undefined): boolean {
    const key = how(this.node(id).platter);
    if (key?.startsWith(STORE_KEYS.evidencePrefix) === true) this.#observer.onForgot(id);
    return key !== undefined;
  }

  /** Kills a node and destroys its anchor; the data folder stays. */
  loseAnchor(id: NodeId): void {
    this.crash(id);
    this.node(id).platter.anchor = undefined;
  }

  /** Names the cluster in signed bytes; undefined while no node runs. */
  get cluster(): Hash | undefined {
    return this.nodes.find((node) => node.replica !== undefined)?.replica?.cluster;
  }

  /** The replica stopped itself; a process ends with it once its disk lied. */
  #onHalt(node: SimulatedNode, reason: string): void {
    const isCorrupt = reason.includes("STORAGE_CORRUPT");
    this.#onHalted(node, reason, isCorrupt ? "disk-corrupt" : reason.startsWith("the disk") ? "disk-failed" : "wrong");
    if (!isCorrupt) return;
    this.scheduler.after(REPAIR_MS * 1_000, () => {
      if (node.halted !== reason) return;
      this.crash(node.id);
      this.#repair(node);
    });
  }

  /** An exception that nobody caught ends the process. */
  #onThrow(node: SimulatedNode, cause: unknown): void {
    const isCorrupt = errorCode(cause) === "STORAGE_CORRUPT";
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    this.crash(node.id);
    this.#onHalted(node, reason, isCorrupt ? "disk-corrupt" : "wrong");
    if (isCorrupt) this.scheduler.after(REPAIR_MS * 1_000, () => this.#repair(node));
  }

  /** What an operator does about a disk that lied: a damaged one is replaced, one that only once gave the wrong bytes is tried again. */
  #repair(node: SimulatedNode): void {
    if (node.time !== undefined) return;
    if (node.platter.damaged.size > 0) this.loseDisk(node.id);
    this.start(node.id);
  }

  #onHalted(node: SimulatedNode, reason: string, cause: StopCause): void {
    node.halted = reason;
    this.#observer.onHalted(node.id, reason, cause);
  }
}

function newNode(id: NodeId): SimulatedNode {
  return { id, platter: platterOf(), replica: undefined, store: undefined, time: undefined, halted: undefined };
}

/** The purpose in the signed bytes: `quorumgate/<purpose>/v1\0`. */
function purposeOf(message: Uint8Array): string {
  let purpose = "";
  for (let at = "quorumgate/".length; message[at] !== undefined && message[at] !== 0x2f; at++)
    purpose += String.fromCharCode(message[at] ?? 0);
  return purpose;
}
