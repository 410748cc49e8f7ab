import type { Hash, Hasher, Member, Membership, NodeId } from "#base";
import type { ConsensusMessage, CoreRules, Effect, TimerName } from "#consensus";
import { memberOf, nodeIds } from "../genesis.ts";
import type { KeyMill } from "../keys.ts";
import { Scheduler } from "../scheduler.ts";
import { Copy, type CopyHost } from "./copy.ts";
import { type EngineSetting, settingOf } from "./engines.ts";
import { type MailRecord, Postman } from "./postman.ts";
import { copyNames, nodeNames, nodeOfCopy, type TwinsScenario } from "./scenario.ts";

/** What a scenario is played with. */
export interface WorldOptions {
  readonly scenario: TwinsScenario;
  readonly hasher: Hasher;
  readonly keys: KeyMill;
  readonly cluster: Hash;
  /** Rules of a planted bug. */
  readonly rules?: CoreRules;
  readonly watcher: WorldWatcher;
  /** Whether it is written down what may happen to each message. */
  readonly records?: boolean;
}

/** Who sees what copies do, and may change what they hear. */
export interface WorldWatcher {
  onDecide(copy: Copy, effect: Extract<Effect, { type: "decide" }>): void;
  onEvidence(copy: Copy, effect: Extract<Effect, { type: "evidence" }>): void;
  onHalt(copy: Copy, reason: string): void;
  onHeard(from: NodeId, to: Copy, message: ConsensusMessage): void;
}

/** After the last round: heights that have to be decided, the virtual time for them, and how often who is behind is helped. */
const HEALED = { heights: 1, ms: 20_000, helpMs: 50 };
/** Where nobody has to decide again, it is only looked what the parts make of each other. */
const LOOKED_MS = 300;
/** More events than this in one scenario never come from a protocol that settles. */
const EVENTS_MAX = 60_000;
/** What a deaf copy misses: without these it votes on, and does not know what others decided. */
const DECIDING: ReadonlySet<string> = new Set(["commit", "precommit", "append-reply", "block"]);

const MEMBERS = new WeakMap<KeyMill, Map<string, Member>>();

/** Copies of cores in virtual time, on a network that falls apart round by round and then heals. */
export class TwinsWorld implements CopyHost {
  readonly scheduler: Scheduler = new Scheduler();
  readonly copies: readonly Copy[];
  readonly membership: Membership;
  readonly #scenario: TwinsScenario;
  readonly #engine: EngineSetting;
  readonly #watcher: WorldWatcher;
  readonly #parts: readonly ReadonlyMap<string, number>[];
  readonly #postman: Postman;
  readonly #held: (() => void)[] = [];
  #round = 0;
  #isHealed = false;
  #scripted = 0;
  #goal = 0;
  /** Messages that were delivered. */
  delivered = 0;

