import {
  type Accusation,
  type AppliedBlock,
  type CanonicalObject,
  type CommandResult,
  checkpointIntervalOf,
  type DecidedBlock,
  type EntryDraft,
  type ErrorCode,
  errorCode,
  faultModelOf,
  fromHex,
  type Genesis,
  type Hash,
  type Hasher,
  hashInDomain,
  invariant,
  type Member,
  type Membership,
  membershipHash,
  type Operator,
  QuorumgateError,
  type SignedCommand,
  type StateChange,
  toHash,
} from "#base";
import { type CommandBody, readCommandBody } from "./command-body.ts";
import { type DecisionOutcome, decide, type EvaluationRequest } from "./decision.ts";
import type { EvidenceRecord } from "./evidence.ts";
import { isSettled } from "./evidence-rules.ts";
import { authenticationFailure, checkCommandTime, type Execution, execute } from "./execution.ts";
import { LedgerStore, type ServicePage } from "./ledger-store.ts";
import { type ProposedRemoval, proposedRemovals } from "./membership-rules.ts";
import { addTotals, EMPTY_TOTALS, isInTree, type Meta, nextStateHash, readMeta, type Totals, writeMeta } from "./meta.ts";
import type { EpochRecord, NodeRecord } from "./nodes.ts";
import { checkCommandShape } from "./pre-vote.ts";
import { resultOfEntry } from "./recorded.ts";
import type { GrantRecord, ServiceRecord } from "./records.ts";
import { type StateRules, stateRules } from "./rules.ts";
import { type BlockCounts, sealedDraft } from "./seal.ts";
import { StateTree } from "./state-tree.ts";
import { UsedIds } from "./used-ids.ts";

/** What a state is made from. */
export interface LedgerOptions {
  readonly genesis: Genesis;
  readonly cluster: Hash;
  readonly hasher: Hasher;
  /** Overridden by planted bugs only. */
  readonly rules?: StateRules;
}

/** A change of members that is committed and not yet active. */
export interface PendingChange {
  /** The last height of the current epoch. */
  readonly lastHeight: number;
  /** Members of the next epoch. */
  readonly next: Membership;
}

/**
 * The ledger's state: what every replica computes from the decided blocks, in the same way. `apply` is the only way to change
 * it. A command can be refused, but nothing in it makes apply throw; what throws is a block that does not follow the last one.
 */
export class LedgerState {
  readonly #options: LedgerOptions;
  readonly #store: LedgerStore;
  readonly #used: UsedIds;
  readonly #tree: StateTree;
  readonly #membershipHashes = new Map<number, Hash>();
  #meta: Meta;

  private constructor(options: LedgerOptions) {
    const { genesis, cluster, hasher, rules = stateRules } = options;
    this.#options = options;
    this.#store = new LedgerStore(genesis, rules);
    this.#used = new UsedIds(rules);
    this.#tree = new StateTree(hasher);
    const stateHash = toHash(hashInDomain(hasher, "quorumgate/state/v1\0", fromHex(cluster)));
    const { protocol, timeUs, membership } = genesis;
    this.#meta = { protocol, height: 0, timeUs, epoch: membership.epoch, totals: EMPTY_TOTALS, stateHash };
  }

  /** The state before the first block. */
  static fromGenesis(options: LedgerOptions): LedgerState {
    return new LedgerState(options);
  }

  /**
   * The state from its stored keys and values, in any order; of none, the state before the first block.
   * @throws {QuorumgateError} STORAGE_CORRUPT
   */
  static restore(options: LedgerOptions, entries: Iterable<readonly [string, Uint8Array]>): LedgerState {
    const state = new LedgerState(options);
    const meta = new Map<string, Uint8Array>();
    try {
      let count = 0;
      for (const [key, value] of entries) {
        state.#load(key, value, meta);
        count++;
      }
      if (count > 0) state.#meta = readMeta(meta);
      state.#store.nodes.check();
      state.#tree.root();
    } catch (cause) {
      throw new QuorumgateError("STORAGE_CORRUPT", "the stored state does not parse", { cause });
    }
    return state;
  }

  /** Height of the last applied block, 0 before the first. */
  get height(): number {
    return this.#meta.height;
  }

  /** Agreed time of the last applied block, microseconds since 1970. */
  get timeUs(): number {
    return this.#meta.timeUs;
  }

  /** H(previous ‖ H(changes)) of the last applied block. */
  get stateHash(): Hash {
    return this.#meta.stateHash;
  }

  /** Version of rules and formats in force. */
  get protocol(): number {
    return this.#meta.protocol;
  }

  /** Commands since genesis by outcome. */
  get totals(): Totals {
    return this.#meta.totals;
  }

  get #toleratesLies(): boolean {
    return faultModelOf(this.#options.genesis.engine) === "byzantine";
  }

  /** Members of the epoch of the next height. */
  membership(): Membership {
    return this.membershipAt(this.height + 1);
  }

