import { encodeUtf8, type Hash, type Membership, type NodeId, SeededRandom, signedBytes, toHash, ZERO_HASH } from "#base";
import {
  type ConsensusMessage,
  type Core,
  createTendermintCore,
  type DecidedBlockMessage,
  type Effect,
  evidenceClaims,
  type GuardRecord,
  guardKey,
  type Input,
  type TendermintRules,
  type TimerName,
  type Tip,
  VoteGuard,
} from "#consensus";
import { CLUSTER, hasher, isGenuine, membershipOf, sign } from "./core-kit.ts";

/** One process; a Byzantine member runs two with the same key, which know nothing of each other (Twins, OPODIS 2021). */
interface Process {
  readonly id: NodeId;
  readonly isHonest: boolean;
  core: Core;
  guard: VoteGuard;
  readonly records: Map<string, Uint8Array>;
  readonly guardRecords: Map<string, GuardRecord>;
  readonly blocks: Map<number, DecidedBlockMessage>;
  readonly timers: Map<TimerName, object>;
  tip: Tip;
  /** Counts starts: answers for an earlier life are lost. */
  life: number;
  up: boolean;
}

interface WorldOptions {
  readonly weights: readonly number[];
  readonly seed: number;
  /** How many members, the first ones, run as twins. */
  readonly twins?: number;
  readonly rules?: TendermintRules;
}

