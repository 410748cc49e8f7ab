import { type EngineName, encodeUtf8, type Hasher, type Membership, type NodeId, signedBytes, toHash, unreachable, ZERO_HASH } from "#base";
import {
  type ConsensusMessage,
  type Core,
  type CoreOptions,
  type CoreRules,
  type CoreTiming,
  createCore,
  type DecidedBlockMessage,
  type Effect,
  guardScopeOf,
  type Input,
  type TimerName,
  type Tip,
  VoteGuard,
} from "#consensus";
import type { KeyMill } from "../keys.ts";
import type { Scheduler } from "../scheduler.ts";

/** What a copy asks of the world around it. */
export interface CopyHost {
  readonly scheduler: Scheduler;
  send(from: Copy, to: NodeId | undefined, message: ConsensusMessage): void;
  /** Whether a leader gets a draft now; otherwise the world reminds it with `draftNow`. */
  mayDraft(copy: Copy, height: number): boolean;
  /** Whether a timer may end now; otherwise it waits until the world says `wake`. */
  mayTick(copy: Copy, timer: TimerName): boolean;
  onDecide(copy: Copy, effect: Extract<Effect, { type: "decide" }>): void;
  onEvidence(copy: Copy, effect: Extract<Effect, { type: "evidence" }>): void;
  onHalt(copy: Copy, reason: string): void;
  onSync(copy: Copy, fromHeight: number): void;
}

/** The engine of a core, with its waiting times and rules. */
export interface CoreSetting {
  readonly name: EngineName;
  readonly timing: CoreTiming;
  readonly rules: CoreRules;
}

/** What all copies of a run share. */
export interface CopySettings {
  readonly engine: CoreSetting;
  readonly membership: Membership;
  readonly hasher: Hasher;
  readonly keys: KeyMill;
  readonly cluster: CoreOptions["cluster"];
  /** Heights in flight. */
  readonly window: number;
}

/** Where everybody begins. */
export const GENESIS_TIP: Tip = { height: 0, digest: ZERO_HASH, timeUs: 0, view: 0 };

/** One core with its own vote guard, timers and blocks; two of them with one id and one key are twins. Everything is durable at once. */
export class Copy {
  readonly id: NodeId;
  readonly name: string;
  readonly isHonest: boolean;
  readonly core: Core;
  readonly blocks: Map<number, DecidedBlockMessage> = new Map();
  tip: Tip = GENESIS_TIP;
  halted: string | undefined;
  /** While true, nobody hears what it says. */
  isUnheard = false;
  readonly #settings: CopySettings;
  readonly #host: CopyHost;
  readonly #guard: VoteGuard;
  readonly #timers = new Map<TimerName, object>();
  readonly #overdue = new Set<TimerName>();
  readonly #inputs: Input[] = [];
  #wanted: Extract<Effect, { type: "want-proposal" }> | undefined;
  #isStepping = false;

  constructor(about: { readonly id: NodeId; readonly name: string; readonly isHonest: boolean }, settings: CopySettings, host: CopyHost) {
    const { id, name, isHonest } = about;
    const { engine, membership, hasher, cluster, window } = settings;
    this.id = id;
    this.name = name;
    this.isHonest = isHonest;
    this.#settings = settings;
    this.#host = host;
    this.#guard = new VoteGuard([], guardScopeOf(engine.name));
    // Twins share their seed too: they are one node, started twice.
    const seed = 1 + membership.members.findIndex((member) => member.id === id);
    const fixed = { cluster, self: id, membership, protocol: 1, window, hasher, tip: GENESIS_TIP, seed };
    this.core = createCore(engine.name, { ...fixed, restored: { records: [], guard: [] }, timing: engine.timing, rules: engine.rules });
  }

  begin(): void {
    this.feed({ type: "start" });
    this.feed({ type: "participate", above: 0 });
    this.feed({ type: "pending", pending: true });
  }

