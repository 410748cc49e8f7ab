import type { Cosignature } from "#audit";
import { decodeSignedCommand, type ErrorCode, errorCode, findMember, hashLeaf, LIMITS, type NodeId, type SignedCommand } from "#base";
import { type ConsensusMessage, certificatesIn, decodeCommitCertificate, decodeMessage, seenVoteOf } from "#consensus";
import type { Parts } from "../assembly.ts";
import type { Handovers } from "../handovers.ts";
import type { Participation } from "../participation/participation.ts";
import type { AdmissionRefusal } from "../proposing/admission.ts";
import { leafKey } from "../proposing/mempool.ts";
import { type ReplicaRules, replicaRules } from "../rules.ts";
import type { Supply } from "../transfer/supply.ts";
import type { Transfer } from "../transfer/transfer.ts";
import type { ReplicaOptions } from "../types.ts";
import { type CosignatureFrame, decodeFrame, type Frame } from "./frames.ts";

/** Why a command may be refused that an honest peer had verified: its clock, what was ordered meanwhile, and the room in this node's pool. */
const HONEST_REFUSALS: ReadonlySet<ErrorCode> = new Set(["COMMAND_EXPIRED", "COMMAND_DUPLICATE", "QUORUM_BUSY"]);

/** What peers say, beside consensus, and what they are told: commands, cosignatures, tips, blocks for who is behind, answers to probes. */
export class PeerProtocol {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #participation: Participation;
  readonly #handovers: Handovers;
  readonly #supply: Supply;
  readonly #transfer: Transfer;
  readonly #onWork: () => void;
  readonly #rules: ReplicaRules;
  #relay: Uint8Array[] = [];
  /** What the others were told last of whether this node votes. */
  #toldVotes = false;

  /** @param handlers.onWork runs when a peer's command went into the pool */
  constructor(
    options: ReplicaOptions,
    parts: Parts,
    handlers: {
      readonly participation: Participation;
      readonly handovers: Handovers;
      readonly supply: Supply;
      readonly transfer: Transfer;
      onWork(): void;
    },
  ) {
    this.#options = options;
    this.#rules = options.rules?.replica ?? replicaRules;
    this.#parts = parts;
    this.#participation = handlers.participation;
    this.#handovers = handlers.handovers;
    this.#supply = handlers.supply;
    this.#transfer = handlers.transfer;
    this.#onWork = () => handlers.onWork();
  }

  /**
   * Hostile bytes from a peer: what does not read is counted against it and has no other effect. What reads and makes this node fail all the
   * same is this node's own fault, and is not caught here.
   */
  onFrame(from: NodeId, bytes: Uint8Array): void {
    const frame = this.#read(from, () => decodeFrame(bytes));
    if (frame?.kind === "consensus") this.onMessageBytes(from, frame.message);
    else if (frame !== undefined) this.#dispatch(from, frame);
  }

  /** A consensus message as it travels, from the link or by way of catching up. */
  onMessageBytes(from: NodeId, bytes: Uint8Array): void {
    const message = this.#read(from, () => decodeMessage(bytes));
    if (message !== undefined) this.#onMessage(from, message);
  }

  onPeerUp(peer: NodeId): void {
    this.#options.telemetry.log("info", "peer up", { peer });
    this.#parts.watch.relayAgain();
    this.sendTip(peer);
    this.resendCosignature(peer);
    this.#participation.ask(peer);
  }

  onPeerDown(peer: NodeId, reason: string): void {
    this.#parts.peers.noteAway(peer);
    this.#options.telemetry.log("warn", "peer down", { peer, reason });
    if (peer !== this.#parts.driver.snapshot().leader) return;
    // A link that comes back at once is no reason to replace the leader; and where leaders take turns another one may lead by then.
    this.#options.timers.after(this.#parts.timing.leaderGraceMs, () => {
      const { view, leader } = this.#parts.driver.snapshot();
      const isAway = leader === peer && !this.#parts.peers.connected().includes(peer);
      if (isAway && this.#participation.isParticipating) this.#parts.driver.step({ type: "suspect", view });
    });
  }