  constructor(options: WorldOptions) {
    const { scenario, hasher, keys, cluster, watcher, rules } = options;
    const { engine, nodes, twins, round_leaders: leaders, round_partitions: partitions, window = 1 } = scenario;
    this.#scenario = scenario;
    this.#watcher = watcher;
    const ids = idsOf(scenario);
    this.membership = { epoch: 0, members: nodeIds(nodes).map((id) => memberFor(keys, id)) };
    const script = {
      membership: this.membership,
      window,
      leaders: leaders.map((name) => ids.get(name) as NodeId),
      ...(rules && { rules }),
    };
    this.#engine = settingOf(engine, script);
    this.#parts = partitions.map((parts) => new Map(parts.flatMap((part, index) => part.map((name) => [name, index] as const))));
    this.#postman = new Postman({
      scheduler: this.scheduler,
      mutations: scenario.mutations ?? [],
      signing: engine === "raft" ? undefined : { hasher, keys, cluster },
      roundMs: this.#engine.roundMs,
      records: options.records ?? false,
    });
    const settings = { engine: this.#engine, membership: this.membership, hasher, keys, cluster, window };
    this.copies = copyNames(scenario).map((name) => {
      const node = nodeOfCopy(name);
      return new Copy({ id: ids.get(node) as NodeId, name, isHonest: !twins.includes(node) }, settings, this);
    });
  }

  get honest(): readonly Copy[] {
    return this.copies.filter(({ isHonest }) => isHonest);
  }

  /** Nodes that said something wrong, beside twins. */
  get liars(): ReadonlySet<NodeId> {
    return this.#postman.liars;
  }

  /** The messages of the script, in the order of sending. */
  get mail(): readonly MailRecord[] {
    return this.#postman.records.slice(0, this.#scripted);
  }

  /** The rounds of the script. */
  playRounds(): void {
    for (const [round] of this.#scenario.round_leaders.entries()) {
      this.#round = round;
      if (round === 0) for (const copy of this.copies) copy.begin();
      for (const copy of this.copies) this.#engine.enter(copy, round);
      for (const send of this.#held.splice(0)) send();
      for (const copy of this.copies) copy.wake();
      this.#run(this.#engine.roundMs);
    }
  }

  /** The network is whole. True once every honest copy has decided another height, which a cluster with too many twins need not. */
  heal(mustDecide: boolean): boolean {
    this.#isHealed = true;
    this.#scripted = this.#postman.records.length;
    this.#goal = Math.max(...this.copies.map(({ tip }) => tip.height)) + HEALED.heights;
    for (const send of this.#held.splice(0)) send();
    for (const copy of this.copies) copy.wake();
    for (let ms = 0; ms < (mustDecide ? HEALED.ms : LOOKED_MS); ms += HEALED.helpMs) {
      if (this.#isDone()) return true;
      this.#run(HEALED.helpMs);
      this.#help();
    }
    return this.#isDone();
  }

  send(from: Copy, to: NodeId | undefined, message: ConsensusMessage): void {
    if (from.isUnheard) return;
    for (const copy of this.copies) if (copy.id !== from.id && (to === undefined || copy.id === to)) this.#post(from, copy, message);
  }

  mayDraft(copy: Copy, height: number): boolean {
    // One more than the goal: Raft commits what an older term left behind only with a block of its own on top.
    if (this.#isHealed) return height <= this.#goal + 1;
    return !this.#isAhead(copy) && height <= this.#engine.heightMax(this.#round);
  }

  mayTick(copy: Copy, timer: TimerName): boolean {
    if (this.#isHealed) return true;
    const isElection = timer === "election" && copy.core.snapshot().leader !== copy.id;
    return !this.#isAhead(copy) && !(isElection && this.#engine.holdsElections);
  }

  onDecide(copy: Copy, effect: Extract<Effect, { type: "decide" }>): void {
    this.#watcher.onDecide(copy, effect);
  }

  onEvidence(copy: Copy, effect: Extract<Effect, { type: "evidence" }>): void {
    this.#watcher.onEvidence(copy, effect);
  }

  onHalt(copy: Copy, reason: string): void {
    this.#watcher.onHalt(copy, reason);
  }

  /** Whoever has the next block gives it. */
  onSync(copy: Copy, fromHeight: number): void {
    for (const other of this.copies) {
      const block = other.id === copy.id ? undefined : other.blocks.get(fromHeight);
      if (block !== undefined) this.#post(other, copy, block);
    }
  }

  #isDone(): boolean {
    return this.honest.every(({ tip }) => tip.height >= this.#goal);
  }

  #isAhead(copy: Copy): boolean {
    return this.#engine.roundOf(copy, this.#round) > this.#round;
  }

  #run(ms: number): void {
    const events = EVENTS_MAX - this.scheduler.executed;
    if (events > 0) this.scheduler.runUntil({ elapsedMs: this.scheduler.elapsedMs() + ms, events });
  }

  /** What is said ahead of the round waits for it. */
  #post(from: Copy, to: Copy, message: ConsensusMessage): void {
    if (!this.#isHealed && this.#isAhead(from)) this.#held.push(() => this.#post(from, to, message));
    else if (this.#reaches(from, to, message))
      this.#postman.post({ from: from.id, to: to.name, message, deliver: (carried) => this.#deliver(from.id, to, carried) });
  }

  #reaches(from: Copy, to: Copy, message: ConsensusMessage): boolean {
    if (this.#isHealed) return true;
    const parts = this.#parts[this.#round];
    const isDeaf = this.#scenario.round_deaf?.[this.#round]?.includes(to.name) === true && DECIDING.has(message.type);
    return parts?.get(from.name) === parts?.get(to.name) && !isDeaf;
  }

  #deliver(from: NodeId, to: Copy, message: ConsensusMessage): void {
    this.delivered += 1;
    this.#watcher.onHeard(from, to, message);
    to.feed({ type: "message", from, message });
  }

  /** What the driver's exchange of tips does: who is behind gets the next block from an honest copy. */
  #help(): void {
    for (const copy of this.copies) {
      const next = copy.tip.height + 1;
      const ahead = this.honest.find(({ blocks }) => blocks.has(next));
      const block = ahead?.blocks.get(next);
      if (ahead !== undefined && block !== undefined) this.#post(ahead, copy, block);
    }
  }
}

/** Ids by name. The first leader has the first id, so that PBFT's view 0 is the first round; the others follow in turn. */
function idsOf({ nodes, round_leaders: leaders }: TwinsScenario): ReadonlyMap<string, NodeId> {
  const names = nodeNames(nodes);
  const ids = nodeIds(nodes);
  const first = names.indexOf(leaders[0] ?? "A");
  return new Map(names.map((name, index) => [name, ids[(index - first + nodes) % nodes] as NodeId]));
}

function memberFor(keys: KeyMill, id: NodeId): Member {
  const known = MEMBERS.get(keys) ?? new Map<string, Member>();
  MEMBERS.set(keys, known);
  const member = known.get(id) ?? memberOf(keys, id, 1);
  known.set(id, member);
  return member;
}