/** A cluster of Tendermint cores in virtual time, with a network and disks that a schedule spoils. */
export class TendermintWorld {
  readonly membership: Membership;
  readonly processes: Process[] = [];
  readonly random: SeededRandom;
  readonly decided: Map<number, Hash> = new Map();
  readonly violations: string[] = [];
  readonly blamed: Set<NodeId> = new Set();
  loss = 0;
  /** Chance that a first proposal is found untimely. */
  untimely = 0;
  delayMaxMs = 20;
  /** What a message takes at least, by its sender. */
  delayMinMs: (from: Process) => number = () => 0;
  passes: (from: Process, to: Process) => boolean = () => true;
  /** How late a sender says a message to a receiver, in milliseconds; undefined for never. */
  lateBy: (from: Process, to: Process, message: ConsensusMessage) => number | undefined = () => 0;
  /** Blocks are ordered up to that height. */
  goal = 0;
  now = 0;
  readonly #options: WorldOptions;
  readonly #queue: { readonly at: number; readonly run: () => void }[] = [];
  #drafts = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.membership = membershipOf(options.weights);
    this.random = new SeededRandom(options.seed, "world");
    for (const [index, { id }] of this.membership.members.entries()) {
      const isTwin = index < (options.twins ?? 0);
      for (let copy = 0; copy < (isTwin ? 2 : 1); copy++) this.#add(id, !isTwin);
    }
    for (const process of this.processes) this.#begin(process);
  }

  get honest(): readonly Process[] {
    return this.processes.filter(({ isHonest }) => isHonest);
  }

  crash(process: Process): void {
    process.up = false;
    process.life += 1;
    process.timers.clear();
  }

  restart(process: Process): void {
    this.crash(process);
    process.up = true;
    process.guard = new VoteGuard([...process.guardRecords.values()], "height");
    process.core = this.#createCore(process);
    this.#begin(process);
  }

  /** Everybody is to order blocks up to the height. */
  order(goal: number): void {
    this.goal = goal;
    for (const process of this.processes) if (process.up) this.#tellPending(process);
  }

  run(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.#takeNext(until);
      if (next === undefined) break;
      this.now = next.at;
      next.run();
    }
    this.now = until;
    this.#help();
  }

  #add(id: NodeId, isHonest: boolean): void {
    const tip: Tip = { height: 0, digest: ZERO_HASH, timeUs: 0, view: 0 };
    const fresh = { id, tip, records: new Map<string, Uint8Array>(), guardRecords: new Map<string, GuardRecord>() };
    const core = this.#createCore(fresh);
    const guard = new VoteGuard([], "height");
    this.processes.push({ ...fresh, isHonest, core, guard, blocks: new Map(), timers: new Map(), life: 0, up: true });
  }

  #createCore({ id, tip, records, guardRecords }: Pick<Process, "id" | "tip" | "records" | "guardRecords">): Core {
    const restored = { records: [...records].map(([key, bytes]) => ({ key, bytes })), guard: [...guardRecords.values()] };
    const fixed = { cluster: CLUSTER, membership: this.membership, protocol: 1, window: 1, seed: 1, hasher };
    const { rules } = this.#options;
    return createTendermintCore({ ...fixed, self: id, tip, restored, ...(rules && { rules }) });
  }

  #begin(process: Process): void {
    this.#feed(process, { type: "start" });
    this.#feed(process, { type: "participate", above: 0 });
    this.#tellPending(process);
  }

  #tellPending(process: Process): void {
    this.#feed(process, { type: "pending", pending: process.tip.height < this.goal });
  }

  /** What the driver's exchange of tips does: who is behind gets the next block. */
  #help(): void {
    for (const process of this.processes) {
      const ahead = this.honest.find(({ up, tip }) => up && tip.height > process.tip.height);
      if (ahead !== undefined && process.up && this.passes(ahead, process)) this.#sendBlock(ahead, process, process.tip.height + 1);
    }
  }

  #takeNext(until: number): { readonly at: number; readonly run: () => void } | undefined {
    let best = -1;
    for (const [index, { at }] of this.#queue.entries()) if (at <= until && at < (this.#queue[best]?.at ?? Infinity)) best = index;
    return best < 0 ? undefined : this.#queue.splice(best, 1)[0];
  }

  /** Later, if the process still lives the same life. */
  #later(process: Process, ms: number, run: () => void): void {
    const { life } = process;
    this.#queue.push({ at: this.now + ms, run: () => process.up && process.life === life && run() });
  }

  #feed(process: Process, input: Input): void {
    for (const effect of process.core.step(input)) this.#perform(process, effect);
  }

  #post(from: Process, to: Process, message: ConsensusMessage): void {
    if (from.id === to.id || !this.passes(from, to) || this.random.chance(this.loss)) return;
    const late = this.lateBy(from, to, message);
    if (late === undefined) return;
    const ms = 1 + late + this.delayMinMs(from) + this.random.below(this.delayMaxMs);
    this.#queue.push({ at: this.now + ms, run: () => to.up && this.#feed(to, { type: "message", from: from.id, message }) });
  }

  #sendBlock(from: Process, to: Process, height: number): void {
    const block = from.blocks.get(height);
    if (block !== undefined) this.#post(from, to, block);
  }

  #perform(process: Process, effect: Effect): void {
    const soon = this.random.below(3);
    switch (effect.type) {
      case "send":
        for (const to of this.processes) if (to.id === effect.to) this.#post(process, to, effect.message);
        return;
      case "broadcast":
        for (const to of this.processes) this.#post(process, to, effect.message);
        return;
      case "verify": {
        const verdicts = effect.claims.map(isGenuine);
        return this.#later(process, soon, () => this.#feed(process, { type: "verified", id: effect.id, verdicts }));
      }
      case "validate": {
        const valid = effect.check !== "first-proposal" || !this.random.chance(this.untimely);
        return this.#later(process, soon, () => this.#feed(process, { type: "validated", id: effect.id, valid }));
      }
      case "append":
        return void process.records.set(effect.record.key, effect.record.bytes);
      case "forget":
        for (const key of effect.keys) process.records.delete(key);
        return;
      case "sign":
        return this.#sign(process, effect);
      case "set-timer": {
        const token = {};
        process.timers.set(effect.name, token);
        return this.#later(process, effect.delayMs, () => {
          if (process.timers.get(effect.name) === token) this.#feed(process, { type: "timer", name: effect.name });
        });
      }
      case "cancel-timer":
        return void process.timers.delete(effect.name);
      default:
        return this.#performRare(process, effect);
    }
  }

  #performRare(process: Process, effect: Effect): void {
    switch (effect.type) {
      case "want-proposal":
        return this.#later(process, 5, () => this.#propose(process, effect));
      case "decide":
        return this.#decide(process, effect);
      case "send-block":
        for (const to of this.processes) if (to.id === effect.to) this.#sendBlock(process, to, effect.height);
        return;
      case "request-sync":
        for (const from of this.processes) if (from.up && from.id !== process.id) this.#sendBlock(from, process, effect.fromHeight);
        return;
      case "evidence": {
        const { evidence } = effect;
        this.blamed.add(evidence.offender);
        const claims = evidenceClaims(evidence, { cluster: CLUSTER, membership: this.membership });
        if (claims?.every(isGenuine) !== true) this.violations.push(`evidence that nobody can check: ${evidence.kind}`);
        if (this.#options.rules === undefined && this.honest.some(({ id }) => id === evidence.offender))
          this.violations.push(`${evidence.kind} blames ${evidence.offender}, who is honest`);
        return;
      }
      case "halt":
        if (process.isHonest) this.violations.push(`${process.id} halts: ${effect.reason}`);
        return;
      default:
        return;
    }
  }

  #sign(process: Process, { id, intent, body }: Extract<Effect, { type: "sign" }>): void {
    const answer = process.guard.request(intent);
    if (answer.kind === "refused") {
      return this.#later(process, 0, () => this.#feed(process, { type: "signed", id, signature: undefined }));
    }
    const signature = answer.kind === "stored" ? answer.signature : sign(process.id, signedBytes(intent.purpose, body));
    const record = process.guard.record(intent, signature);
    process.guardRecords.set(guardKey(record), record);
    // A crash in between leaves the guard's record without the core's.
    this.#later(process, this.random.below(3), () => this.#feed(process, { type: "signed", id, signature }));
  }

  #propose(process: Process, { height, view }: Extract<Effect, { type: "want-proposal" }>): void {
    if (height > this.goal) return;
    this.#drafts += 1;
    const text = `draft ${this.#drafts}`;
    const commandsRoot = toHash(hasher.sha256(encodeUtf8(text)));
    const certified = { height: Math.max(0, height - 1), size: 0, root: ZERO_HASH };
    const draft = { height, view, timeUs: this.now * 1_000, commandsRoot, certified, certifiedProof: new Uint8Array(0) };
    this.#feed(process, { type: "propose", draft: { ...draft, batch: [encodeUtf8(text)] } });
  }

  #decide(process: Process, { proposal, certificate }: Extract<Effect, { type: "decide" }>): void {
    const { height, view } = certificate;
    const { digest, headerBytes, batch, header } = proposal;
    const known = this.decided.get(height);
    if (process.isHonest && known !== undefined && known !== digest) this.violations.push(`height ${height} is decided twice`);
    if (process.isHonest) this.decided.set(height, digest);
    process.tip = { height, digest, timeUs: header.timeUs, view, certificate };
    process.blocks.set(height, { type: "block", headerBytes, batch, certificate });
    for (const key of process.guard.prune(height)) process.guardRecords.delete(key);
    // Inputs wait their turn, as the driver's do.
    this.#later(process, 0, () => {
      this.#feed(process, { type: "applied", height });
      this.#tellPending(process);
    });
  }
}
