import {
  decodeSignedCommand,
  encodeUtf8,
  errorCode,
  type Hash,
  hashLeaf,
  headerDigest,
  LIMITS,
  type NodeId,
  type SignedCommand,
  type WriteOperation,
} from "#base";
import {
  type CommitCertificate,
  type ConsensusMessage,
  decodeMessage,
  type Evidence,
  encodeCommitCertificate,
  type Proposal,
} from "#consensus";
import type { LedgerState } from "#state";
import { assemble, type Parts } from "./assembly.ts";
import type { Certified } from "./certifier.ts";
import type { ProposalSlot } from "./core-driver.ts";
import { type CosignatureFrame, decodeFrame, type Frame, type ProbeReplyFrame } from "./frames.ts";
import { countOperation, votesCounted } from "./guard-count.ts";
import { STORE_KEYS } from "./keys.ts";
import { LogReader } from "./log-reader.ts";
import { leafKey } from "./mempool.ts";
import { answerProbe, Probe, type ProbeVerdict } from "./rejoin.ts";
import { forgetRecords } from "./startup.ts";
import type { OrderedRecord, ReplicaMode, ReplicaOptions, ReplicaStatus, SubmitAnswer } from "./types.ts";

/** Evidence kept in memory for status. */
const EVIDENCE_KEPT = 100;

