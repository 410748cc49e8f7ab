import { invariant, LIMITS, type Member, type NodeId, type Transport, type TransportEvents } from "#base";

/** One end of the network while it is started. */
interface Endpoint {
  readonly id: NodeId;
  readonly events: TransportEvents;
  /** Peers that the owner was told are up, with the number of the link: what was sent over an earlier link is lost. */
  readonly peers: Map<NodeId, number>;
  /** Whom the owner lets in; everybody while undefined. */
  allowed: ReadonlySet<NodeId> | undefined;
}

/** Links between nodes of one process, for clusters in tests and development. */
export interface MemoryNetwork {
  /** The transport of a node. A node that was stopped gets a new one. */
  transportFor(node: NodeId): Transport;
  /** From now on nodes of different groups cannot reach each other; nodes in no group form one more. */
  partition(...groups: readonly (readonly NodeId[])[]): void;
  /** Takes the partition back. */
  heal(): void;
}

/** Makes a network inside the process: frames arrive in order, in a later turn of the event loop, as copies. */
export function memoryNetwork(): MemoryNetwork {
  return new ProcessNetwork();
}

class ProcessNetwork implements MemoryNetwork {
  readonly #endpoints = new Map<NodeId, Endpoint>();
  /** Link number by pair of ids, for pairs that are up. */
  readonly #links = new Map<string, number>();
  #groups: readonly ReadonlySet<NodeId>[] = [];
  #linkCount = 0;
  readonly #pending: (() => void)[] = [];

  transportFor(id: NodeId): Transport {
    return new MemoryTransport(id, this);
  }

  partition(...groups: readonly (readonly NodeId[])[]): void {
    this.#groups = groups.map((group) => new Set(group));
    this.#reconcile();
  }

  heal(): void {
    this.partition();
  }

  join(endpoint: Endpoint, done: () => void): void {
    invariant(!this.#endpoints.has(endpoint.id), "a node joins the network once");
    this.#endpoints.set(endpoint.id, endpoint);
    this.#later(done);
    this.#reconcile();
  }

  leave(endpoint: Endpoint, done: () => void): void {
    if (this.#endpoints.get(endpoint.id) === endpoint) this.#endpoints.delete(endpoint.id);
    endpoint.peers.clear();
    this.#reconcile();
    this.#later(done);
  }

  /** Somebody lets others in than before. */
  onAllowedChanged(): void {
    this.#reconcile();
  }

  deliver(from: Endpoint, to: NodeId, frame: Uint8Array): void {
    const link = from.peers.get(to);
    if (link === undefined) return;
    const copy = new Uint8Array(frame);
    this.#later(() => {
      const receiver = this.#endpoints.get(to);
      if (receiver?.peers.get(from.id) === link && this.#links.get(pairOf(from.id, to)) === link) receiver.events.onFrame(from.id, copy);
    });
  }

  /** Brings links in line with who is there and what is cut. */
  #reconcile(): void {
    for (const pair of this.#links.keys()) {
      const [left, right] = pair.split("|") as [NodeId, NodeId];
      if (!this.#isReachable(left, right)) this.#down(left, right);
    }
    const ids = [...this.#endpoints.keys()].sort();
    for (const left of ids) {
      for (const right of ids) {
        if (left < right && !this.#links.has(pairOf(left, right)) && this.#isReachable(left, right)) this.#up(left, right);
      }
    }
  }

  #isReachable(left: NodeId, right: NodeId): boolean {
    const groupOf = (id: NodeId): number => this.#groups.findIndex((group) => group.has(id));
    const bothHere = this.#endpoints.has(left) && this.#endpoints.has(right);
    return bothHere && this.#admits(left, right) && this.#admits(right, left) && groupOf(left) === groupOf(right);
  }

  #admits(at: NodeId, peer: NodeId): boolean {
    const allowed = this.#endpoints.get(at)?.allowed;
    return allowed === undefined || allowed.has(peer);
  }

  #up(left: NodeId, right: NodeId): void {
    const link = ++this.#linkCount;
    this.#links.set(pairOf(left, right), link);
    for (const [at, peer] of bothWays(left, right)) {
      const endpoint = this.#endpoints.get(at);
      this.#later(() => {
        if (endpoint === undefined || this.#endpoints.get(at) !== endpoint || this.#links.get(pairOf(left, right)) !== link) return;
        endpoint.peers.set(peer, link);
        endpoint.events.onPeerUp(peer);
      });
    }
  }

  #down(left: NodeId, right: NodeId): void {
    this.#links.delete(pairOf(left, right));
    for (const [at, peer] of bothWays(left, right)) {
      const endpoint = this.#endpoints.get(at);
      // Gone at once for who asks; an owner that was never told of the peer is not told of its loss.
      if (endpoint?.peers.delete(peer) !== true) continue;
      this.#later(() => {
        if (this.#endpoints.get(at) === endpoint) endpoint.events.onPeerDown(peer, "the link was cut");
      });
    }
  }

  /** Runs things in order and never inside the call that asked for them. */
  #later(run: () => void): void {
    this.#pending.push(run);
    if (this.#pending.length === 1) setImmediate(() => this.#runPending());
  }

  #runPending(): void {
    for (const run of this.#pending.splice(0)) run();
  }
}

class MemoryTransport implements Transport {
  readonly #id: NodeId;
  readonly #network: ProcessNetwork;
  #endpoint: Endpoint | undefined;
  #allowed: ReadonlySet<NodeId> | undefined;

  constructor(id: NodeId, network: ProcessNetwork) {
    this.#id = id;
    this.#network = network;
  }

  start(events: TransportEvents, done: (error?: Error) => void): void {
    invariant(this.#endpoint === undefined, "a transport starts once");
    this.#endpoint = { id: this.#id, events, peers: new Map(), allowed: this.#allowed };
    this.#network.join(this.#endpoint, done);
  }

  setPeers(members: readonly Member[]): void {
    this.#allowed = new Set(members.map(({ id }) => id));
    if (this.#endpoint === undefined) return;
    this.#endpoint.allowed = this.#allowed;
    this.#network.onAllowedChanged();
  }

  send(to: NodeId, frame: Uint8Array): void {
    invariant(frame.length > 0 && frame.length <= LIMITS.frameBytesMax, "a frame has 1 to frameBytesMax bytes");
    if (this.#endpoint !== undefined) this.#network.deliver(this.#endpoint, to, frame);
  }

  connectedPeers(): readonly NodeId[] {
    return [...(this.#endpoint?.peers.keys() ?? [])].sort();
  }

  stop(done: () => void): void {
    if (this.#endpoint === undefined) setImmediate(done);
    else this.#network.leave(this.#endpoint, done);
  }
}

function pairOf(one: NodeId, other: NodeId): string {
  return one < other ? `${one}|${other}` : `${other}|${one}`;
}

function bothWays(left: NodeId, right: NodeId): readonly (readonly [NodeId, NodeId])[] {
  return [
    [left, right],
    [right, left],
  ];
}