  /** Members of the epoch that a height belongs to; heights to come belong to the newest that is known. */
  membershipAt(height: number): Membership {
    return this.#store.nodes.epochAt(height).membership;
  }

  /** The first height of the epoch of the next height. */
  epochFirstHeight(): number {
    return this.#store.nodes.epochAt(this.height + 1).firstHeight;
  }

  /** An epoch by its number, with its first height; undefined for one that is not known. */
  epoch(number: number): EpochRecord | undefined {
    return this.#store.nodes.epoch(number);
  }

  /** A change that is committed and not yet active: its epoch begins after `lastHeight`. */
  pendingChange(): PendingChange | undefined {
    const { firstHeight, membership } = this.#store.nodes.newest;
    return firstHeight > this.height + 1 ? { lastHeight: firstHeight - 1, next: membership } : undefined;
  }

  /** Nodes that replicate and have no weight. */
  learners(): readonly Member[] {
    return this.#store.nodes.learners();
  }

  /** Nodes that came or left by a command, in ascending id; those of genesis only once they left. */
  nodeRecords(): readonly NodeRecord[] {
    return this.#store.nodes.records();
  }

  /** What nodes were convicted of, in the order in which it was recorded. */
  evidence(): readonly EvidenceRecord[] {
    return this.#store.evidence.records();
  }

