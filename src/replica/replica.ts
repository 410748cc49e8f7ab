import {
  type Accusation,
  faultModelOf,
  findMember,
  type Hash,
  isQuorum,
  LIMITS,
  type NodeId,
  type SignedCommand,
  totalWeight,
  type WriteOperation,
  weightOf,
} from "#base";
import { accusationOf, type CommitCertificate, type Evidence, type Proposal } from "#consensus";
import type { LedgerState } from "#state";
import { assemble, type Parts } from "./assembly.ts";
import { ownFault } from "./core-driver.ts";
import { Epochs } from "./epochs.ts";
import { EvidenceReports } from "./evidence/evidence-reports.ts";
import { haltingTimers } from "./halting-timers.ts";
import { Handovers } from "./handovers.ts";
import { Housekeeping } from "./housekeeping.ts";
import type { Certified } from "./ledger/certifier.ts";
import { LogReader } from "./ledger/log-reader.ts";
import { Participation } from "./participation/participation.ts";
import { PeerProtocol } from "./peers/peer-protocol.ts";
import { noteDecided } from "./proposing/decided-commands.ts";
import { handOver } from "./proposing/hand-over.ts";
import { Proposer } from "./proposing/proposer.ts";
import type { ReadAnswer } from "./reads.ts";
import { replicaRules } from "./rules.ts";
import { Submissions } from "./submissions.ts";
import { Installer } from "./transfer/installer.ts";
import { Supply } from "./transfer/supply.ts";
import { Transfer } from "./transfer/transfer.ts";
import type { OrderedRecord, ReplicaMode, ReplicaOptions, ReplicaStatus, SubmitAnswer } from "./types.ts";

/**
 * One node of the ledger: a consensus core, the ledger that it orders, and the ports around them. Everything runs in the callbacks of
 * the ports, one at a time; nothing waits, nothing sleeps.
 */
export class Replica {
  /** Reads of the log: receipts, proofs, tiles, checkpoints. */
  readonly reader: LogReader;
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #participation: Participation;
  readonly #proposer: Proposer;
  readonly #peers: PeerProtocol;
  readonly #housekeeping: Housekeeping;
  readonly #epochs: Epochs;
  readonly #transfer: Transfer;
  readonly #submissions: Submissions;
  #life: "starting" | "running" | "halted" | "stopped" = "starting";
  #haltReason: string | undefined;
  readonly #reports: EvidenceReports;