/**
 * One node of the ledger: a consensus core, the ledger that it orders, and the ports around them. Everything runs in the callbacks of
 * the ports, one at a time; nothing waits, nothing sleeps.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  /** Reads of the log: receipts, proofs, tiles, checkpoints. */
  readonly reader: LogReader;
  #mode: ReplicaMode = "starting";
  #haltReason: string | undefined;
  #probe: Probe | undefined;
  /** Takes part above this height only; undefined before the verdict of the probe. */
  #participatesAbove: number | undefined;
  #slot: ProposalSlot | undefined;
  #proposeScheduled = false;
  #relay: Uint8Array[] = [];
  #pending = false;
  #lastTipHeight = -1;
  #ticks = 0;
  readonly #evidence: Evidence[] = [];

  private constructor(options: ReplicaOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.reader = new LogReader({ ledger: parts.ledger, certifier: parts.certifier, store: options.store, genesis: parts.ledger.genesis });
  }

  /** Loads a node's ledger and memory from its store. Errors: STORAGE_CORRUPT, GENESIS_INVALID. */
  static open(options: ReplicaOptions, done: (error: Error | undefined, replica?: Replica) => void): void {
    let replica: Replica | undefined;
    const late = (): Replica => {
      if (replica === undefined) throw new Error("the replica is not assembled yet");
      return replica;
    };
    assemble(
      options,
      {
        onCertified: (certified) => late().#onCertified(certified),
        halt: (reason) => late().#halt(reason),
        decide: (proposal, certificate) => late().#decide(proposal, certificate),
        wantProposal: (slot) => late().#wantProposal(slot),
        evidence: (evidence) => late().#onEvidence(evidence),
        sendBlock: (to, height) => late().#sendBlock(to, height),
        feed: (from, message) => late().#onMessage(from, message),
      },
      (error, parts) => {
        if (error !== undefined || parts === undefined) return done(error ?? new Error("no replica"));
        replica = new Replica(options, parts);
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
      onPeerUp: (peer: NodeId) => this.#onPeerUp(peer),
      onPeerDown: (peer: NodeId, reason: string) => this.#onPeerDown(peer, reason),
    };
    this.#options.transport.start(events, (error) => {
      if (error !== undefined) return done(error);
      this.#mode = "recovering";
      this.#parts.driver.step({ type: "start" });
      this.#beginProbe();
      this.#scheduleTick();
      return done();
    });
  }

  /** Stops links and timers; callers that still wait are told. The store stays open. */
  stop(done: () => void): void {
    if (this.#mode !== "halted") this.#mode = "stopped";
    this.#quiet();
    this.#options.transport.stop(done);
  }

  /**
   * Has a command ordered. Answers exactly once within the time: with its record once a quorum's checkpoint covers it, with a rejection
   * when its bytes are wrong, or with `unavailable`, after which the outcome is unknown until the command expires.
   */
  submit(signed: SignedCommand, timeoutMs: number, done: (answer: SubmitAnswer) => void): void {
    if (this.#mode === "halted" || this.#mode === "stopped") return done(this.#unavailable("QUORUM_STOPPED"));
    const record = this.find(signed.hash);
    if (record !== undefined && record.height <= this.#parts.certifier.certifiedHeight) return done({ kind: "ordered", record });
    const wait = { timeoutMs, onTimeout: () => this.#unavailable("QUORUM_UNAVAILABLE"), done };
    if (record !== undefined) {
      this.#parts.waiters.add(signed.hash, wait);
      return this.#parts.waiters.onApplied(record.height, [record]);
    }
    if (this.isWaiting(signed.hash)) return this.#parts.waiters.add(signed.hash, wait);
    return this.#parts.admission.admit(signed, (refusal) => {
      if (refusal?.code === "QUORUM_BUSY") return done(this.#unavailable("QUORUM_BUSY"));
      if (refusal !== undefined) return done({ kind: "rejected", ...refusal });
      this.#parts.waiters.add(signed.hash, wait);
      this.#relayToAll(signed);
      return this.#onWork();
    });
  }

  /** What became of a command, if it was ordered and applied here. */
  find(command: Hash): OrderedRecord | undefined {
    return this.#parts.ledger.find(command);
  }

  /** True while the command waits to be ordered. */
  isWaiting(command: Hash): boolean {
    return this.#parts.mempool.has(command);
  }

  status(): ReplicaStatus {
    const { driver, ledger, certifier, mempool, peers } = this.#parts;
    const { height, timeUs, digest } = ledger.tip;
    const floor = this.#participatesAbove;
    const consensus = driver.snapshot();
    return {
      node: this.#options.self,
      cluster: ledger.cluster,
      mode: this.#mode,
      ...(this.#haltReason === undefined ? {} : { haltReason: this.#haltReason }),
      ...(this.#mode === "recovering" && floor !== undefined ? { participatesAbove: floor } : {}),
      consensus: { ...consensus, waitingFor: this.#waitingFor() },
      tip: { height, timeUs, digest, stateHash: ledger.state.stateHash },
      certified: certifier.certified?.point ?? { height: 0, size: 0, root: ledger.log.point.root },
      mempool: mempool.size,
      connected: peers.connected(),
      evidence: this.#evidence,
    };
  }

  #onFrame(from: NodeId, bytes: Uint8Array): void {
    if (this.#mode === "halted" || this.#mode === "stopped") return;
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
      if (frame.kind === "consensus") return this.#onMessage(from, decodeMessage(frame.message));
    } catch (error) {
      return this.#parts.peers.misbehaved(from, errorCode(error));
    }
    return this.#dispatch(from, frame);
  }

  #dispatch(from: NodeId, frame: Exclude<Frame, { kind: "consensus" }>): void {
    switch (frame.kind) {
      case "commands":
        return this.#onCommands(from, frame.commands);
      case "cosignature":
        return this.#parts.certifier.receive(from, frame);
      case "tip":
        return this.#onTip(from, frame);
      case "sync-request":
        return this.#onSyncRequest(from, frame.fromHeight);
      case "sync-response":
        return this.#parts.catchUp.onResponse(from, frame);
      case "probe":
        return this.#onProbe(from, frame.nonce);
      case "probe-reply":
        return this.#probe?.onReply(from, frame);
    }
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    const { hasher } = this.#options;
    this.#parts.peers.noteVote(from, message, (headerBytes) => headerDigest(hasher, headerBytes));
    this.#parts.driver.step({ type: "message", from, message });
  }

  #onCommands(from: NodeId, commands: readonly Uint8Array[]): void {
    for (const encoded of commands) {
      // Most relayed commands are here already: a hash tells sooner than a parser.
      if (this.#parts.mempool.byLeaf(leafKey(hashLeaf(this.#options.hasher, encoded))) !== undefined) continue;
      try {
        const signed = decodeSignedCommand(this.#options.hasher, encoded);
        if (this.isWaiting(signed.hash) || this.#parts.ledger.wasOrdered(signed)) continue;
        this.#parts.admission.admit(signed, (refusal) => {
          if (refusal === undefined) this.#onWork();
          else this.#options.telemetry.count("quorumgate_commands_rejected_total", 1, { code: refusal.code });
        });
      } catch (error) {
        this.#parts.peers.misbehaved(from, errorCode(error));
      }
    }
  }

  #onWork(): void {
    this.#setPending(true);
    this.#scheduleProposal();
  }

  #setPending(pending: boolean): void {
    if (pending === this.#pending) return;
    this.#pending = pending;
    this.#parts.driver.step({ type: "pending", pending });
  }

  #wantProposal(slot: ProposalSlot): void {
    this.#slot = slot;
    if (this.#parts.mempool.size > 0) this.#scheduleProposal();
  }

  /** Later in the same turn of the loop, so that what arrived together goes into one block. */
  #scheduleProposal(): void {
    if (this.#slot === undefined || this.#proposeScheduled) return;
    this.#proposeScheduled = true;
    this.#options.timers.after(0, () => {
      this.#proposeScheduled = false;
      if (this.#parts.mempool.size > 0) this.#propose();
    });
  }

  #propose(): void {
    const slot = this.#slot;
    if (slot === undefined || this.#mode === "halted" || this.#mode === "stopped") return;
    if (slot.height - this.#parts.certifier.certifiedHeight > LIMITS.uncertifiedHeightsMax) return;
    this.#slot = undefined;
    this.#parts.driver.step({ type: "propose", draft: this.#parts.proposals.draft(slot) });
  }

  /** Applies a decided block and has it written; nobody outside hears of it before it is durable. */
  #decide(proposal: Proposal, certificate: CommitCertificate): void {
    const { ledger, mempool, proposals, writeAhead, certifier, catchUp, driver, watch, waiters } = this.#parts;
    const commands = proposals.take(proposal);
    if (commands === undefined) return this.#halt("a decided block does not read");
    const nowUs = this.#options.clock.nowUs();
    const applied = ledger.apply({ proposal, certificate, commands });
    for (const { hash } of commands) {
      mempool.remove(hash);
      watch.forget(hash);
    }
    watch.onBlock({ view: certificate.view, full: commands.length >= LIMITS.blockCommandsMax, nowUs });
    if (this.#slot !== undefined && this.#slot.height <= applied.height) this.#slot = undefined;
    const operations: WriteOperation[] = [...applied.operations, ...driver.expired(applied.height), ...this.#certifiedOperations()];
    writeAhead.append(operations, () => {
      driver.step({ type: "applied", height: applied.height });
      this.#options.events?.onBlock?.(applied.event);
      waiters.onApplied(applied.height, applied.records);
      certifier.addPoint(applied.height, applied.point);
      this.#cosign(applied.height);
      catchUp.onTip();
    });
    this.#setPending(mempool.size > 0);
    this.#observe(applied.event.results.length, proposal.header.timeUs, nowUs);
  }

  #observe(commands: number, blockTimeUs: number, nowUs: number): void {
    const { telemetry } = this.#options;
    telemetry.count("quorumgate_blocks_committed_total");
    telemetry.count("quorumgate_commands_ordered_total", commands);
    telemetry.observe("quorumgate_commit_seconds", Math.max(0, nowUs - blockTimeUs) / 1_000_000);
  }

  /** What was certified since the last block, written along with it: after a restart receipts are served at once. */
  #certifiedOperations(): WriteOperation[] {
    const { certified } = this.#parts.certifier;
    return certified === undefined ? [] : this.reader.certifiedOperations(certified);
  }

  #cosign(height: number): void {
    const above = this.#participatesAbove;
    if (this.#mode !== "participating" || above === undefined || height <= above) return;
    this.#parts.certifier.cosign(height, ({ node: _node, ...rest }) => {
      const frame: CosignatureFrame = { kind: "cosignature", height, ...rest };
      this.#parts.writeAhead.output(() => this.#parts.peers.broadcast(frame));
    });
  }

  #onCertified(certified: Certified): void {
    this.#parts.waiters.onCertified(certified.point.height);
    this.#options.events?.onCertified?.(certified.point);
    this.#options.telemetry.gauge("quorumgate_certified_height", certified.point.height);
    this.#maybeParticipate();
    if (this.#slot !== undefined && this.#parts.mempool.size > 0) this.#scheduleProposal();
  }

  #onEvidence(evidence: Evidence): void {
    if (this.#evidence.length < EVIDENCE_KEPT) this.#evidence.push(evidence);
    this.#options.telemetry.log("error", "evidence", { kind: evidence.kind, offender: evidence.offender });
    this.#options.telemetry.count("quorumgate_evidence_total", 1, { kind: evidence.kind });
    this.#options.events?.onEvidence?.(evidence);
  }

  #relayToAll(signed: SignedCommand): void {
    const pooled = this.#parts.mempool.get(signed.hash);
    if (pooled === undefined) return;
    if (this.#relay.length === 0) this.#options.timers.after(0, () => this.#flushRelay());
    this.#relay.push(pooled.encoded);
  }

  #flushRelay(): void {
    const commands = this.#relay;
    this.#relay = [];
    for (let from = 0; from < commands.length; from += LIMITS.relayCommandsMax) {
      this.#parts.peers.broadcast({ kind: "commands", commands: commands.slice(from, from + LIMITS.relayCommandsMax) });
    }
  }

  #onPeerUp(peer: NodeId): void {
    this.#options.telemetry.log("info", "peer up", { peer });
    this.#parts.watch.relayAgain();
    this.#sendTip(peer);
    this.#resendCosignature(peer);
    if (this.#probe !== undefined) this.#parts.peers.send(peer, { kind: "probe", nonce: this.#probe.nonce });
  }

  #onPeerDown(peer: NodeId, reason: string): void {
    this.#options.telemetry.log("warn", "peer down", { peer, reason });
    const { view, leader } = this.#parts.driver.snapshot();
    if (peer !== leader) return;
    // A link that comes back at once is no reason to replace the leader.
    this.#options.timers.after(this.#parts.timing.leaderGraceMs, () => {
      if (this.#mode === "participating" && !this.#parts.peers.connected().includes(peer))
        this.#parts.driver.step({ type: "suspect", view });
    });
  }

  #onTip(from: NodeId, tip: { readonly height: number; readonly certifiedHeight: number }): void {
    const { peers, catchUp, ledger, certifier } = this.#parts;
    peers.noteHeight(from, tip.height);
    if (tip.height > ledger.tip.height + 1) catchUp.want(tip.height, from);
    if (tip.certifiedHeight < certifier.certifiedHeight) this.#resendCosignature(from);
  }

  #sendTip(peer: NodeId): void {
    const { peers, ledger, certifier } = this.#parts;
    peers.send(peer, { kind: "tip", height: ledger.tip.height, certifiedHeight: certifier.certifiedHeight });
  }

  #resendCosignature(peer: NodeId): void {
    const height = this.#parts.certifier.newestHeight;
    const above = this.#participatesAbove;
    if (this.#mode !== "participating" || above === undefined || height <= above) return;
    this.#parts.certifier.cosign(height, ({ node: _node, ...rest }) =>
      this.#parts.peers.send(peer, { kind: "cosignature", height, ...rest }),
    );
  }

  #onSyncRequest(from: NodeId, fromHeight: number): void {
    const blocks: Uint8Array[] = [];
    let bytes = 0;
    for (let height = fromHeight; blocks.length < LIMITS.syncBlocksMax; height++) {
      const block = this.#parts.ledger.encodedBlock(height);
      if (block === undefined || bytes > LIMITS.syncBytesMax) break;
      blocks.push(block);
      bytes += block.length;
    }
    this.#parts.writeAhead.output(() => this.#parts.peers.send(from, { kind: "sync-response", fromHeight, blocks }));
  }

  #sendBlock(to: NodeId, height: number): void {
    const message = this.#parts.ledger.encodedBlock(height);
    if (message !== undefined) this.#parts.peers.send(to, { kind: "consensus", message });
  }

  #onProbe(from: NodeId, nonce: Uint8Array): void {
    const { tip, cluster } = this.#parts.ledger;
    const seen = this.#parts.peers.lastVote(from);
    const certificate = tip.certificate === undefined ? new Uint8Array(0) : encodeCommitCertificate(tip.certificate);
    const reply: Omit<ProbeReplyFrame, "signature"> = {
      kind: "probe-reply",
      nonce,
      height: tip.height,
      certificate,
      ...(seen === undefined ? {} : { seen }),
    };
    const { self, signer } = this.#options;
    answerProbe({ cluster, self, prober: from, signer, reply }, (signed) =>
      this.#parts.writeAhead.output(() => this.#parts.peers.send(from, signed)),
    );
  }

  #beginProbe(): void {
    const { ledger, guard, membership, guardCurrent } = this.#parts;
    const { self, entropy, verifier } = this.#options;
    const tipAtStart = ledger.tip.height;
    this.#probe = new Probe({
      cluster: ledger.cluster,
      self,
      membership,
      window: ledger.genesis.window,
      entropy,
      verifier,
      guardCurrent,
      isRemembered: (vote) => vote.height <= tipAtStart || guard.remembers(vote),
      onVerdict: (verdict) => this.#onVerdict(verdict),
    });
    const { nonce } = this.#probe;
    this.#probe.begin();
    if (this.#probe !== undefined) this.#parts.peers.broadcast({ kind: "probe", nonce });
  }

  #onVerdict(verdict: ProbeVerdict): void {
    this.#probe = undefined;
    if (verdict.kind === "current") {
      this.#participatesAbove = this.#parts.storedFloor;
      return this.#maybeParticipate();
    }
    this.#options.telemetry.log("warn", "vote guard not current", { participatesAbove: verdict.floor });
    return this.#adoptFloor(verdict.floor);
  }

  /** The floor is durable in the batch that makes the folder count as current again. */
  #adoptFloor(floor: number): void {
    forgetRecords(this.#options.store, (error, operations) => {
      if (error !== undefined || operations === undefined) return this.#halt("the store cannot be read");
      const value = encodeUtf8(String(floor));
      this.#parts.writeAhead.append([...operations, { key: STORE_KEYS.floor, value }, countOperation(votesCounted(this.#options))], () => {
        this.#participatesAbove = floor;
        this.#maybeParticipate();
      });
    });
  }

  #maybeParticipate(): void {
    const above = this.#participatesAbove;
    if (this.#mode !== "recovering" || above === undefined || this.#probe !== undefined) return;
    if (above > 0 && this.#parts.certifier.certifiedHeight < above) return;
    this.#mode = "participating";
    this.#options.telemetry.log("info", "participating", { above });
    this.#parts.driver.step({ type: "participate", above });
    for (const peer of this.#parts.peers.others) this.#resendCosignature(peer);
    this.#cosign(this.#parts.certifier.newestHeight);
  }

  #scheduleTick(): void {
    this.#parts.tick = this.#options.timers.after(this.#parts.timing.tickMs, () => {
      if (this.#mode === "halted" || this.#mode === "stopped") return;
      this.#tick();
      this.#scheduleTick();
    });
  }

  #tick(): void {
    const { mempool, ledger, timing, catchUp, peers } = this.#parts;
    const nowUs = this.#options.clock.nowUs();
    this.#ticks += 1;
    mempool.dropExpired(nowUs);
    const idleMs = (nowUs - ledger.tip.timeUs) / 1_000;
    if (idleMs >= timing.heartbeatMs) this.#propose();
    this.#setPending(mempool.size > 0 || idleMs >= timing.heartbeatMs + timing.heartbeatGraceMs);
    this.#watchLeader(nowUs);
    if (this.#ticks % 5 === 0) this.#gossip();
    const highest = peers.highest();
    if (highest.height > ledger.tip.height && ledger.tip.height === this.#lastTipHeight) catchUp.want(highest.height, highest.peer);
    this.#lastTipHeight = ledger.tip.height;
  }

  /** Tells who is behind, and repeats what a lost frame may have kept from somebody. */
  #gossip(): void {
    const { peers, certifier, ledger } = this.#parts;
    for (const peer of peers.others) this.#sendTip(peer);
    if (certifier.certifiedHeight < ledger.tip.height) for (const peer of peers.others) this.#resendCosignature(peer);
    if (this.#probe !== undefined) peers.broadcast({ kind: "probe", nonce: this.#probe.nonce });
  }

  /** Late commands go to everybody once more: the view that this node is in need not be the one that the others are in. */
  #watchLeader(nowUs: number): void {
    const { mempool, watch, timing, driver, peers } = this.#parts;
    const { view, leader, phase } = driver.snapshot();
    const late = mempool.waitingSince(nowUs - timing.relayAfterMs * 1_000, LIMITS.relayCommandsMax);
    const first = late[0];
    if (first === undefined || (leader === this.#options.self && phase !== "changing-view")) return;
    const commands = late.filter(({ signed }) => watch.shouldRelay(signed.hash, view)).map((pooled) => pooled.encoded);
    if (commands.length > 0) peers.broadcast({ kind: "commands", commands });
    const suspectedSinceUs = first.arrivedUs + timing.relayAfterMs * 1_000;
    if (nowUs - suspectedSinceUs > timing.censorshipMs * 1_000 && watch.isLeftOut(suspectedSinceUs)) driver.step({ type: "suspect", view });
  }

  #waitingFor(): readonly NodeId[] {
    if (this.#probe !== undefined) return this.#probe.waitingFor;
    const { driver, peers } = this.#parts;
    const { waitingFor } = driver.snapshot();
    if (waitingFor.length > 0) return waitingFor;
    const connected = new Set(peers.connected());
    return peers.others.filter((peer) => !connected.has(peer));
  }

  #unavailable(code: "QUORUM_UNAVAILABLE" | "QUORUM_BUSY" | "QUORUM_STOPPED"): SubmitAnswer {
    return { kind: "unavailable", code, waitingFor: this.#mode === "stopped" ? [] : this.#waitingFor() };
  }

  #halt(reason: string): void {
    if (this.#mode === "halted") return;
    this.#mode = "halted";
    this.#haltReason = reason;
    this.#options.telemetry.log("error", "halted", { reason });
    this.#quiet();
    this.#options.events?.onHalted?.(reason);
  }

  #quiet(): void {
    const { driver, catchUp, waiters, tick } = this.#parts;
    tick?.cancel();
    driver.stop();
    catchUp.stop();
    waiters.answerAll(this.#unavailable("QUORUM_STOPPED"));
  }
}