  /** True when there is no use in reporting this evidence: it is recorded, or too old, or its kind has no room. */
  isEvidenceSettled(accusation: Accusation): boolean {
    return isSettled(this.#store, this.height + 1, accusation);
  }

  /** Changes that the cluster proposes because of evidence, as operators have to approve them at the next height. */
  proposedRemovals(): readonly ProposedRemoval[] {
    return proposedRemovals(this.#store, { height: this.height + 1, timeUs: this.timeUs });
  }

  /** Root of the state tree over all stored keys but the state hash. */
  stateRoot(): Hash {
    return this.#tree.root();
  }

  service(id: string): ServiceRecord | undefined {
    return this.#store.service(id);
  }

  /** Services in ascending id, from the first id beyond `after`. */
  services(page: { readonly after?: string; readonly limit: number }): ServicePage {
    return this.#store.servicePage(page);
  }

  /** How many services are registered, revoked ones included. */
  get serviceCount(): number {
    return this.#store.services.size;
  }

  grant(id: string): GrantRecord | undefined {
    return this.#store.grants.get(id);
  }

  /** Grants of a service in the order in which they were made, ended ones included. */
  grantsOf(serviceId: string): readonly GrantRecord[] {
    return this.#store.grantsOf(serviceId);
  }

  operator(id: string): Operator | undefined {
    return this.#store.operator(id);
  }

  /**
   * Hash of the command that spent this id under this key, while one that was sent under it lives. Lets a gateway answer a repeated command at once: an equal
   * hash is the same command, another one will be refused as COMMAND_REPLAYED.
   */
  usedBy(command: Pick<SignedCommand["command"], "key" | "id">): Hash | undefined {
    return this.#used.find(command.key, command.id);
  }

  /** Decides as a commit at this height would, and writes nothing. @throws {QuorumgateError} FORMAT_SHAPE_INVALID for bad quantities */
  evaluate(request: EvaluationRequest): DecisionOutcome {
    return decide(this.#view(this.timeUs), request);
  }

  /** Every stored key with its canonical bytes: what `restore` takes. */
  *entries(): IterableIterator<readonly [string, Uint8Array]> {
    yield* this.#store.services.entries();
    yield* this.#store.grants.entries();
    yield* this.#store.nodes.entries();
    yield* this.#store.evidence.entries();
    yield* this.#used.entries();
    if (this.height > 0) yield* writeMeta(this.#meta);
  }

  /**
   * Applies the next block. The same on every replica: nothing but the state, the block's header and its commands counts.
   * The caller has verified the block's certificate, the commands' signatures and their `commandClaims`.
   */
  apply(block: DecidedBlock): AppliedBlock {
    const { header } = block;
    invariant(header.height === this.height + 1, "blocks are applied in order");
    invariant(header.timeUs > this.timeUs, "agreed time goes forward");
    invariant(header.epoch === this.membership().epoch, "a block is of the epoch of its height");
    invariant(header.protocol === this.protocol, "the block follows rules that this version has");
    this.#used.forgetBefore(header.timeUs);
    const counts: BlockCounts = { totals: { ...EMPTY_TOTALS }, refusals: new Map() };
    const results: CommandResult[] = [];
    const entries: EntryDraft[] = [];
    for (const signed of block.commands) {
      const execution = { store: this.#store, height: header.height, timeUs: header.timeUs, toleratesLies: this.#toleratesLies, signed };
      const result = this.#applyCommand(execution, entries);
      counts.totals[result.outcome]++;
      if (result.entry === undefined) counts.refusals.set(result.code, (counts.refusals.get(result.code) ?? 0) + 1);
      results.push(result);
    }
    const changes = this.#seal(block, counts);
    entries.push(this.#sealedDraft(counts));
    return { results, entries, changes, stateHash: this.stateHash };
  }

  #applyCommand(execution: Execution, entries: EntryDraft[]): CommandResult {
    const { signed } = execution;
    const body = this.#admit(execution);
    if (typeof body === "string") return this.#refused(execution, body);
    const draft = execute(execution, body);
    if (draft.reason === "OK") this.#store.commit();
    else this.#store.drop();
    entries.push(draft);
    const { outcome, code, answer } = resultOfEntry(draft, execution);
    return { command: signed.hash, outcome, code, entry: entries.length - 1, answer };
  }

  /** The command's body when it may be executed and recorded; the code when it is refused without an entry. */
  #admit(execution: Execution): CommandBody | ErrorCode {
    const { command, hash } = execution.signed;
    try {
      checkCommandShape(command, this.#options);
      checkCommandTime(execution);
    } catch (error) {
      return errorCode(error);
    }
    const used = this.#used.find(command.key, command.id);
    if (used === hash) return "COMMAND_DUPLICATE";
    if (used !== undefined) {
      this.#used.keepFor(command);
      return "COMMAND_REPLAYED";
    }
    // Spent even if it is refused below: the same bytes must not get another answer later, when their issuer has registered.
    this.#used.use(command, hash);
    const body = readCommandBody(command);
    const failure = authenticationFailure(execution, body);
    if (failure !== undefined) return failure;
    // Every node that saw it reports it: only the first report is an entry.
    return body.kind === "evidence.record" && this.#store.evidence.isSettled(body.accusation) ? "EVIDENCE_KNOWN" : body;
  }

  #refused({ signed, height, timeUs }: Execution, code: ErrorCode): CommandResult {
    const answer: CanonicalObject = { reason: code, height, time: String(timeUs) };
    return { command: signed.hash, outcome: "refused", code, answer };
  }

  /** Gathers the block's changes, moves meta on, and hashes. */
  #seal(block: DecidedBlock, counts: BlockCounts): readonly StateChange[] {
    const { hasher } = this.#options;
    const { height, timeUs, epoch } = block.header;
    const before = this.#meta;
    const { protocol, stateHash } = before;
    const totals = addTotals(before.totals, counts.totals);
    const [ledger] = writeMeta({ protocol, height, timeUs, epoch, totals, stateHash });
    const changes = [...this.#store.takeChanges(), ...this.#used.takeChanges(height), { key: ledger[0], value: ledger[1] }].sort(byKey);
    for (const change of changes) this.#tree.apply(change);
    this.#tree.settle();
    this.#meta = { protocol, height, timeUs, epoch, totals, stateHash: nextStateHash(hasher, { previous: stateHash, changes }) };
    const [, [key, value]] = writeMeta(this.#meta);
    const after = changes.findIndex((change) => change.key > key);
    return changes.toSpliced(after < 0 ? changes.length : after, 0, { key, value });
  }

  #sealedDraft(counts: BlockCounts): EntryDraft {
    const { height } = this.#meta;
    const isStable = height % checkpointIntervalOf(this.#options.genesis) === 0;
    return sealedDraft(this.#meta, counts, {
      ...(isStable ? { stateRoot: this.stateRoot() } : {}),
      membershipHash: this.#hashOf(this.membershipAt(height)),
      nextMembershipHash: this.#hashOf(this.membershipAt(height + 1)),
    });
  }

  #hashOf(membership: Membership): Hash {
    const known = this.#membershipHashes.get(membership.epoch);
    if (known !== undefined) return known;
    const hash = toHash(membershipHash(this.#options.hasher, membership));
    this.#membershipHashes.set(membership.epoch, hash);
    return hash;
  }

  #view(timeUs: number): Parameters<typeof decide>[0] {
    const store = this.#store;
    return {
      timeUs,
      toleratesLies: this.#toleratesLies,
      rules: store.rules,
      service: (id) => store.service(id),
      grantsFor: (service, domain, operation) => store.grantsFor(service, domain, operation),
    };
  }

  #load(key: string, value: Uint8Array, meta: Map<string, Uint8Array>): void {
    const slash = key.indexOf("/");
    const bucket = key.slice(0, slash);
    const rest = key.slice(slash + 1);
    if (bucket === this.#store.services.name) this.#store.services.load(rest, value);
    else if (bucket === this.#store.grants.name) this.#store.grants.load(rest, value);
    else if (bucket === this.#used.name) this.#used.load(rest, value);
    else if (this.#store.nodes.load(bucket, { key: rest, value }) || this.#store.evidence.load(bucket, { key: rest, value })) {
      // Loaded by the condition itself.
    } else if (bucket === "meta") meta.set(key, value);
    else throw new QuorumgateError("FORMAT_SHAPE_INVALID", "a stored key of no known bucket");
    if (isInTree(key)) this.#tree.apply({ key, value });
  }
}

/** By UTF-16 code unit; keys are ASCII. */
function byKey(left: StateChange, right: StateChange): number {
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}
