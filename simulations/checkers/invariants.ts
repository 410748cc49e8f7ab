import {
  type Accusation,
  ByteReader,
  type CertifiedPoint,
  equalBytes,
  faultModelOf,
  type Hash,
  type Hasher,
  LIMITS,
  type NodeId,
  type SeededRandom,
} from "#base";
import { type ConsensusMessage, guardKey, phaseOf, type SeenVote, seenVoteOf, votePurpose } from "#consensus";
import type { BlockEvent, OrderedRecord, Replica } from "#replica";
import type { Installed, SimulatedCluster, StopCause } from "../cluster.ts";
import { leftBehind } from "../liveness.ts";
import type { Intent, Operation, ReadOperation } from "../workload.ts";
import { withoutAuthority } from "./authority.ts";
import { CertificateChecker, type CertificateContext } from "./certificates.ts";
import { checkClientHistory, clientHistory } from "./client-history.ts";
import { type EpochContext, EpochModel } from "./epochs.ts";
import { EvidenceChecker } from "./evidence.ts";
import { checkReceipts, handoversOf, type LogContext, notLinked, notPrefixes } from "./log.ts";
import { outOfOrder } from "./order.ts";
import { OwnWords } from "./own-words.ts";

/** What is checked in every schedule, by its number in docs/TESTING.md. */
export const INVARIANTS = {
  A1: "no two honest nodes decide differently at a height",
  A2: "only what a client signed takes effect, and an id once",
  A3: "every certificate and receipt proves what it says",
  A4: "what was acknowledged is durable, and the same on every node",
  A5: "no node says two things in one place, over its restarts too",
  A6: "one order of all operations explains every answer",
  A7: "once the network heals, all that waits is decided",
  A8: "evidence names the guilty only, and what was found is on record",
  A9: "every node has one state at a height",
  L1: "the log only grows, and loses no block",
  L2: "a height has one certified root",
  Z1: "nothing is allowed without a grant",
  S1: "nothing stops an honest node, and no message breeds others for ever",
} as const;

/** A broken invariant. */
export interface Violation {
  readonly invariant: keyof typeof INVARIANTS;
  readonly detail: string;
}

/** What the checker knows of a run. */
export interface CheckerOptions {
  readonly cluster: SimulatedCluster;
  readonly certificates: CertificateContext;
  readonly epochs: Omit<EpochContext, "askedFor">;
  readonly hasher: Hasher;
  /** Heights in flight. */
  readonly window: number;
  /** What is sampled at the end. */
  readonly random: SeededRandom;
  honest(node: NodeId): boolean;
  onViolation?(violation: Violation): void;
  /** What a command of the workload asked for. */
  askedFor(command: Hash): Intent | undefined;
}

interface Seen {
  readonly digest: Hash;
  readonly stateHash: Hash;
}

interface Answered {
  readonly hash: Hash;
  readonly issuedAtUs: number;
  readonly record: OrderedRecord;
}

/** Results that take no effect: the id was spent before. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["COMMAND_DUPLICATE", "COMMAND_REPLAYED", "COMMAND_EXPIRED"]);

/**
 * How far a block's time may lie ahead of the true time: a quorum takes what lies within the skew of its clocks, which are off by less than as
 * much again.
 */
const AHEAD_MAX_US = 2 * LIMITS.proposalSkewMaxMs * 1_000;

