import {
  type CertifiedPoint,
  encodeGenesis,
  encodeUtf8,
  type Hash,
  type Hasher,
  LIMITS,
  type Member,
  type NodeId,
  type PublicKey,
  parseNodeId,
  parseSubjectId,
  SeededRandom,
  silentTelemetry,
  toBase64Url,
} from "#base";
import type { CoreRules } from "#consensus";
import { type BlockEvent, initializeGuard, Replica, type ReplicaTiming } from "#replica";
import { emptyPlatter, type Platter, SimulatedAnchor, SimulatedStore } from "./disk.ts";
import { type KeyMill, nodeSigner } from "./keys.ts";
import { SimulatedNetwork } from "./network.ts";
import { NodeTime, type Scheduler, START_US } from "./scheduler.ts";

/** What a simulated cluster is made from. */
export interface ClusterOptions {
  readonly seed: number;
  readonly nodes: number;
  /** One weight each; all 1 by default. */
  readonly weights?: readonly number[];
  readonly hasher: Hasher;
  readonly keys: KeyMill;
  readonly scheduler: Scheduler;
  readonly rules?: CoreRules;
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
  halted: string | undefined;
}

/** Watchers of what nodes do. */
export interface ClusterObserver {
  onBlock(node: NodeId, block: BlockEvent): void;
  onCertified(node: NodeId, point: CertifiedPoint): void;
  onHalted(node: NodeId, reason: string): void;
  onEvidence(node: NodeId, offender: NodeId): void;
}

/** Whole replicas on simulated clocks, links and disks. */
export class SimulatedCluster {
  readonly scheduler: Scheduler;
  readonly network: SimulatedNetwork;
  readonly nodes: readonly SimulatedNode[];
  readonly genesisBytes: Uint8Array;
  readonly members: readonly Member[];
  readonly #options: ClusterOptions;
  readonly #observer: ClusterObserver;
  readonly #diskRandom: SeededRandom;

  constructor(options: ClusterOptions, observer: ClusterObserver) {
    this.#options = options;
    this.#observer = observer;
    this.scheduler = options.scheduler;
    this.network = new SimulatedNetwork(options.scheduler, new SeededRandom(options.seed, "network"));
    this.#diskRandom = new SeededRandom(options.seed, "disk");
    const ids = Array.from({ length: options.nodes }, (_, index) => parseNodeId(`node-${String(index + 1).padStart(2, "0")}`));
    this.members = ids.map((id, index) => memberOf(options.keys, id, options.weights?.[index] ?? 1));
    this.genesisBytes = encodeGenesis({
      environment: "development",
      trustDomain: "sim.local",
      engine: "pbft",
      protocol: 1,
      window: 1,
      activationDelay: 2,
      zeroFaultTolerance: options.nodes < 4,
      timeUs: START_US - 10_000_000,
      membership: { epoch: 0, members: this.members },
      operators: [{ id: parseSubjectId("operator-1"), key: options.keys.keyOf("operator-1").publicKey, roles: ["operator"] }],
      issuers: [{ id: parseSubjectId("issuer-1"), key: options.keys.keyOf("issuer-1").publicKey }],
    });
    this.nodes = ids.map((id) => ({
      id,
      platter: emptyPlatter(),
      replica: undefined,
      store: undefined,
      time: undefined,
      halted: undefined,
    }));
  }

  node(id: NodeId): SimulatedNode {
    const node = this.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new RangeError(`no node ${id}`);
    return node;
  }

  /** Creates every node and starts it. */
  begin(): void {
    for (const node of this.nodes) {
      const time = new NodeTime(this.scheduler, () => true);
      const store = new SimulatedStore({ platter: node.platter, time, random: this.#diskRandom });
      initializeGuard({ store, anchor: new SimulatedAnchor(node.platter, time) }, () => this.start(node.id));
    }
  }

  /** Starts a node that is down, from what its disk holds. */
  start(id: NodeId): void {
    const node = this.node(id);
    if (node.replica !== undefined) return;
    const { hasher, keys, rules, acknowledgesEarly, forgetsGuard, timing, seed } = this.#options;
    const time: NodeTime = new NodeTime(this.scheduler, () => node.time === time);
    const store = new SimulatedStore({ platter: node.platter, time, random: this.#diskRandom });
    store.acknowledgesEarly = acknowledgesEarly ?? false;
    node.time = time;
    node.store = store;
    node.halted = undefined;
    const anchor = new SimulatedAnchor(node.platter, time);
    const entropy = new SeededRandom(seed + this.scheduler.executed, `entropy ${id}`);
    const open = (): void =>
      Replica.open(
        {
          self: id,
          genesisBytes: this.genesisBytes,
          hasher,
          signer: nodeSigner(keys, id),
          verifier: keys.verifier,
          store,
          anchor,
          transport: this.network.transportFor(id, time),
          clock: time,
          timers: time,
          entropy,
          telemetry: silentTelemetry,
          ...(timing === undefined ? {} : { timing }),
          ...(rules === undefined ? {} : { rules }),
          events: {
            onBlock: (block) => this.#observer.onBlock(id, block),
            onCertified: (point) => this.#observer.onCertified(id, point),
            onEvidence: (evidence) => this.#observer.onEvidence(id, evidence.offender),
            onHalted: (reason) => this.#onHalted(node, reason),
          },
        },
        (error, replica) => {
          if (error !== undefined || replica === undefined) return this.#onHalted(node, error?.message ?? "no replica");
          node.replica = replica;
          return replica.start(() => {});
        },
      );
    if (forgetsGuard === true) initializeGuard({ store, anchor }, open);
    else open();
  }

  /** Kills a node: what was not durable may be lost. */
  crash(id: NodeId): void {
    const node = this.node(id);
    if (node.replica === undefined) return;
    node.time = undefined;
    node.replica = undefined;
    node.store?.crash();
    node.store = undefined;
    this.network.remove(id);
  }

  /** Kills a node and destroys its data folder; the anchor stands elsewhere and stays. */
  loseDisk(id: NodeId): void {
    this.crash(id);
    const node = this.node(id);
    node.platter = { durable: new Map(), anchor: node.platter.anchor };
  }

  /** Kills a node and puts back an older copy of its folder. */
  restoreCopy(id: NodeId, copy: ReadonlyMap<string, Uint8Array>): void {
    this.crash(id);
    const node = this.node(id);
    node.platter = { durable: new Map(copy), anchor: node.platter.anchor };
  }

  get cluster(): Hash | undefined {
    return this.nodes.find((node) => node.replica !== undefined)?.replica?.cluster;
  }

  #onHalted(node: SimulatedNode, reason: string): void {
    node.halted = reason;
    this.#observer.onHalted(node.id, reason);
  }
}

/** Lifetime of a simulated command: the longest allowed. */
export const COMMAND_LIFETIME_US: number = LIMITS.commandLifetimeMaxUs - 1_000_000;

function memberOf(keys: KeyMill, id: NodeId, weight: number): Member {
  const key = (role: string): PublicKey => keys.keyOf(`${id}/${role}`).publicKey;
  return {
    id,
    weight,
    keys: {
      vote: key("vote"),
      log: key("log"),
      witness: key("witness"),
      gateway: key("gateway"),
      tls: toBase64Url(encodeUtf8(`tls ${id}`)),
    },
    peerAddress: `${id}:1`,
    httpUrl: `http://${id}`,
    tlsAuthority: toBase64Url(encodeUtf8(`authority ${id}`)),
  };
}
