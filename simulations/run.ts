import { clusterIdOf, type Hasher, headerDigest, type Membership, type NodeId, parseGenesis, SeededRandom } from "#base";
import { type ConsensusMessage, decodeMessage } from "#consensus";
import { decodeFrame, encodeFrame } from "#replica";
import { equivocate } from "./byzantine/equivocate.ts";
import { forge } from "./byzantine/forge.ts";
import { silent } from "./byzantine/silent.ts";
import { Checker, type Violation } from "./checkers/invariants.ts";
import { type ClusterOptions, SimulatedCluster } from "./cluster.ts";
import { byzantineNodes, FAULT_KINDS, type Fault, type FaultKind, faultsOf, SAFETY_MS } from "./faults.ts";
import type { KeyMill } from "./keys.ts";
import type { PlantedBug } from "./planted/planted.ts";
import { Scheduler } from "./scheduler.ts";
import { TargetedLoss } from "./targeted-loss.ts";
import { Workload } from "./workload.ts";

/** What one schedule is run with. */
export interface RunOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly weights?: readonly number[];
  readonly hasher: Hasher;
  /** A mill of keys for this run: the stand-in, or real Ed25519. */
  readonly keys: KeyMill;
  /** Kinds of faults to draw from; all by default. */
  readonly kinds?: readonly FaultKind[];
  /** A list to replay instead of drawing one. */
  readonly faults?: readonly Fault[];
  readonly planted?: PlantedBug;
  /** Receives a line for each delivery and event, for a transcript. */
  readonly log?: (line: string) => void;
}

/** What came of one schedule. */
export interface RunResult {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly violations: readonly Violation[];
  readonly commits: number;
  readonly answered: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly marks: Readonly<Record<string, number>>;
  /** 16 hexadecimal characters: equal for equal runs. */
  readonly traceHash: string;
}

const OPERATIONS = 24;
/** From the heal to the end of the liveness phase. */
const LIVENESS_MS = 60_000;
/** First byte of a frame that holds a consensus message. */
const CONSENSUS_FRAME = encodeFrame({ kind: "consensus", message: new Uint8Array(0) })[0];
const EVENTS_MAX = 400_000;

/** Runs one schedule: a safety phase with its faults, then a liveness phase in which everything honest is healed and must drain. */
export function runSchedule(options: RunOptions): RunResult {
  return new Run(options).run();
}

class Run {
  readonly #options: RunOptions;
  readonly #faults: readonly Fault[];
  readonly #scheduler = new Scheduler();
  readonly #cluster: SimulatedCluster;
  readonly #checker: Checker;
  readonly #workload: Workload;
  readonly #membership: Membership;
  readonly #byzantine: ReadonlySet<NodeId>;
  readonly #random: SeededRandom;
  readonly #marks = new Map<string, number>();
  readonly #copies = new Map<Fault, ReadonlyMap<string, Uint8Array>>();
  readonly #messages = new WeakMap<Uint8Array, ConsensusMessage>();
  #trace = [0x811c9dc5, 0x01000193];

