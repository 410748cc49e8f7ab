import { clusterIdOf, faultModelOf, type Hash, type Membership, type NodeId, parseGenesis, SeededRandom } from "#base";
import { Checker } from "./checkers/invariants.ts";
import { type ClusterOptions, SimulatedCluster, type SimulatedNode } from "./cluster.ts";
import type { RunPhase } from "./diagrams/events.ts";
import { RunRecorder } from "./diagrams/recorder.ts";
import { faultRow, faultsOf, SAFETY_MS, spentNodes, USUAL_KINDS } from "./faults/catalogue.ts";
import type { Fault, Laboratory } from "./faults/fault.ts";
import { forgetfulOf, newcomersOf } from "./faults/join-faults.ts";
import { sceneOf } from "./faults/scenes.ts";
import { FrameReader } from "./frame-reader.ts";
import { activationDelayOf } from "./genesis.ts";
import { laboratoryOf } from "./laboratory.ts";
import { describeNodes, drawCore, isDrained, type LivenessReport, livenessBounds, membershipsNow, stayers, waitedFor } from "./liveness.ts";
import { Coverage } from "./marks.ts";
import { Observer } from "./observer.ts";
import type { RunOptions, RunResult } from "./run-result.ts";
import { Scheduler } from "./scheduler.ts";
import { retentionOf, weightsOf, windowOf } from "./shape.ts";
import { TraceHash } from "./trace.ts";
import { Workload } from "./workload.ts";

/** Commands of honest clients in the safety phase, and at the beginning of each stage of the liveness phase. */
const OPERATIONS = { safety: 12, liveness: 1 };
/** Events of a whole schedule, for each node: some twenty times what one takes. A protocol that needs more stops nowhere. */
const EVENTS_MAX = 20_000;
/** How often it is looked whether everything is drained. */
const LOOK_MS = 100;
/** A client sends the same bytes again this often. */
const REPEAT_CHANCE = 0.15;

/** Runs one schedule: a safety phase with its faults, then a liveness phase in which everything honest is healed and must drain. */
export function runSchedule(options: RunOptions): RunResult {
  return new Run(options).run();
}

/** The faults that a seed draws for its cluster: of the kinds that are asked for, or the usual ones and now and then a scene. */
export function drawFaults(
  options: Pick<RunOptions, "seed" | "engine" | "kinds" | "planted" | "retention">,
  weights: readonly number[],
): Fault[] {
  const { seed, engine = "pbft", planted, kinds = planted?.kinds, retention = retentionOf({ seed }) } = options;
  const cluster = { seed, weights, model: faultModelOf(engine) };
  const faults = faultsOf({ ...cluster, kinds: kinds ?? USUAL_KINDS });
  return kinds === undefined ? [...faults, ...sceneOf({ ...cluster, retention })] : faults;
}

class Run {
  readonly #options: RunOptions;
  readonly #faults: readonly Fault[];
  readonly #scheduler = new Scheduler();
  readonly #cluster: SimulatedCluster;
  readonly #clusterId: Hash;
  readonly #checker: Checker;
  readonly #workload: Workload;
  readonly #membership: Membership;
  readonly #byzantine: ReadonlySet<NodeId>;
  readonly #spent: ReadonlySet<NodeId>;
  readonly #random: SeededRandom;
  readonly #coverage = new Coverage();
  readonly #observer = new Observer(this.#coverage);
  readonly #frames = new FrameReader();
  readonly #hits = new Map<string, number>();
  readonly #messages = new Map<string, number>();
  readonly #trace = new TraceHash();
  readonly #waitedFor = new Set<NodeId>();
  readonly #window: number;
  /** Absent in all runs but those that are told. */
  readonly #recorder: RunRecorder | undefined;
  #signatures = 0;
  #liveness: LivenessReport = { core: [], coreMs: undefined, allMs: undefined, waitedFor: [] };

