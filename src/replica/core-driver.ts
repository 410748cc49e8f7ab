import {
  errorCode,
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
import type { ProposalCheck, ProposalSlot } from "./proposing/proposals.ts";
import type { WriteAhead } from "./write-ahead.ts";

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
  #core: Core;
  #snapshot: CoreSnapshot | undefined;
  readonly #ports: CoreDriverPorts;
  readonly #inputs: Input[] = [];
  readonly #timers = new Map<TimerName, TimerHandle>();
  /** Records of the core in the write-ahead log. */
  readonly #keys: Set<string>;
  /** Reads that the core has not answered. */
  readonly #reads = new Set<number>();
  #prefix: string;
  /** Counts the cores: what an earlier one asked for does not answer a later one. */
  #generation = 0;
  #running = false;
  #stopped = false;
  #suspended = false;

  /** @param restored the records that the core was made from */
  constructor(core: Core, ports: CoreDriverPorts, restored: readonly WalRecord[]) {
    this.#core = core;
    this.#ports = ports;
    this.#keys = new Set(restored.map(({ key }) => key));
    this.#prefix = STORE_KEYS.walOfEpoch(core.snapshot().epoch);
  }

  /** Puts another core in the place of the present one, whose records go: a new epoch. */
  replace(core: Core): void {
    this.suspend();
    this.#forget([...this.#keys]);
    this.#begin(core);
  }

  /** Ends what the core has under way and drops its inputs, as a crash would, until `replace` or `resume`. */
  suspend(): void {
    this.#generation += 1;
    this.#inputs.length = 0;
    this.#cancelTimers();
    this.#suspended = true;
  }

  /** Puts a core that was made from these records of its epoch in the place of the present one, as a restart would. */
  resume(core: Core, restored: readonly WalRecord[]): void {
    // The records of another epoch go; those of this one stay.
    if (STORE_KEYS.walOfEpoch(core.snapshot().epoch) !== this.#prefix) this.#forget([...this.#keys]);
    this.#keys.clear();
    for (const { key } of restored) this.#keys.add(key);
    this.#begin(core);
  }

  #begin(core: Core): void {
    this.#core = core;
    this.#snapshot = undefined;
    this.#prefix = STORE_KEYS.walOfEpoch(core.snapshot().epoch);
    this.#suspended = false;
    this.step({ type: "start" });
    // Whoever was asked is gone.
    for (const id of [...this.#reads]) this.#readAt(id, undefined);
  }

  /** True between `suspend` and what puts a core in its place. */
  get isSuspended(): boolean {
    return this.#suspended;
  }

  /** Made once between two inputs, however often it is asked for. */
  snapshot(): CoreSnapshot {
    this.#snapshot ??= this.#core.snapshot();
    return this.#snapshot;
  }

  /** Feeds an input and runs what follows from it. */
  step(input: Input): void {
    if (this.#stopped) return;
    if (input.type === "read") this.#reads.add(input.id);
    if (this.#suspended) return;
    this.#inputs.push(input);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined && !this.#stopped; next = this.#inputs.shift()) {
        this.#snapshot = undefined;
        this.#runAll(this.#core.step(next));
      }
    } catch (cause) {
      // A core refuses hostile input without a word, so whatever it throws is this node's own fault, whoever sent what brought it to light.
      this.stop();
      this.#ports.halt(ownFault(cause));
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
    this.#cancelTimers();
  }

  #cancelTimers(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #runAll(effects: readonly Effect[]): void {
    const generation = this.#generation;
    for (const effect of effects) {
      // An effect may end the epoch: what the old core wanted after it is void.
      if (this.#generation !== generation) return;
      this.#run(effect);
    }
  }

  /** Feeds an answer to the core that asked, if it is still there. */
  #answer(generation: number, input: Input): void {
    if (this.#generation === generation) this.step(input);
  }

  #run(effect: Effect): void {
    const ports = this.#ports;
    const generation = this.#generation;
    switch (effect.type) {
      case "send":
        return ports.writeAhead.output(() => ports.send(effect.to, effect.message));
      case "broadcast":
        return ports.writeAhead.output(() => ports.broadcast(effect.message));
      case "send-block":
        return ports.writeAhead.output(() => ports.sendBlock(effect.to, effect.height));
      case "evidence":
        return ports.evidence(effect.evidence);
      case "verify":
        return ports.verifier.verify(effect.claims, (verdicts) => this.#answer(generation, { type: "verified", id: effect.id, verdicts }));
      case "validate":
        return ports.validate(effect.proposal, effect.check, (valid) =>
          this.#answer(generation, { type: "validated", id: effect.id, valid }),
        );
      case "sign":
        return this.#sign(effect.id, effect.intent, effect.body);
      case "append":
        return this.#append(effect.record, effect.promise === true);
      case "forget":
        return this.#forget(effect.keys);
      case "read-at":
        return this.#readAt(effect.id, effect.height);
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

  #readAt(id: number, height: number | undefined): void {
    this.#reads.delete(id);
    this.#ports.writeAhead.output(() => this.#ports.readAt(id, height));
  }

  #forget(keys: readonly string[]): void {
    for (const key of keys) this.#keys.delete(key);
    this.#ports.writeAhead.forget(keys.map((key) => this.#prefix + key));
  }

  #append(record: WalRecord, promise: boolean): void {
    this.#keys.add(record.key);
    const operation = { key: this.#prefix + record.key, value: record.bytes };
    if (promise) this.#ports.writeAhead.appendVote(operation);
    else this.#ports.writeAhead.append([operation]);
  }

  /** The vote guard stands between every wish to sign and the key (rule G1). */
  #sign(id: number, intent: SignIntent, body: Uint8Array): void {
    const { guard, signer, writeAhead } = this.#ports;
    const generation = this.#generation;
    const answer = guard.request(intent);
    if (answer.kind === "stored") return this.#answer(generation, { type: "signed", id, signature: answer.signature });
    if (answer.kind === "refused") return this.#answer(generation, { type: "signed", id, signature: undefined });
    signer.sign("vote", signedBytes(intent.purpose, body), (signature) => {
      const record = guard.record(intent, signature);
      writeAhead.appendVote({ key: STORE_KEYS.guardPrefix + guardKey(record), value: encodeGuardRecord(record) });
      this.#answer(generation, { type: "signed", id, signature });
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

/** Why an exception ends this node: it stops rather than goes on in a state unknown. */
export function ownFault(cause: unknown): string {
  if (cause instanceof InvariantError) return `an invariant is broken: ${cause.message}`;
  const code = errorCode(cause);
  if (code.startsWith("STORAGE_")) return `the disk failed: ${code}`;
  return `a fault of this program: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : code}`;
}