  /** Inputs that arise from effects wait their turn, as the driver's do. */
  feed(input: Input): void {
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#inputs.shift(); next !== undefined && this.halted === undefined; next = this.#inputs.shift())
      for (const effect of this.core.step(next)) this.#perform(effect);
    this.#isStepping = false;
  }

  /** Timers that ended while the copy had to wait, and a draft that it still wants. */
  wake(): void {
    const names = [...this.#overdue];
    this.#overdue.clear();
    for (const name of names) this.feed({ type: "timer", name });
    this.draftNow();
  }

  /** The leader's driver has something to order: different on each copy, as nothing else tells twins apart. */
  draftNow(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || !this.#host.mayDraft(this, wanted.height)) return;
    this.#wanted = undefined;
    const { height, view, timeAfterUs } = wanted;
    const text = encodeUtf8(`${this.name} at ${height} in ${view}`);
    const certified = { height: Math.max(0, height - 1), size: 0, root: ZERO_HASH };
    const commandsRoot = toHash(this.#settings.hasher.sha256(text));
    const draft = { height, view, timeUs: timeAfterUs + 1, commandsRoot, certified, certifiedProof: new Uint8Array(0), batch: [text] };
    this.feed({ type: "propose", draft });
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "send":
        return this.#host.send(this, effect.to, effect.message);
      case "broadcast":
        return this.#host.send(this, undefined, effect.message);
      case "send-block":
        return this.#sendBlock(effect.to, effect.height);
      case "verify":
        return this.#settings.keys.verifier.verify(effect.claims, (verdicts) => this.feed({ type: "verified", id: effect.id, verdicts }));
      case "validate":
        return this.feed({ type: "validated", id: effect.id, valid: true });
      case "sign":
        return this.#sign(effect);
      case "set-timer":
        return this.#setTimer(effect.name, effect.delayMs);
      case "cancel-timer":
        this.#overdue.delete(effect.name);
        return void this.#timers.delete(effect.name);
      case "want-proposal":
        this.#wanted = effect;
        return this.draftNow();
      case "decide":
        return this.#decide(effect);
      case "request-sync":
        return this.#host.onSync(this, effect.fromHeight);
      case "evidence":
        return this.#host.onEvidence(this, effect);
      case "halt":
        this.halted = effect.reason;
        return this.#host.onHalt(this, effect.reason);
      case "append":
      case "forget":
      case "read-at":
        // Nobody crashes and nobody reads here.
        return undefined;
      default:
        return unreachable(effect);
    }
  }

  #sendBlock(to: NodeId, height: number): void {
    const block = this.blocks.get(height);
    if (block !== undefined) this.#host.send(this, to, block);
  }

  #setTimer(name: TimerName, delayMs: number): void {
    const token = {};
    this.#timers.set(name, token);
    this.#overdue.delete(name);
    this.#host.scheduler.after(delayMs * 1_000, () => {
      if (this.#timers.get(name) !== token) return;
      this.#timers.delete(name);
      if (this.#host.mayTick(this, name)) this.feed({ type: "timer", name });
      else this.#overdue.add(name);
    });
  }

  #sign({ id, intent, body }: Extract<Effect, { type: "sign" }>): void {
    const answer = this.#guard.request(intent);
    if (answer.kind === "refused") return this.feed({ type: "signed", id, signature: undefined });
    const key = this.#settings.keys.keyOf(`${this.id}/vote`);
    const signature = answer.kind === "stored" ? answer.signature : key.sign(signedBytes(intent.purpose, body));
    this.#guard.record(intent, signature);
    return this.feed({ type: "signed", id, signature });
  }

  #decide(effect: Extract<Effect, { type: "decide" }>): void {
    const { proposal, certificate } = effect;
    const { height, view } = certificate;
    const { headerBytes, batch, digest, header } = proposal;
    this.tip = { height, digest, timeUs: header.timeUs, view, certificate };
    this.blocks.set(height, { type: "block", headerBytes, batch, certificate });
    this.#guard.prune(height);
    this.#host.onDecide(this, effect);
    this.feed({ type: "applied", height });
    this.feed({ type: "pending", pending: true });
  }
}