  private constructor(options: ReplicaOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    const { ledger, certifier, salvage } = parts;
    const { store, hasher } = options;
    this.reader = new LogReader({ ledger, certifier, store, salvage, genesis: ledger.genesis, hasher });
    this.#participation = new Participation(options, parts, {
      onParticipating: (above) => this.#onParticipating(above),
      halt: (reason) => this.#halt(reason),
    });
    this.#proposer = new Proposer(options, parts, () => !this.#isOver);
    const handovers = new Handovers(options, parts);
    const supply = new Supply(options, parts);
    this.#transfer = new Transfer(options, parts, {
      onFetched: (fetched) => installer.install(fetched),
      halt: (reason) => this.#halt(reason),
    });
    this.#peers = new PeerProtocol(options, parts, {
      participation: this.#participation,
      handovers,
      supply,
      transfer: this.#transfer,
      onWork: () => this.#proposer.onWork(),
    });
    this.#submissions = new Submissions(parts, {
      isOver: () => this.#isOver,
      unavailable: (code) => this.#unavailable(code),
      relay: (signed) => this.#peers.relay(signed),
      onWork: () => this.#proposer.onWork(),
    });
    const reports = new EvidenceReports(options, parts, {
      submit: (signed, timeoutMs, answered) => this.submit(signed, timeoutMs, answered),
      halt: (reason) => this.#halt(reason),
    });
    this.#reports = reports;
    const handlers = { peers: this.#peers, proposer: this.#proposer, participation: this.#participation, handovers, reports, supply };
    this.#housekeeping = new Housekeeping(options, parts, handlers);
    this.#epochs = new Epochs(options, parts, handlers);
    const installer = new Installer(options, parts, {
      ...handlers,
      epochs: this.#epochs,
      isOver: () => this.#isOver,
      halt: (reason) => this.#halt(reason),
    });
  }

  /** Loads a node's ledger and memory from its store. Errors: STORAGE_CORRUPT, GENESIS_INVALID. */
  static open(options: ReplicaOptions, done: (error: Error | undefined, replica?: Replica) => void): void {
    let replica: Replica | undefined;
    const late = (): Replica => {
      if (replica === undefined) throw new Error("the replica is not assembled yet");
      return replica;
    };
    const guarded = { ...options, timers: haltingTimers(options.timers, (cause) => late().#halt(ownFault(cause))) };
    assemble(
      guarded,
      {
        onCertified: (certified) => late().#onCertified(certified),
        halt: (reason) => late().#halt(reason),
        decide: (proposal, certificate) => late().#decide(proposal, certificate),
        wantProposal: (slot) => late().#proposer.onSlot(slot),
        evidence: (evidence) => late().#onEvidence(evidence),
        accuse: (accusation) => late().#accuse(accusation),
        sendBlock: (to, height) => late().#peers.sendBlock(to, height),
        feed: (from, bytes) => late().#peers.onMessageBytes(from, bytes),
      },
      (error, parts) => {
        if (error !== undefined || parts === undefined) return done(error ?? new Error("no replica"));
        replica = new Replica(guarded, parts);
        return done(undefined, replica);
      },
    );
  }

  /** The replicated state, for queries. */
  get state(): LedgerState {
    return this.#parts.ledger.state;
  }

  get cluster(): Hash {
    return this.#parts.ledger.cluster;
  }

  /** Starts links, asks the others about this node's past, and takes part once it may. */
  start(done: (error?: Error) => void): void {
    const events = {
      onFrame: (from: NodeId, frame: Uint8Array) => this.#onFrame(from, frame),
      onPeerUp: (peer: NodeId) => this.#orHalt(() => this.#peers.onPeerUp(peer)),
      onPeerDown: (peer: NodeId, reason: string) => this.#orHalt(() => this.#peers.onPeerDown(peer, reason)),
    };
    this.#options.transport.start(events, (error) => {
      if (error !== undefined) return done(error);
      this.#life = "running";
      this.#parts.driver.step({ type: "start" });
      this.#epochs.begin();
      this.#reports.begin();
      this.#participation.begin();
      this.#housekeeping.start();
      return done();
    });
  }

  /** Stops links and timers, a Raft leader after another one leads; callers that still wait are told. The store stays open. */
  stop(done: () => void): void {
    handOver(this.#options, this.#parts, { isRunning: () => this.#life === "running" }, () => {
      if (this.#life !== "halted") this.#life = "stopped";
      this.#quiet();
      this.#options.transport.stop(done);
    });
  }

  /**
   * Has a command ordered. Answers exactly once within the time: with its record once a quorum's checkpoint covers it, with a rejection
   * when its bytes are wrong, or with `unavailable`, after which the outcome is unknown until the command expires.
   */
  submit(signed: SignedCommand, timeoutMs: number, onAnswer: (answer: SubmitAnswer) => void): void {
    const done = this.#parts.measures.until("quorumgate_submit_seconds", { done: onAnswer, isAnswer: ({ kind }) => kind === "ordered" });
    this.#submissions.submit(signed, timeoutMs, done);
  }

  /**
   * A linearizable read: `look` sees everything that was acknowledged to anybody before the call, and what it saw is certified before it is
   * answered. Answers exactly once within the time. Nothing is ordered (docs/protocols/pbft.md, rules R1 to R3; raft.md, R1 and R2).
   */
  read<T>(timeoutMs: number, look: () => T, done: (answer: ReadAnswer<T>) => void): void {
    if (this.#isOver) return done({ kind: "unavailable" });
    return this.#parts.reads.begin(timeoutMs, look, done);
  }

  /**
   * A look at what this node has applied, however far the others are. Answers exactly once within the time, with what is on this node's disk: what
   * a crash can still take back is told to nobody. A node that halted answers as long as its disk has all of what it applied.
   */
  readLocal<T>(timeoutMs: number, look: () => T, done: (answer: ReadAnswer<T>) => void): void {
    const { ledger, certifier, reads } = this.#parts;
    if (this.#isOver && certifier.newestHeight < ledger.tip.height) return done({ kind: "unavailable" });
    return reads.beginLocal(timeoutMs, look, done);
  }

  /** What became of a command, if it was ordered and applied here, and is durable: before that it is told to nobody. */
  find(command: Hash): OrderedRecord | undefined {
    return this.#submissions.find(command);
  }

  /** True while the command waits to be ordered, or its block to be durable. */
  isWaiting(command: Hash): boolean {
    return this.#submissions.isWaiting(command);
  }

  status(): ReplicaStatus {
    const { driver, ledger, certifier, mempool, peers } = this.#parts;
    const { height, timeUs, digest } = ledger.tip;
    const floor = this.#participation.above;
    const mode = this.#mode;
    const consensus = driver.snapshot();
    const transfer = this.#transfer.progress;
    return {
      node: this.#options.self,
      cluster: ledger.cluster,
      mode,
      ...(this.#haltReason === undefined ? {} : { haltReason: this.#haltReason }),
      ...(mode === "recovering" && floor !== undefined ? { participatesAbove: floor } : {}),
      consensus: { ...consensus, waitingFor: this.#waitingFor() },
      membership: ledger.membership,
      epochFirstHeight: ledger.state.epochFirstHeight(),
      learners: ledger.state.learners(),
      pending: ledger.state.pendingChange(),
      tip: { height, timeUs, digest, stateHash: ledger.state.stateHash },
      certified: certifier.certified?.point ?? { height: 0, size: 0, root: ledger.log.point.root },
      mempool: mempool.size,
      blocksFrom: ledger.blocksFrom,
      ...(transfer === undefined ? {} : { transfer }),
      connected: peers.connected(),
      voting: peers.voting(),
      evidence: ledger.state.evidence(),
      evidenceHeld: this.#reports.count,
      proposedRemovals: ledger.state.proposedRemovals(),
    };
  }

  get #mode(): ReplicaMode {
    if (this.#life !== "running") return this.#life;
    if (findMember(this.#parts.ledger.membership, this.#options.self) === undefined) return "following";
    return this.#participation.votes ? "participating" : "recovering";
  }

  get #isOver(): boolean {
    return this.#life === "halted" || this.#life === "stopped";
  }

  /** What a frame makes this node throw is its own fault, as in a step of the core: nobody is blamed, and the node stops. */
  #onFrame(from: NodeId, frame: Uint8Array): void {
    if (!this.#isOver) this.#orHalt(() => this.#peers.onFrame(from, frame));
  }

  #orHalt(run: () => void): void {
    try {
      run();
    } catch (cause) {
      this.#halt(ownFault(cause));
    }
  }

  /** Applies a decided block and has it written; nobody outside hears of it before it is durable. */
  #decide(proposal: Proposal, certificate: CommitCertificate): void {
    const { ledger, proposals, writeAhead, certifier, catchUp, driver, waiters, reads, measures } = this.#parts;
    const commands = proposals.take(proposal);
    if (commands === undefined) return this.#halt("a decided block does not read");
    const nowUs = this.#options.clock.nowUs();
    certifier.learn(proposal.header.certified, proposal.certifiedProof);
    const applied = measures.timed("quorumgate_apply_seconds", () => ledger.apply({ proposal, certificate, commands }));
    this.#epochs.onDecided();
    noteDecided(this.#parts, { header: proposal.header, view: certificate.view, commands, results: applied.event.results, nowUs });
    this.#proposer.onDecided(applied.height, commands.length);
    const { blocksKept = LIMITS.blocksKept } = this.#options;
    const operations: WriteOperation[] = [
      ...applied.operations,
      ...driver.expired(applied.height),
      ...this.reader.certifiedOperations(),
      ...ledger.stable.drop(certifier.certifiedHeight),
      ...ledger.prune(certifier.certifiedHeight, blocksKept),
    ];
    const cosign = (): void => {
      certifier.addPoint(applied.height, applied.point);
      reads.proceed();
      measures.onCosigned(applied.height);
      this.#peers.cosign(applied.height);
    };
    const { cosignsWrittenOnly } = this.#options.rules?.replica ?? replicaRules;
    if (!cosignsWrittenOnly) cosign();
    writeAhead.append(operations, () => {
      driver.step({ type: "applied", height: applied.height });
      this.#options.events?.onBlock?.(applied.event);
      waiters.onApplied(applied.height, applied.records);
      if (cosignsWrittenOnly) cosign();
      // The state of a later height is about to take this one's place: it says which epoch this is.
      if (!driver.isSuspended) this.#epochs.onApplied(applied.height);
      this.#parts.heardVotes.onApplied(applied.height);
      this.#parts.heardViews.onApplied();
      this.#parts.forks.onApplied();
      catchUp.onTip();
      this.#transfer.onTip();
    });
    this.#proposer.setPending(this.#proposer.isPending);
    measures.onBlock(applied.event, { nowUs, epoch: driver.snapshot().epoch });
  }

  #onCertified(certified: Certified): void {
    this.#parts.waiters.onCertified(certified.point.height);
    this.#parts.reads.proceed();
    this.#options.events?.onCertified?.(certified.point);
    this.#parts.measures.onCertified(certified.point.height);
    this.#participation.proceed();
    this.#proposer.onCertified();
    this.#epochs.onCertified();
  }

  /** What a core found, its signatures verified. */
  #onEvidence(evidence: Evidence): void {
    const members = this.#parts.ledger.state.epoch(evidence.first.body.epoch)?.membership;
    const accusation = members === undefined ? undefined : accusationOf(evidence, members);
    if (accusation !== undefined) this.#accuse(accusation);
  }

  #accuse(accusation: Accusation): void {
    const { kind, node } = accusation;
    this.#options.telemetry.log("error", "evidence", { kind, offender: node });
    this.#options.telemetry.count("quorumgate_evidence_total", 1, { kind });
    this.#reports.hold(accusation, () => this.#options.events?.onEvidence?.(accusation));
  }

  #onParticipating(above: number): void {
    this.#parts.driver.step({ type: "participate", above });
    this.#peers.announceVoting();
    for (const peer of this.#parts.peers.others) this.#peers.resendCosignature(peer);
    this.#peers.cosign(this.#parts.certifier.newestHeight);
  }

  /** Whom this node waits for: where no quorum that votes is linked, those who do not; else those whose votes are missing. */
  #waitingFor(): readonly NodeId[] {
    const { driver, ledger } = this.#parts;
    const { membership } = ledger;
    const { self } = this.#options;
    const { voters } = this.#participation;
    const away = membership.members.map(({ id }) => id).filter((id) => id !== self && !voters.includes(id));
    if (!isQuorum(weightOf(membership, voters), totalWeight(membership), faultModelOf(ledger.genesis.engine))) return away;
    const awaited = this.#participation.waitingFor ?? driver.snapshot().waitingFor;
    return awaited.length > 0 ? awaited.filter((peer) => peer !== self) : away;
  }

  #unavailable(code: "QUORUM_UNAVAILABLE" | "QUORUM_BUSY" | "QUORUM_STOPPED"): SubmitAnswer {
    return { kind: "unavailable", code, waitingFor: this.#life === "stopped" ? [] : this.#waitingFor() };
  }

  #halt(reason: string): void {
    // What fails while a node stops, as a read of a store that closes, is no news.
    if (this.#isOver) return;
    this.#life = "halted";
    this.#haltReason = reason;
    this.#options.telemetry.log("error", "halted", { reason });
    this.#quiet();
    this.#peers.announceVoting();
    this.#housekeeping.measure();
    this.#options.events?.onHalted?.(reason);
  }

  #quiet(): void {
    const { driver, catchUp, waiters, reads, writeAhead } = this.#parts;
    this.#housekeeping.stop();
    this.#participation.stop();
    driver.stop();
    catchUp.stop();
    this.#transfer.stop();
    reads.stop();
    writeAhead.stop();
    waiters.answerAll(this.#unavailable("QUORUM_STOPPED"));
  }
}