  /** Tells a peer where this node stands. */
  sendTip(peer: NodeId): void {
    const { peers, ledger, certifier } = this.#parts;
    const { awaitedHeight: floor, votes } = this.#participation;
    peers.send(peer, { kind: "tip", height: ledger.tip.height, certifiedHeight: certifier.certifiedHeight, floor, votes });
  }

  /** Tells everybody where this node stands. */
  sendTips(): void {
    this.#toldVotes = this.#participation.votes;
    for (const peer of this.#parts.peers.others) this.sendTip(peer);
  }

  /** Tells everybody that this node votes now, or does so no more, where they were told otherwise. */
  announceVoting(): void {
    if (this.#participation.votes !== this.#toldVotes) this.sendTips();
  }

  /** Sends a decided block to a peer that is behind, if it is still stored. */
  sendBlock(to: NodeId, height: number): void {
    const { serving, ledger, peers } = this.#parts;
    if (!serving.allows(to)) return;
    const message = ledger.encodedBlock(height);
    serving.spend(to, message?.length ?? 0);
    if (message !== undefined) peers.send(to, { kind: "consensus", message });
  }

  /** Cosigns the log after a height for everybody, if this node takes part there. */
  cosign(height: number): void {
    if (!this.#participation.mayCosign(height)) return;
    this.#parts.certifier.cosign(height, (cosignature) => {
      const frame = cosignatureFrame(height, cosignature);
      this.#parts.writeAhead.output(() => this.#parts.peers.broadcast(frame));
    });
  }

  /** Sends a peer the newest cosignature again. */
  resendCosignature(peer: NodeId): void {
    const height = this.#parts.certifier.newestHeight;
    if (!this.#participation.mayCosign(height)) return;
    this.#parts.certifier.cosign(height, (cosignature) => this.#parts.peers.send(peer, cosignatureFrame(height, cosignature)));
  }

  /** Tells every peer of a command that a client brought, together with what else arrives in this turn of the loop. */
  relay(signed: SignedCommand): void {
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

  #read<T>(from: NodeId, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#parts.peers.misbehaved(from, errorCode(error));
      return undefined;
    }
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    const vote = seenVoteOf(message, this.#options.hasher);
    if (vote !== undefined) {
      this.#parts.peers.noteVote(from, vote);
      this.#parts.heardVotes.note(from, vote);
    }
    this.#parts.heardViews.note(from, message);
    for (const certificate of certificatesIn(message)) this.#parts.forks.note(from, certificate);
    this.#parts.driver.step({ type: "message", from, message });
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
      case "handover-request":
        if (!this.#maySpend(from)) return undefined;
        return this.#handovers.onRequest(from, frame.epoch);
      case "handover":
        return this.#handovers.onAnswer(from, frame);
      case "heard":
        return this.#parts.heardVotes.onHeard(from, frame.votes);
      case "probe":
        if (!this.#maySpend(from)) return undefined;
        return this.#participation.answer(from, frame.nonce);
      case "probe-reply":
        this.#onShown(from, frame.certificate);
        return this.#participation.onReply(from, frame);
      case "state-offer":
        return this.#parts.catchUp.onOffer(from, frame.fromHeight) ? this.#transfer.begin(from, frame.offer) : undefined;
      case "state-request":
        if (!this.#maySpend(from)) return undefined;
        return this.#supply.onStateRequest(from, frame);
      case "state-part":
        return this.#transfer.onStatePart(from, frame);
      case "log-request":
        if (!this.#maySpend(from)) return undefined;
        return this.#supply.onLogRequest(from, frame);
      case "log-part":
        return this.#transfer.onLogPart(from, frame);
    }
  }

  /** The certificate of a peer's tip, in an answer that this node may not even wait for; none at genesis. */
  #onShown(from: NodeId, encoded: Uint8Array): void {
    const certificate = encoded.length === 0 ? undefined : this.#read(from, () => decodeCommitCertificate(encoded));
    if (certificate !== undefined) this.#parts.forks.note(from, certificate);
  }

  #onCommands(from: NodeId, commands: readonly Uint8Array[]): void {
    const { mempool, ledger, admission, peers, forged } = this.#parts;
    for (const encoded of commands) {
      if (!forged.allows(from)) return peers.misbehaved(from, "REQUEST_RATE_LIMITED");
      // Most relayed commands are here already: a hash tells sooner than a parser.
      const leaf = hashLeaf(this.#options.hasher, encoded);
      const isKnown = mempool.byLeaf(leafKey(leaf)) !== undefined;
      if (isKnown && !this.#rules.relaysOnce) peers.broadcast({ kind: "commands", commands: [encoded] });
      if (isKnown) continue;
      try {
        const signed = decodeSignedCommand(this.#options.hasher, encoded);
        if (mempool.has(signed.hash) || ledger.wasOrdered(signed)) continue;
        const admitted = (refusal: AdmissionRefusal | undefined): void => {
          if (refusal === undefined) return this.#onWork();
          if (!HONEST_REFUSALS.has(refusal.code)) forged.spend(from, 1);
          return this.#options.telemetry.count("quorumgate_refusals_total", 1, { code: refusal.code });
        };
        // Reading refuses every other form of the same command, so these bytes are the ones that writing would give.
        admission.admit(signed, admitted, { encoded, leaf });
      } catch (error) {
        const code = errorCode(error);
        // A disk that fails is no fault of the peer's.
        if (code.startsWith("STORAGE_")) throw error;
        forged.spend(from, 1);
        peers.misbehaved(from, code);
      }
    }
  }

  #onTip(from: NodeId, tip: Extract<Frame, { kind: "tip" }>): void {
    const { peers, catchUp, ledger, certifier, awaited } = this.#parts;
    peers.noteTip(from, tip);
    if (findMember(ledger.membership, from) !== undefined) {
      awaited.note(from, tip.floor, {
        tipHeight: ledger.tip.height,
        window: ledger.genesis.window,
        nowUs: this.#options.clock.nowUs(),
      });
    }
    if (tip.height > ledger.tip.height + 1) catchUp.want(tip.height, from);
    if (tip.certifiedHeight < certifier.certifiedHeight && this.#maySpend(from)) this.resendCosignature(from);
  }

  /** Whether a peer may be answered; counts the answer, where that is small, against it. */
  #maySpend(peer: NodeId, bytes = 0): boolean {
    const { serving, peers } = this.#parts;
    if (!serving.allows(peer)) {
      peers.misbehaved(peer, "REQUEST_RATE_LIMITED");
      return false;
    }
    serving.spend(peer, bytes);
    return true;
  }

  #onSyncRequest(from: NodeId, fromHeight: number): void {
    if (!this.#maySpend(from)) return;
    const offer = fromHeight < this.#parts.ledger.blocksFrom ? this.#supply.offerFor(from, fromHeight) : undefined;
    if (offer !== undefined) {
      this.#parts.serving.spend(from, offer.length);
      this.#parts.writeAhead.output(() => this.#parts.peers.send(from, { kind: "state-offer", fromHeight, offer }));
      return;
    }
    const blocks: Uint8Array[] = [];
    let bytes = 0;
    for (let height = fromHeight; blocks.length < LIMITS.syncBlocksMax; height++) {
      const block = this.#parts.ledger.encodedBlock(height);
      if (block === undefined || bytes > LIMITS.syncBytesMax) break;
      blocks.push(block);
      bytes += block.length;
    }
    this.#parts.serving.spend(from, bytes);
    this.#parts.writeAhead.output(() => this.#parts.peers.send(from, { kind: "sync-response", fromHeight, blocks }));
  }
}

function cosignatureFrame(height: number, { size, root, seconds, logSignature, witnessSignature }: Cosignature): CosignatureFrame {
  return { kind: "cosignature", height, size, root, seconds, logSignature, witnessSignature };
}
