import {
  InvariantError,
  type NodeId,
  type NodeSigner,
  type SignatureVerifier,
  signedBytes,
  type TimerHandle,
  type Timers,
  type WriteOperation,
} from "#base";
import {
  type CommitCertificate,
  type ConsensusMessage,
  type Core,
  type CoreSnapshot,
  type Effect,
  type Evidence,
  encodeGuardRecord,
  guardKey,
  type Input,
  type Proposal,
  type SignIntent,
  type TimerName,
  type VoteGuard,
  type WalRecord,
} from "#consensus";
import { STORE_KEYS } from "./keys.ts";
import type { ProposalCheck } from "./proposals.ts";
import type { WriteAhead } from "./write-ahead.ts";

/** What the leader may propose for. */
export type ProposalSlot = Omit<Extract<Effect, { type: "want-proposal" }>, "type">;

/** What the driver of the core needs from the replica. */
export interface CoreDriverPorts {
  readonly writeAhead: WriteAhead;
  readonly signer: NodeSigner;
  readonly verifier: SignatureVerifier;
  readonly timers: Timers;
  readonly guard: VoteGuard;
  send(to: NodeId, message: ConsensusMessage): void;
  broadcast(message: ConsensusMessage): void;
  sendBlock(to: NodeId, height: number): void;
  validate(proposal: Proposal, check: ProposalCheck, done: (valid: boolean) => void): void;
  wantProposal(slot: ProposalSlot): void;
  decide(proposal: Proposal, certificate: CommitCertificate): void;
  requestSync(fromHeight: number, peers: readonly NodeId[]): void;
  evidence(evidence: Evidence): void;
  readAt(id: number, height: number | undefined): void;
  halt(reason: string): void;
}

/**
 * Runs one consensus core: its effects become writes, signatures, frames and timers, in the order of the contract in
 * consensus/core.ts. Inputs that arise while a step's effects run wait their turn.
 */
export class CoreDriver {
  readonly #core: Core;
  readonly #ports: CoreDriverPorts;
  readonly #inputs: Input[] = [];
  readonly #timers = new Map<TimerName, TimerHandle>();
  readonly #prefix: string;
  #running = false;
  #stopped = false;

  /** @param epoch the core's: records of different epochs stand apart */
  constructor(core: Core, ports: CoreDriverPorts, epoch: number) {
    this.#core = core;
    this.#ports = ports;
    this.#prefix = STORE_KEYS.walOfEpoch(epoch);
  }

  snapshot(): CoreSnapshot {
    return this.#core.snapshot();
  }

  /** Feeds an input and runs what follows from it. */
  step(input: Input): void {
    if (this.#stopped) return;
    this.#inputs.push(input);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined && !this.#stopped; next = this.#inputs.shift()) {
        for (const effect of this.#core.step(next)) this.#run(effect);
      }
    } catch (cause) {
      // A broken invariant is our own fault, whoever sent what brought it to light: this node stops rather than goes on in a state unknown.
      if (!(cause instanceof InvariantError)) throw cause;
      this.stop();
      this.#ports.halt(`an invariant is broken: ${cause.message}`);
    } finally {
      this.#running = false;
    }
  }

  /** Deletes what the guard needs no more once the height is decided. */
  expired(height: number): WriteOperation[] {
    return this.#ports.guard.prune(height).map((key) => ({ key: STORE_KEYS.guardPrefix + key }));
  }

  /** Ends all timers; later inputs are ignored. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #run(effect: Effect): void {
    const ports = this.#ports;
    switch (effect.type) {
      case "send":
        return ports.writeAhead.output(() => ports.send(effect.to, effect.message));
      case "broadcast":
        return ports.writeAhead.output(() => ports.broadcast(effect.message));
      case "send-block":
        return ports.writeAhead.output(() => ports.sendBlock(effect.to, effect.height));
      case "evidence":
        return ports.writeAhead.output(() => ports.evidence(effect.evidence));
      case "verify":
        return ports.verifier.verify(effect.claims, (verdicts) => this.step({ type: "verified", id: effect.id, verdicts }));
      case "validate":
        return ports.validate(effect.proposal, effect.check, (valid) => this.step({ type: "validated", id: effect.id, valid }));
      case "sign":
        return this.#sign(effect.id, effect.intent, effect.body);
      case "append":
        return this.#append(effect.record, effect.promise === true);
      case "forget":
        return ports.writeAhead.forget(effect.keys.map((key) => this.#prefix + key));
      case "read-at":
        return ports.writeAhead.output(() => ports.readAt(effect.id, effect.height));
      case "set-timer":
        return this.#setTimer(effect.name, effect.delayMs);
      case "cancel-timer":
        this.#timers.get(effect.name)?.cancel();
        return void this.#timers.delete(effect.name);
      case "want-proposal":
        return ports.wantProposal(effect);
      case "decide":
        return ports.decide(effect.proposal, effect.certificate);
      case "request-sync":
        return ports.requestSync(effect.fromHeight, effect.peers);
      case "halt":
        return ports.halt(effect.reason);
    }
  }

  #append(record: WalRecord, promise: boolean): void {
    const operation = { key: this.#prefix + record.key, value: record.bytes };
    if (promise) this.#ports.writeAhead.appendVote(operation);
    else this.#ports.writeAhead.append([operation]);
  }

  /** The vote guard stands between every wish to sign and the key (rule G1). */
  #sign(id: number, intent: SignIntent, body: Uint8Array): void {
    const { guard, signer, writeAhead } = this.#ports;
    const answer = guard.request(intent);
    if (answer.kind === "stored") return this.step({ type: "signed", id, signature: answer.signature });
    if (answer.kind === "refused") return this.step({ type: "signed", id, signature: undefined });
    signer.sign("vote", signedBytes(intent.purpose, body), (signature) => {
      const record = guard.record(intent, signature);
      writeAhead.appendVote({ key: STORE_KEYS.guardPrefix + guardKey(record), value: encodeGuardRecord(record) });
      this.step({ type: "signed", id, signature });
    });
  }

  #setTimer(name: TimerName, delayMs: number): void {
    this.#timers.get(name)?.cancel();
    const timer = this.#ports.timers.after(delayMs, () => {
      this.#timers.delete(name);
      this.step({ type: "timer", name });
    });
    this.#timers.set(name, timer);
  }
}