/** Watches a run from outside and keeps the first violation of each invariant. */
export class Checker {
  readonly violations: Violation[] = [];
  readonly #options: CheckerOptions;
  readonly #certificates: CertificateChecker;
  readonly #evidence = new EvidenceChecker();
  readonly #words: OwnWords;
  readonly #epochs: EpochModel;
  readonly #blocks = new Map<number, Seen>();
  readonly #heights = new Map<NodeId, number>();
  /** States that a node took over: the newest height of each, and its agreed time. */
  readonly #installed = new Map<NodeId, readonly { readonly height: number; readonly timeUs: number }[]>();
  readonly #votes = new Map<string, Hash>();
  /** Whom a node voted for in a term of raft. */
  readonly #elected = new Map<string, NodeId>();
  /** Ids that took effect, by the node at which they did. */
  readonly #effects = new Map<NodeId, Set<string>>();
  readonly #certified = new Map<number, CertifiedPoint>();
  readonly #proved = new WeakSet<ConsensusMessage>();
  /** Stored bytes that were found to say what was acknowledged. */
  readonly #compared = new WeakMap<OrderedRecord, Uint8Array>();
  commits = 0;
  /** Receipts that the offline verifier passed. */
  receipts = 0;
  /** What clients saw was put into one order. */
  isInOrder = false;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#certificates = new CertificateChecker(options.certificates);
    this.#words = new OwnWords(options.hasher, options.window);
    this.#epochs = new EpochModel({ ...options.epochs, askedFor: (command) => options.askedFor(command) });
  }

  /** Nobody's guess but a fact: the run names it once. */
  fail(invariant: Violation["invariant"], detail: string): void {
    if (this.violations.some((violation) => violation.invariant === invariant)) return;
    this.violations.push({ invariant, detail });
    this.#options.onViolation?.({ invariant, detail });
  }

  /** A1, A9: equal digests and state hashes at equal heights. Checked as each block is applied. */
  onBlock(node: NodeId, block: BlockEvent): void {
    if (!this.#options.honest(node)) return;
    const { height, digest, stateHash } = block;
    const known = this.#blocks.get(height);
    if (known === undefined) this.#onFirst(node, { height, digest, stateHash }, block);
    else if (known.digest !== digest)
      this.fail("A1", `${node} decided ${digest.slice(0, 8)} at ${height}, others ${known.digest.slice(0, 8)}`);
    else if (known.stateHash !== stateHash) this.fail("A9", `${node} has another state hash at ${height}`);
    const highest = this.#heights.get(node) ?? 0;
    if (height <= highest) return;
    this.#heights.set(node, height);
    this.#checkEffects(node, block);
  }

  /** A1, A9 where a node took over a state instead of applying blocks. */
  onInstalled(node: NodeId, { height, timeUs, digest, stateHash }: Installed): void {
    if (!this.#options.honest(node)) return;
    const known = this.#blocks.get(height);
    if (known === undefined) this.fail("A3", `${node} took over a state at ${height}, which nobody has applied`);
    else if (known.digest !== digest) this.fail("A1", `${node} took over another block at ${height}`);
    else if (known.stateHash !== stateHash) this.fail("A9", `${node} took over another state at ${height}`);
    this.#installed.set(node, [...(this.#installed.get(node) ?? []), { height, timeUs }]);
    this.#heights.set(node, Math.max(this.#heights.get(node) ?? 0, height));
  }

  #onFirst(node: NodeId, { height, ...seen }: Seen & { readonly height: number }, block: BlockEvent): void {
    this.#blocks.set(height, seen);
    this.commits += 1;
    for (const { kind, reason, subject } of block.entries) if (kind === "evidence" && reason === "OK") this.#onConvicted(subject);
    for (const { command } of block.results)
      if (this.#options.askedFor(command) === undefined) this.fail("A2", `${command.slice(0, 8)} stands in a block, and no client sent it`);
    const { cluster } = this.#options;
    const aheadUs = block.timeUs - cluster.scheduler.nowUs();
    if (aheadUs > AHEAD_MAX_US) this.fail("A2", `height ${height} lies ${aheadUs / 1_000} ms ahead of the time`);
    for (const wrong of this.#epochs.wrong(block, cluster.node(node).replica?.state.membershipAt(height))) this.fail("A2", wrong);
  }

  /** A2: an id takes effect once, whatever bytes it is used for; a second time it is refused. */
  #checkEffects(node: NodeId, block: BlockEvent): void {
    const effects = this.#effects.get(node) ?? new Set<string>();
    this.#effects.set(node, effects);
    for (const { command, code } of block.results) {
      const { identity = command } = this.#options.askedFor(command) ?? {};
      if (WITHOUT_EFFECT.has(code)) continue;
      if (effects.has(identity)) this.fail("A2", `${node} applied ${identity} twice, at ${block.height} too`);
      effects.add(identity);
    }
  }

  /** L2: one height has one certified root. */
  onCertified(node: NodeId, point: CertifiedPoint): void {
    if (!this.#options.honest(node)) return;
    const known = this.#certified.get(point.height);
    if (known === undefined) this.#certified.set(point.height, point);
    else if (known.root !== point.root) this.fail("L2", `${node} holds another certified root after ${point.height}`);
  }

  /**
   * A5, A3 and A1, by what an honest node's core sends, whatever became of it in between: never two votes in one slot, nor two words of views that
   * would convict it; nothing as proof that proves nothing; no vote at a height of the next epoch.
   */
  onMessage(from: NodeId, message: ConsensusMessage): void {
    if (!this.#options.honest(from)) return;
    if (message.type === "view-change") this.#checkPrepared(from, message);
    const convicting = this.#words.contradicted(from, message);
    if (convicting !== undefined) this.fail("A5", `${from} could be convicted of a ${convicting} by its own words`);
    const vote = seenVoteOf(message, this.#options.hasher);
    if (vote === undefined) return;
    const slot = `${from}/${vote.epoch}/${vote.height}/${vote.view}/${vote.type}`;
    if (this.#epochs.isBeyond(vote.epoch, vote.height)) this.fail("A1", `${from} votes at ${slot}, above the end of that epoch`);
    const known = this.#votes.get(slot);
    if (known !== undefined && known !== vote.digest) this.fail("A5", `${from} voted twice at ${slot}`);
    this.#votes.set(slot, vote.digest);
    if (known === undefined && !this.#isWritten(from, vote))
      this.fail("A5", `${from} sends a vote at ${slot} that a crash would take from it`);
  }

  /** Whether a vote is on its node's disk as it leaves, or its height is: then it is needed no more. */
  #isWritten(from: NodeId, { epoch, height, view, type, digest, signature }: SeenVote): boolean {
    const { durable } = this.#options.cluster.node(from).platter;
    const intent = { purpose: votePurpose(type), epoch, height, view, phase: phaseOf(type), digest };
    return durable.has(`g/${guardKey({ intent, signature })}`) || isHeld(durable, height);
  }

  /** A5 of elections: one vote in a term, across restarts too (Ongaro & Ousterhout 2014, section 5.2). */
  onElectionVote(from: NodeId, candidate: NodeId, { epoch, term }: { readonly epoch: number; readonly term: number }): void {
    const slot = `${from}/${epoch}/${term}`;
    const known = this.#elected.get(slot) ?? candidate;
    if (known !== candidate) this.fail("A5", `${from} voted for ${known} and ${candidate} in term ${term}`);
    this.#elected.set(slot, known);
  }

  #checkPrepared(from: NodeId, message: Extract<ConsensusMessage, { type: "view-change" }>): void {
    if (this.#proved.has(message)) return;
    this.#proved.add(message);
    if (!this.#certificates.provesPrepared(message))
      this.fail("A3", `${from} offers a prepared certificate for ${message.height} that proves nothing`);
  }

  /** A4: whoever cosigns a height holds it on disk. */
  onCosignature(from: NodeId, height: number): void {
    if (!this.#options.honest(from)) return;
    const { platter } = this.#options.cluster.node(from);
    if (!isHeld(platter.durable, height)) this.fail("A4", `${from} cosigned ${height} before it was durable`);
  }

  /** A8: a node has evidence, on its disk. */
  onEvidence(node: NodeId, accusation: Accusation): void {
    this.#onConvicted(accusation.node);
    if (this.#options.honest(node)) this.#evidence.onFound(node, accusation);
  }

  /** A node's disk was lost, damaged or replaced. */
  onForgot(node: NodeId): void {
    this.#evidence.onForgot(node);
  }

  /** A8: evidence names only the guilty, found or recorded. */
  #onConvicted(offender: string): void {
    if (this.#options.honest(offender as NodeId)) this.fail("A8", `evidence against the honest ${offender}`);
  }

  /** S1: no input stops an honest node, unless its disk failed. */
  onHalted(node: NodeId, reason: string, cause: StopCause): void {
    if (this.#options.honest(node) && cause === "wrong") this.fail("S1", `${node} stopped: ${reason}`);
  }

  /** A2, A3, A4, A6, A8, L1 and Z1 over what stands in the logs at the end. */
  finish(operations: readonly Operation[], reads: readonly ReadOperation[]): void {
    const { cluster, honest } = this.#options;
    // A damaged value that nobody has read yet would be found by looking: that node counts as stopped.
    const replicas = cluster.nodes.flatMap(({ id, replica, halted, platter }) =>
      honest(id) && replica !== undefined && halted === undefined && platter.damaged.size === 0 ? [{ id, replica }] : [],
    );
    const answered = operations.flatMap(({ signed: { hash, command }, record }) =>
      record === undefined ? [] : [{ hash, issuedAtUs: command.issuedAtUs, record }],
    );
    const hashes = [...new Set(operations.map(({ signed }) => signed.hash))];
    const [first] = replicas;
    // The first is asked for nearly every record twice, and each is read and parsed.
    const found = new Map(first === undefined ? [] : hashes.map((hash) => [hash, first.replica.find(hash)] as const));
    this.#checkAuthority([...found.values()]);
    const left = leftBehind(cluster.nodes);
    for (const { id, replica } of replicas) {
      // Who left and was cut off holds what was decided up to its tip; with a lost disk nobody lets it in again.
      const tip = left.has(id) ? replica.status().tip.height : Number.POSITIVE_INFINITY;
      this.#checkAnswers(
        id,
        id === first?.id ? (hash) => found.get(hash) : (hash) => replica.find(hash),
        answered.filter(({ record }) => record.height <= tip),
      );
      this.#checkBlocks(id, tip);
      const missing = left.has(id) ? [] : this.#evidence.missing(replica, left);
      for (const name of missing) this.fail("A8", `${id} has no record of ${name}`);
      // Records that are byte for byte those of the first were judged with it.
      if (id !== first?.id && !this.#sharesRecords(id, first?.id, hashes)) this.#checkAuthority(hashes.map((hash) => replica.find(hash)));
    }
    const wrong = outOfOrder(operations);
    if (wrong > 0) this.fail("A6", `${wrong} operations were ordered before one that was answered before they began`);
    this.#checkHistory(operations, reads);
    // A learner that replayed the blocks a moment ago has still to ask for what the epochs before began with.
    const whole = replicas.filter(({ id, replica }) => !left.has(id) || !handoversOf(replica).includes(undefined));
    const sampled = whole.length === 0 ? undefined : this.#options.random.pick(whole);
    if (sampled !== undefined) this.#checkLog(sampled.id, sampled.replica, operations);
  }

  #checkHistory(operations: readonly Operation[], reads: readonly ReadOperation[]): void {
    const { engine } = this.#options.certificates;
    const found = checkClientHistory(clientHistory(operations, reads), { toleratesLies: faultModelOf(engine) === "byzantine" });
    this.isInOrder = found.kind === "linearizable";
    if (found.kind === "violated") this.fail("A6", found.detail);
  }

  #sharesRecords(left: NodeId, right: NodeId | undefined, hashes: readonly Hash[]): boolean {
    return right !== undefined && hashes.every((hash) => equalStored(this.#stored(left, hash), this.#stored(right, hash)));
  }

  #stored(id: NodeId, hash: Hash): Uint8Array | undefined {
    return this.#options.cluster.node(id).store?.get(`r/${hash}`);
  }

  /** A4: acknowledged is durable, and the same everywhere. What is stored alike was compared already. */
  #checkAnswers(id: NodeId, find: (command: Hash) => OrderedRecord | undefined, answered: readonly Answered[]): void {
    for (const answer of answered) {
      const { hash, record } = answer;
      const bytes = this.#stored(id, hash);
      if (bytes !== undefined && equalStored(bytes, this.#compared.get(record))) continue;
      const stored = find(hash);
      const isSame = stored?.seq === record.seq && stored?.outcome === record.outcome && stored?.height === record.height;
      if (stored === undefined && this.#isUnknowable(id, answer)) continue;
      if (!isSame)
        this.fail(
          "A4",
          `${id} does not hold what was acknowledged: ${hash.slice(0, 8)}, ${record.outcome} at ${record.height}, but ${stored?.outcome ?? "nothing"}`,
        );
      else if (bytes !== undefined) this.#compared.set(record, bytes);
    }
  }

  /**
   * A refusal without an entry has no proof, so who took over a state does not know of it; nor does it take a later refusal for the first one of a
   * command that may have been refused in what it skipped (docs/protocols/state-transfer.md, I5).
   */
  #isUnknowable(id: NodeId, { issuedAtUs, record }: Answered): boolean {
    if (record.seq !== undefined || record.outcome !== "refused") return false;
    const installed = this.#installed.get(id) ?? [];
    return installed.some(({ height, timeUs }) => record.height <= height || issuedAtUs <= timeUs + LIMITS.clockSkewMaxUs);
  }

  /** L1, A3: no block is lost but those that were pruned, and each is proved. */
  #checkBlocks(id: NodeId, tip: number): void {
    const { store, replica } = this.#options.cluster.node(id);
    for (let height = replica?.status().blocksFrom ?? 1; height <= Math.min(tip, this.#heights.get(id) ?? 0); height++) {
      const stored = store?.get(blockKey(height));
      const wrong = stored === undefined ? "unreadable" : this.#certificates.wrongBlock(height, stored);
      if (wrong === "unreadable") return this.fail("L1", `${id} lost its block ${height}`);
      if (wrong === "unproved") this.fail("A3", `${id} holds no valid certificate for ${height}`);
    }
  }

  /** Z1, over what a node has on record, in the order of the log: every allowed decision had its authority there. */
  #checkAuthority(found: readonly (OrderedRecord | undefined)[]): void {
    const records = found.flatMap((record) => record ?? []);
    records.sort((a, b) => a.height - b.height || (a.seq ?? 0) - (b.seq ?? 0));
    for (const wrong of withoutAuthority(records, (hash) => this.#options.askedFor(hash))) this.fail("Z1", wrong);
  }

  /** What an auditor would do with one node: receipts by the offline verifier, and the log's growth by its entries. */
  #checkLog(id: NodeId, replica: Replica, operations: readonly Operation[]): void {
    const context: LogContext = { keys: this.#options.certificates.keys, hasher: this.#options.hasher, random: this.#options.random };
    const records = operations.flatMap(({ record }) => record ?? []);
    const { wrong, passed } = checkReceipts(replica, records, context);
    this.receipts += passed;
    for (const found of wrong) this.fail("A3", `${id}: ${found}`);
    try {
      const [height] = notPrefixes(replica, [...this.#certified.values()], context);
      if (height !== undefined) this.fail("L1", `the tree certified after ${height} is no prefix of the log of ${id}`);
      const [seq] = notLinked(replica, context);
      if (seq !== undefined) this.fail("L1", `entry ${seq} of ${id} does not name the one before it`);
    } catch (cause) {
      this.fail("L1", `the log of ${id} does not read: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
}

/** Where the store keeps a block. */
function blockKey(height: number): string {
  return `b/${String(height).padStart(16, "0")}`;
}

/** Whether a disk holds a block, or held it until it was pruned. */
function isHeld(durable: ReadonlyMap<string, Uint8Array>, height: number): boolean {
  const pruned = durable.get("m/pruned");
  return durable.has(blockKey(height)) || (pruned !== undefined && new ByteReader(pruned).u64() >= height);
}

function equalStored(left: Uint8Array | undefined, right: Uint8Array | undefined): boolean {
  return left === undefined || right === undefined ? left === right : equalBytes(left, right);
}