  constructor(options: RunOptions) {
    const { seed, nodes, hasher, keys, planted, engine = "pbft" } = options;
    this.#options = options;
    this.#recorder = options.record && new RunRecorder({ engine, record: options.record, nowMs: () => this.#scheduler.elapsedMs() });
    const weights = options.weights ?? weightsOf({ seed, nodes, engine });
    this.#faults = options.faults ?? drawFaults(options, weights);
    this.#random = new SeededRandom(seed, "workload");
    this.#window = options.window ?? windowOf({ seed, engine });
    const settings = {
      seed,
      engine,
      window: this.#window,
      ...(options.retention ?? retentionOf({ seed })),
      nodes,
      weights,
      hasher,
      keys,
      scheduler: this.#scheduler,
      ...planted?.overrides,
    };
    this.#cluster = this.#makeCluster(settings);
    this.#membership = parseGenesis(this.#cluster.genesisBytes).membership;
    this.#clusterId = clusterIdOf(hasher, this.#cluster.genesisBytes);
    const ids = this.#cluster.nodes.map((node) => node.id);
    const { byzantine, spent } = spentNodes(this.#faults, ids);
    this.#byzantine = byzantine;
    this.#spent = new Set([...spent, ...forgetfulOf(this.#faults)]);
    this.#workload = new Workload({ cluster: this.#cluster, clusterId: this.#clusterId, random: this.#random, keys, hasher });
    this.#checker = new Checker({
      cluster: this.#cluster,
      certificates: { cluster: this.#clusterId, membershipOf: (epoch) => this.#cluster.membershipOf(epoch), engine, keys },
      epochs: { engine, activationDelay: activationDelayOf(planted?.overrides.window ?? this.#window), membership: this.#membership },
      hasher,
      window: planted?.overrides.window ?? this.#window,
      random: new SeededRandom(seed, "samples"),
      honest: (node) => !this.#byzantine.has(node),
      askedFor: (command) => this.#workload.intentOf(command),
      onViolation: (violation) => this.#recorder?.note({ type: "violated", ...violation }),
    });
  }

  run(): RunResult {
    this.#watch();
    const lab = laboratoryOf({
      seed: this.#options.seed,
      hasher: this.#options.hasher,
      keys: this.#options.keys,
      cluster: this.#cluster,
      clusterId: this.#clusterId,
      membership: this.#membership,
      scheduler: this.#scheduler,
      workload: this.#workload,
      frames: this.#frames,
      spent: this.#spent,
      coverage: this.#coverage,
      hits: this.#hits,
    });
    for (const fault of this.#faults) this.#schedule(lab, fault);
    this.#cluster.begin();
    for (let i = 0; i < OPERATIONS.safety; i++)
      this.#scheduler.after((300 + (SAFETY_MS * i) / OPERATIONS.safety) * 1_000, () => this.#submit(this.#cluster.nodes));
    this.#runUntil(SAFETY_MS);
    if (!this.#isOver()) this.#drainAll();
    if (!this.#isOver()) this.#finish();
    const result = this.#result();
    this.#recorder?.onEnd(result);
    return result;
  }

  /** Checks what stands in the logs at the end. */
  #finish(): void {
    const { operations, reads } = this.#workload;
    for (const { seen } of reads) if (seen !== undefined) this.#coverage.sometimes("read-answered");
    for (const { answer, record } of operations) this.#observer.onAnswer(answer, record?.outcome);
    for (const stale of this.#workload.staleReads) this.#checker.fail("A6", stale);
    this.#checker.finish(operations, reads);
    if (this.#checker.isInOrder) this.#coverage.sometimes("history-in-order");
    for (let passed = 0; passed < this.#checker.receipts; passed++) this.#coverage.sometimes("receipt-verified");
  }

  get #eventsMax(): number {
    return EVENTS_MAX * this.#cluster.nodes.length;
  }

  /** Runs what happens until a time, unless the schedule is over before. */
  #runUntil(elapsedMs: number): void {
    const events = this.#eventsMax - this.#scheduler.executed;
    this.#scheduler.runUntil({ elapsedMs, events, done: () => this.#isOver() });
    if (this.#scheduler.executed >= this.#eventsMax) this.#checker.fail("S1", `${this.#eventsMax} events were not enough`);
  }

  /** Whether nothing that is still to come matters. */
  #isOver(): boolean {
    if (this.#scheduler.executed >= this.#eventsMax) return true;
    return this.#options.endsAtViolation === true && this.#checker.violations.length > 0;
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
      hits: Object.fromEntries([...this.#hits].sort()),
      marks: this.#coverage.counts,
      messages: Object.fromEntries([...this.#messages].sort()),
      signatures: this.#signatures,
      receipts: this.#checker.receipts,
      liveness: { ...this.#liveness, waitedFor: [...this.#waitedFor].sort() },
      traceHash: this.#trace.hex,
    };
  }

  #makeCluster(options: ClusterOptions): SimulatedCluster {
    const started = new Set<NodeId>();
    return new SimulatedCluster(options, {
      onBlock: (node, block) => {
        this.#observer.onBlock(block);
        this.#checker.onBlock(node, block);
        this.#trace.text(`${node} applied ${block.height} ${block.digest}`);
        this.#recorder?.onBlock(node, block);
      },
      onInstalled: (node, installed) => {
        this.#coverage.sometimes("state-installed");
        if (this.#cluster.newcomers.some(({ id }) => id === node)) this.#coverage.sometimes("newcomer-took-state");
        this.#checker.onInstalled(node, installed);
        this.#trace.text(`${node} took over the state at ${installed.height}`);
        this.#recorder?.note({ type: "installed", node, height: installed.height });
      },
      onCertified: (node, point) => this.#checker.onCertified(node, point),
      onEvidence: (node, accusation) => {
        const offender = accusation.node;
        this.#trace.text(`${node} has evidence against ${offender}`);
        this.#recorder?.note({ type: "evidence", node, offender });
        this.#observer.onEvidence(accusation.kind);
        this.#checker.onEvidence(node, accusation);
      },
      onForgot: (node) => this.#checker.onForgot(node),
      onHalted: (node, reason, cause) => {
        this.#trace.text(`${node} halted: ${reason}`);
        this.#recorder?.note({ type: "halted", node, reason });
        if (cause !== "wrong") this.#coverage.sometimes(cause);
        this.#checker.onHalted(node, reason, cause);
      },
      onStarted: (node) => this.#recorder?.note({ type: "started", node }),
      onKilled: (node) => this.#recorder?.note({ type: "killed", node }),
      onParticipating: (node) => {
        const status = this.#cluster.node(node).replica?.status();
        if (started.has(node) && status !== undefined) this.#observer.onRestarted(status);
        started.add(node);
      },
      onReport: (node, message) => this.#workload.noteReport(node, message),
      onSign: (purpose) => {
        if (purpose === "vote" || purpose === "proposal") this.#signatures += 1;
      },
      telemetry: this.#observer.telemetry,
    });
  }

  #watch(): void {
    const { network, members } = this.#cluster;
    network.watch = this.#recorder;
    this.#workload.watch = this.#recorder;
    const { seed, engine = "pbft" } = this.#options;
    this.#recorder?.onBegin({
      seed,
      engine,
      window: this.#window,
      members,
      newcomers: newcomersOf(this.#faults),
      faults: this.#faults,
      byzantine: this.#byzantine,
    });
    network.onSend = (from, to, bytes) => this.#onSend(from, to, bytes);
    network.onDelivery = (_from, _to, bytes) => {
      this.#trace.mix(bytes.length * 31 + (bytes[0] ?? 0));
      this.#trace.mix(this.#scheduler.nowUs() % 0x7fffffff);
    };
  }

  /** What a core sends is read once, and counted for each peer. */
  #onSend(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    const isNew = !this.#frames.knows(bytes);
    const read = this.#frames.read(bytes);
    if (read === undefined) return this.#checker.fail("S1", `${from} sends what nobody can read`);
    this.#messages.set(read.name, (this.#messages.get(read.name) ?? 0) + 1);
    const { message } = read;
    if (message?.type === "vote-reply" && message.granted && !message.pre) this.#checker.onElectionVote(from, to, message);
    if (!isNew) return undefined;
    if (!this.#byzantine.has(from)) this.#observer.onSend(read);
    if (message !== undefined) this.#checker.onMessage(from, message);
    if (read.frame.kind === "cosignature") this.#checker.onCosignature(from, read.frame.height);
    return undefined;
  }

  #submit(through: readonly SimulatedNode[]): void {
    const up = through.filter((node) => node.replica !== undefined && node.halted === undefined && !this.#byzantine.has(node.id));
    const earlier = this.#workload.operations;
    if (up.length === 0) return;
    // Now and then a client sends the same bytes again, to another node.
    const repeat = earlier.length > 0 && this.#random.chance(REPEAT_CHANCE);
    const signed = repeat ? this.#random.pick(earlier).signed : this.#workload.next();
    this.#workload.submit(this.#random.pick(up).id, signed);
  }

  #schedule(lab: Laboratory, fault: Fault): void {
    const row = faultRow(fault.kind);
    row.prepare?.(lab, fault);
    if (fault.atMs === undefined) return row.inject(lab, fault);
    lab.later(fault.atMs, () => {
      this.#trace.text(`fault ${JSON.stringify(fault)}`);
      this.#recorder?.note({ type: "fault", fault });
      if (row.countsItself !== true) lab.hit(fault.kind);
      row.inject(lab, fault);
    });
  }

  /** Everything honest is healed. In some schedules a random quorum of it has to drain first while the other honest nodes are away. */
  #drainAll(): void {
    const { network, nodes } = this.#cluster;
    const honest = nodes.filter((node) => !this.#byzantine.has(node.id));
    this.#heal();
    this.#phase("faults-end", honest);
    const startedMs = this.#scheduler.elapsedMs();
    const core = this.#drawCore();
    const outside = honest.filter((node) => !core.includes(node.id));
    const isAlone = outside.length > 0;
    let coreMs: number | undefined;
    if (isAlone) {
      network.partition(new Set(outside.map(({ id }) => id)), [...nodes.map(({ id }) => id)]);
      const inside = honest.filter((node) => core.includes(node.id));
      this.#phase("core-alone", inside);
      coreMs = this.#drain(inside, livenessBounds(this.#window).core);
      if (coreMs !== undefined) this.#coverage.sometimes("core-drained-alone");
      network.heal();
      this.#phase("together", honest);
    }
    const allMs = this.#drain(honest, livenessBounds(this.#window).all);
    if (allMs !== undefined) this.#markMembers(honest);
    this.#liveness = { core, coreMs: isAlone ? coreMs : allMs, allMs, waitedFor: [] };
    this.#trace.text(`drained after ${Math.round(this.#scheduler.elapsedMs() - startedMs)} ms`);
    if (allMs !== undefined) this.#phase("drained", honest);
  }

  #markMembers(drained: readonly SimulatedNode[]): void {
    const stay = stayers(drained);
    const { newcomers } = this.#cluster;
    if (drained.some((node) => !newcomers.includes(node) && !stay.includes(node))) this.#coverage.sometimes("member-left");
    if (newcomers.some((node) => stay.includes(node))) this.#coverage.sometimes("member-joined");
  }

  #drawCore(): readonly NodeId[] {
    const random = new SeededRandom(this.#options.seed, "core");
    const model = faultModelOf(this.#options.engine ?? "pbft");
    const memberships = membershipsNow(this.#cluster, this.#membership);
    const newcomers = this.#cluster.newcomers.map(({ id }) => id);
    const mayLeave = this.#faults.some(({ kind }) => kind === "leave");
    return drawCore({ random, memberships, model, byzantine: this.#byzantine, spent: this.#spent, mayLeave, newcomers });
  }

  /** Virtual time until these nodes have drained; a broken A7 when they do not within the bound. */
  #drain(nodes: readonly SimulatedNode[], boundMs: number): number | undefined {
    const startMs = this.#scheduler.elapsedMs();
    for (let i = 0; i < OPERATIONS.liveness; i++) this.#submit(stayers(nodes));
    for (let elapsedMs = 0; elapsedMs <= boundMs; elapsedMs += LOOK_MS) {
      if (isDrained(nodes)) return elapsedMs;
      for (const id of waitedFor(nodes)) this.#waitedFor.add(id);
      this.#runUntil(startMs + elapsedMs + LOOK_MS);
      if (this.#isOver()) return undefined;
    }
    const names = nodes.map(({ id }) => id).join(", ");
    const waited = [...new Set(waitedFor(nodes))].sort().join(", ");
    this.#checker.fail("A7", `after the heal ${names} did not drain; they wait for ${waited}: ${describeNodes(this.#cluster)}`);
    return undefined;
  }

  /** Faults end: links mend, clocks agree, dead and halted-by-disk nodes come back. Byzantine nodes stay what they are. */
  #heal(): void {
    const { network, nodes } = this.#cluster;
    network.heal();
    for (const node of nodes) {
      if (node.halted?.startsWith("the disk") === true) this.#cluster.crash(node.id);
      node.time?.heal();
      node.store?.heal();
      this.#cluster.start(node.id);
    }
  }

  #phase(phase: RunPhase, nodes: readonly SimulatedNode[]): void {
    this.#recorder?.note({ type: "phase", phase, nodes: nodes.map(({ id }) => id) });
  }
}