  constructor(options: RunOptions) {
    const { seed, nodes, hasher, keys, planted } = options;
    this.#options = options;
    this.#faults = options.faults ?? faultsOf({ seed, nodes, kinds: options.kinds ?? planted?.kinds ?? FAULT_KINDS });
    this.#random = new SeededRandom(seed, "workload");
    const clusterOptions: ClusterOptions = {
      seed,
      nodes,
      hasher,
      keys,
      scheduler: this.#scheduler,
      ...(options.weights === undefined ? {} : { weights: options.weights }),
      ...planted?.overrides,
    };
    this.#checker = new Checker({
      honest: (node) => !this.#byzantine.has(node),
      askedFor: (command) => this.#workload.intentOf(command),
    });
    this.#cluster = new SimulatedCluster(clusterOptions, {
      onBlock: (node, block) => {
        if (block.view > 0) this.#mark("decided-in-later-view");
        this.#checker.onBlock(node, block);
        this.#note(`${node} applied ${block.height} ${block.digest}`);
      },
      onCertified: (node, point) => this.#checker.onCertified(node, point),
      onEvidence: (node, offender) => {
        this.#mark("evidence");
        this.#note(`${node} has evidence against ${offender}`);
        this.#checker.onEvidence(offender);
      },
      onHalted: (node, reason) => {
        this.#note(`${node} halted: ${reason}`);
        this.#checker.onHalted(node, reason);
      },
    });
    this.#membership = parseGenesis(this.#cluster.genesisBytes).membership;
    const ids = this.#cluster.nodes.map((node) => node.id);
    this.#byzantine = byzantineNodes(this.#faults, ids);
    const clusterId = clusterIdOf(hasher, this.#cluster.genesisBytes);
    this.#workload = new Workload({ cluster: this.#cluster, clusterId, random: this.#random, keys, hasher });
    for (const fault of this.#faults) this.#addActor(fault, ids);
  }

  run(): RunResult {
    this.#observeNetwork();
    this.#cluster.begin();
    for (const fault of this.#faults) this.#schedule(fault);
    for (let i = 0; i < OPERATIONS; i++) this.#scheduler.after((300 + (SAFETY_MS * i) / OPERATIONS) * 1_000, () => this.#submit());
    this.#scheduler.runUntil({ elapsedMs: SAFETY_MS, events: EVENTS_MAX });
    this.#heal();
    const drained = this.#scheduler.runUntil({ elapsedMs: SAFETY_MS + LIVENESS_MS, events: EVENTS_MAX, done: () => this.#isDrained() });
    if (!drained) this.#checker.fail("A7", `after the heal not everything was drained: ${this.#describe()}`);
    const { operations } = this.#workload;
    this.#checker.finish({ cluster: this.#cluster, keys: this.#options.keys, operations, membership: this.#membership });
    return this.#result();
  }

  #result(): RunResult {
    const { operations } = this.#workload;
    return {
      seed: this.#options.seed,
      faults: this.#faults,
      violations: this.#checker.violations,
      commits: this.#checker.commits,
      answered: operations.filter((operation) => operation.record !== undefined).length,
      virtualMs: Math.round(this.#scheduler.elapsedMs()),
      events: this.#scheduler.executed,
      marks: Object.fromEntries([...this.#marks].sort()),
      traceHash: this.#trace.map((part) => (part >>> 0).toString(16).padStart(8, "0")).join(""),
    };
  }

  #addActor(fault: Fault, ids: readonly NodeId[]): void {
    if (fault.kind !== "silent" && fault.kind !== "equivocate" && fault.kind !== "forge") return;
    const node = ids[fault.node];
    if (node === undefined) return;
    const { hasher, keys } = this.#options;
    const { network } = this.#cluster;
    if (fault.kind === "silent") network.addFilter(silent(node));
    else if (fault.kind === "forge") network.addFilter(forge(node));
    else {
      const deceived = new Set(ids.filter((id, index) => id !== node && index % 2 === 0));
      network.addFilter(equivocate({ node, cluster: clusterIdOf(hasher, this.#cluster.genesisBytes), hasher, keys, deceived }));
    }
  }

  #observeNetwork(): void {
    const { hasher, keys } = this.#options;
    const cluster = clusterIdOf(hasher, this.#cluster.genesisBytes);
    this.#cluster.network.onDelivery = (from, to, frame) => {
      this.#mix(frame.length * 31 + (frame[0] ?? 0));
      this.#mix(this.#scheduler.nowUs() % 0x7fffffff);
      const message = this.#messageOf(frame);
      if (message === undefined) return;
      if (message.type === "view-change" || message.type === "new-view") this.#mark(message.type);
      if (message.type === "view-change" && message.prepared.length > 0) {
        this.#mark("view-change-with-prepared-certificate");
        this.#checker.onPrepared(from, message, { cluster, keys, membership: this.#membership });
      }
      this.#options.log?.(`${this.#scheduler.elapsedMs().toFixed(3).padStart(10)} ${from} > ${to} ${describe(message)}`);
      this.#checker.onMessage(from, message, (headerBytes) => headerDigest(hasher, headerBytes));
    };
  }

  /** A broadcast is one frame to all peers, and is read once. */
  #messageOf(frame: Uint8Array): ConsensusMessage | undefined {
    const known = this.#messages.get(frame);
    if (known !== undefined || frame[0] !== CONSENSUS_FRAME) return known;
    const decoded = decodeFrame(frame);
    if (decoded.kind !== "consensus") return undefined;
    const message = decodeMessage(decoded.message);
    this.#messages.set(frame, message);
    return message;
  }

  #submit(): void {
    const up = this.#cluster.nodes.filter(
      (node) => node.replica !== undefined && node.halted === undefined && !this.#byzantine.has(node.id),
    );
    const earlier = this.#workload.operations;
    if (up.length === 0) return;
    // Now and then a client sends the same bytes again, to another node.
    const repeat = earlier.length > 0 && this.#random.chance(0.15);
    const signed = repeat ? this.#random.pick(earlier).signed : this.#workload.next();
    this.#workload.submit(this.#random.pick(up).id, signed);
  }

  #schedule(fault: Fault): void {
    if (!("atMs" in fault)) return;
    if (fault.kind === "old-copy") {
      this.#scheduler.after(fault.copyAtMs * 1_000, () => {
        const node = this.#cluster.nodes[fault.node];
        if (node !== undefined) this.#copies.set(fault, new Map(node.platter.durable));
      });
    }
    this.#scheduler.after(fault.atMs * 1_000, () => {
      this.#mark(`fault:${fault.kind}`);
      this.#note(`fault ${JSON.stringify(fault)}`);
      this.#apply(fault);
    });
  }

  #apply(fault: Extract<Fault, { atMs: number }>): void {
    const { network, nodes } = this.#cluster;
    const { conditions } = network;
    const id = (index: number): NodeId => (nodes[index] ?? (nodes[0] as (typeof nodes)[0])).id;
    switch (fault.kind) {
      case "crash":
        return this.#down(fault.downMs, [id(fault.node)], (node) => this.#cluster.crash(node));
      case "lost-disk":
        return this.#down(fault.downMs, [id(fault.node)], (node) => this.#cluster.loseDisk(node));
      case "old-copy":
        return this.#down(fault.downMs, [id(fault.node)], (node) => this.#cluster.restoreCopy(node, this.#copies.get(fault) ?? new Map()));
      case "cluster-restart":
        return this.#down(
          fault.downMs,
          nodes.map((node) => node.id),
          (node) => this.#cluster.crash(node),
        );
      case "restart-lost":
        return this.#down(
          fault.downMs,
          nodes.map((node) => node.id),
          (node) => (node === id(fault.node) ? this.#cluster.loseDisk(node) : this.#cluster.crash(node)),
        );
      case "targeted-loss":
        return this.#loseTargeted(fault, id);
      case "disk-full": {
        const { store } = this.#cluster.node(id(fault.node));
        if (store !== undefined) store.failing = true;
        return this.#later(fault.downMs, () => this.#down(50, [id(fault.node)], (node) => this.#cluster.crash(node)));
      }
      case "pause": {
        const { time } = this.#cluster.node(id(fault.node));
        if (time !== undefined) time.pausedUntilUs = this.#scheduler.nowUs() + fault.forMs * 1_000;
        return undefined;
      }
      case "partition": {
        const side = new Set(fault.side.map(id));
        for (const a of nodes) for (const b of nodes) if (side.has(a.id) !== side.has(b.id)) network.cut(a.id, b.id);
        return this.#later(fault.forMs, () => network.heal());
      }
      case "one-way":
        if (fault.from !== fault.to) network.cut(id(fault.from), id(fault.to));
        return this.#later(fault.forMs, () => network.heal());
      case "loss":
        conditions.loss = fault.chance;
        return this.#later(fault.forMs, () => {
          conditions.loss = 0;
        });
      case "duplication":
        conditions.duplication = fault.chance;
        return this.#later(fault.forMs, () => {
          conditions.duplication = 0;
        });
      case "slow-links":
        conditions.delayMaxUs = fault.delayMs * 1_000;
        return this.#later(fault.forMs, () => {
          conditions.delayMaxUs = 2_000;
        });
      case "slow-disk": {
        const { store } = this.#cluster.node(id(fault.node));
        if (store !== undefined) store.syncUs = fault.syncMs * 1_000;
        return undefined;
      }
      case "clock-step": {
        const { time } = this.#cluster.node(id(fault.node));
        if (time !== undefined) time.skewUs += fault.stepMs * 1_000;
        return undefined;
      }
    }
  }

  #loseTargeted(fault: Extract<Fault, { kind: "targeted-loss" }>, id: (index: number) => NodeId): void {
    const { network } = this.#cluster;
    const loss = new TargetedLoss({
      membership: this.#membership,
      decides: id(fault.decides),
      ...(fault.prepares === undefined ? {} : { prepares: id(fault.prepares) }),
    });
    network.isLost = (from, to, frame) => {
      const message = this.#messageOf(frame);
      return message === undefined ? loss.dropsOther(from) : loss.drops(from, to, message);
    };
    this.#later(fault.forMs, () => {
      network.isLost = undefined;
    });
  }

  #down(downMs: number, nodes: readonly NodeId[], kill: (node: NodeId) => void): void {
    for (const node of nodes) {
      kill(node);
      this.#later(downMs, () => this.#cluster.start(node));
    }
  }

  #later(delayMs: number, run: () => void): void {
    this.#scheduler.after(delayMs * 1_000, run);
  }

  /** Faults end: links mend, clocks agree, dead and halted-by-disk nodes come back. Byzantine nodes stay what they are. */
  #heal(): void {
    const { network, nodes } = this.#cluster;
    network.heal();
    network.isLost = undefined;
    network.conditions.delayMaxUs = 2_000;
    for (const node of nodes) {
      if (node.halted?.startsWith("the disk") === true) this.#cluster.crash(node.id);
      if (node.replica === undefined) this.#cluster.start(node.id);
      if (node.time === undefined) continue;
      node.time.skewUs = 0;
      node.time.pausedUntilUs = 0;
      if (node.store !== undefined) Object.assign(node.store, { syncUs: 300, failing: false });
    }
  }

  /** A7: what was submitted through a node that lived is answered or expired, and every honest node stands at one height and takes part. */
  #isDrained(): boolean {
    const honest = this.#cluster.nodes.filter((node) => !this.#byzantine.has(node.id));
    const heights = new Set<number>();
    for (const { replica } of honest) {
      if (replica === undefined) return false;
      const status = replica.status();
      if (status.mode !== "participating" || status.mempool > 0 || status.certified.height !== status.tip.height) return false;
      heights.add(status.tip.height);
    }
    return heights.size === 1;
  }

  #describe(): string {
    const lines = this.#cluster.nodes.map(({ id, replica, halted }) => {
      if (replica === undefined) return `${id} down`;
      const { mode, mempool, tip, certified, consensus, participatesAbove = 0 } = replica.status();
      return `${id} ${halted ?? mode} h=${tip.height} c=${certified.height} v=${consensus.view} ${consensus.phase} above=${participatesAbove} waits=${consensus.waitingFor.join(",")} pool=${mempool}`;
    });
    return lines.join("; ");
  }

  #mark(name: string): void {
    this.#marks.set(name, (this.#marks.get(name) ?? 0) + 1);
  }

  #note(line: string): void {
    for (let i = 0; i < line.length; i++) this.#mix(line.charCodeAt(i));
    this.#options.log?.(`${this.#scheduler.elapsedMs().toFixed(3).padStart(10)} ${line}`);
  }

  #mix(value: number): void {
    const [a = 0, b = 0] = this.#trace;
    this.#trace = [Math.imul(a ^ value, 0x01000193), Math.imul(b + value, 0x85ebca6b) ^ (a >>> 13)];
  }
}

function describe(message: ReturnType<typeof decodeMessage>): string {
  if (message.type === "block") return `block ${message.certificate.height} view ${message.certificate.view}`;
  const view = "view" in message ? ` view ${message.view}` : "";
  const digest = "digest" in message ? ` ${message.digest.slice(0, 8)}` : "";
  return `${message.type} ${message.height}${view}${digest}`;
}
