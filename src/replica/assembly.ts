import type { LogPoint } from "#audit";
import type { Accusation, Membership, NodeId, Prefix } from "#base";
import { ByteReader, clusterIdOf, decodeUtf8, faultModelOf, parseDecimal } from "#base";
import {
  type CommitCertificate,
  type ConsensusMessage,
  type Core,
  createCore,
  type Evidence,
  encodeMessage,
  guardScopeOf,
  type Proposal,
  type RestoredLog,
  VoteGuard,
} from "#consensus";
import { CoreDriver, type CoreDriverPorts, ownFault } from "./core-driver.ts";
import { FalseRoots } from "./evidence/false-roots.ts";
import { Forks } from "./evidence/forks.ts";
import { HeardViews } from "./evidence/heard-views.ts";
import { HeardVotes } from "./evidence/heard-votes.ts";
import { STORE_KEYS } from "./keys.ts";
import { CatchUp, type CatchUpPorts } from "./ledger/catch-up.ts";
import { type Certified, Certifier } from "./ledger/certifier.ts";
import { Ledger } from "./ledger/ledger.ts";
import { readCertified } from "./ledger/log-reader.ts";
import { Measures } from "./measures.ts";
import { AwaitedHeights } from "./participation/awaited-heights.ts";
import { type GuardCount, guardOwner, isGuardCurrent, readGuardCount } from "./participation/guard-count.ts";
import { loadRecords } from "./participation/startup.ts";
import { Peers } from "./peers/peers.ts";
import { FORGED_SHARE, ServingBudget } from "./peers/serving-budget.ts";
import { Admission } from "./proposing/admission.ts";
import { LeaderRate } from "./proposing/leader-rate.ts";
import { LeaderWatch } from "./proposing/leader-watch.ts";
import { Mempool } from "./proposing/mempool.ts";
import { type ProposalSlot, Proposals } from "./proposing/proposals.ts";
import { Reads } from "./reads.ts";
import { replicaRules } from "./rules.ts";
import { Salvage } from "./salvage.ts";
import { DEFAULT_TIMING, type ReplicaOptions, type ReplicaTiming } from "./types.ts";
import { Waiters } from "./waiters.ts";
import { WriteAhead } from "./write-ahead.ts";

/** The parts of a replica, wired. */
export interface Parts {
  readonly ledger: Ledger;
  readonly guard: VoteGuard;
  /** The guard as it was at the start, which catching up does not prune. */
  readonly remembered: VoteGuard;
  readonly writeAhead: WriteAhead;
  readonly driver: CoreDriver;
  /** A core of the present epoch that starts at the tip. @param restored its records of the epoch; none by default */
  newCore(restored?: RestoredLog): Core;
  readonly mempool: Mempool;
  readonly admission: Admission;
  readonly proposals: Proposals;
  readonly certifier: Certifier;
  readonly catchUp: CatchUp;
  readonly waiters: Waiters;
  readonly reads: Reads;
  readonly watch: LeaderWatch;
  readonly rate: LeaderRate;
  readonly peers: Peers;
  /** Members that wait for a height before they vote again. */
  readonly awaited: AwaitedHeights;
  readonly heardVotes: HeardVotes;
  readonly heardViews: HeardViews;
  readonly forks: Forks;
  readonly serving: ServingBudget;
  /** What is left to each peer of commands without a valid signature. */
  readonly forged: ServingBudget;
  readonly salvage: Salvage;
  readonly measures: Measures;
  readonly timing: ReplicaTiming;
  /** The data folder is the one that this node wrote last (vote guard, rule G3). */
  readonly guardCurrent: boolean;
  /** The floor of an earlier rejoin that may not be reached yet; 0 without one. */
  readonly storedFloor: number;
}

/** What the parts tell the replica. */
export interface PartHooks {
  onCertified(certified: Certified): void;
  halt(reason: string): void;
  decide(proposal: Proposal, certificate: CommitCertificate): void;
  wantProposal(slot: ProposalSlot): void;
  evidence(evidence: Evidence): void;
  accuse(accusation: Accusation): void;
  sendBlock(to: NodeId, height: number): void;
  /** A consensus message that came in by way of catching up. */
  feed(from: NodeId, bytes: Uint8Array): void;
}

/** Loads a node's memory and wires its parts. Errors: STORAGE_CORRUPT, GENESIS_INVALID. */
export function assemble(options: ReplicaOptions, hooks: PartHooks, done: (error: Error | undefined, parts?: Parts) => void): void {
  let count: GuardCount;
  try {
    // First of all: what else a folder of another node or cluster holds would only fail in less clear ways.
    const cluster = clusterIdOf(options.hasher, options.genesisBytes);
    count = readGuardCount(options, guardOwner(options.hasher, { cluster, self: options.self }));
  } catch (cause) {
    return done(cause instanceof Error ? cause : new Error(String(cause)));
  }
  const salvage = new Salvage(options.store, options.telemetry);
  return Ledger.load({ ...options, salvage }, (ledgerError, ledger) => {
    if (ledgerError !== undefined || ledger === undefined) return done(ledgerError ?? new Error("no ledger"));
    return loadRecords(options.store, ledger.membership.epoch, (recordsError, restored) => {
      if (recordsError !== undefined || restored === undefined) return done(recordsError ?? new Error("no records"));
      let parts: Parts;
      try {
        parts = wire(options, hooks, { ledger, salvage, stored: restored, count });
      } catch (cause) {
        return done(cause instanceof Error ? cause : new Error(String(cause)));
      }
      return done(undefined, parts);
    });
  });
}

/** What was read of a node's memory. */
interface Memory {
  readonly ledger: Ledger;
  readonly salvage: Salvage;
  readonly stored: RestoredLog;
  readonly count: GuardCount;
}

function wire(options: ReplicaOptions, hooks: PartHooks, { ledger, salvage, stored, count }: Memory): Parts {
  const { self, store, clock, timers, transport, telemetry } = options;
  const { engine } = ledger.genesis;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const rules = options.rules?.replica ?? replicaRules;
  const guardCurrent = !rules.checksGuard || isGuardCurrent(options);
  // What an old copy remembers is not memory: it is deleted when the floor is known, and not used before.
  const restored: RestoredLog = guardCurrent ? stored : { records: [], guard: [] };
  const guard = new VoteGuard(restored.guard, guardScopeOf(engine));
  const writeAhead = new WriteAhead({
    store,
    anchor: options.anchor,
    count,
    counts: guardCurrent,
    rules,
    onFailure: (error) => hooks.halt(`the disk refused a write: ${error.message}`),
    onFault: (cause) => hooks.halt(ownFault(cause)),
  });
  const certifier = makeCertifier(options, hooks, ledger);
  const proposing = makeProposing(options, { ledger, certifier, timing });
  const peers = new Peers({ membership: ledger.membership, self, transport, telemetry });
  const serving = new ServingBudget(clock);
  const measures = new Measures(telemetry);
  const catchUp = makeCatchUp(hooks, { ledger, peers, measures, timers, rules, timeoutMs: timing.syncTimeoutMs });
  const reads = new Reads({
    timers,
    ask: (id) => driver.step({ type: "read", id }),
    tipHeight: () => ledger.tip.height,
    certifiedHeight: () => certifier.certifiedHeight,
    durableHeight: () => certifier.newestHeight,
  });
  const newCore = (log: RestoredLog): Core => makeCore(options, { ledger, timing, restored: log });
  const ports = driverPorts(options, hooks, { writeAhead, guard, peers, serving, proposals: proposing.proposals, catchUp, reads });
  const driver: CoreDriver = new CoreDriver(newCore(restored), ports, restored.records);
  return {
    ledger,
    guard,
    remembered: new VoteGuard(restored.guard, guardScopeOf(engine)),
    writeAhead,
    driver,
    newCore: (log = { records: [], guard: [] }) => newCore(log),
    ...proposing,
    certifier,
    catchUp,
    waiters: new Waiters(timers),
    reads,
    watch: new LeaderWatch(),
    rate: new LeaderRate(),
    peers,
    awaited: new AwaitedHeights(),
    ...makeHeard(options, hooks, { ledger, peers }),
    serving,
    forged: new ServingBudget(clock, FORGED_SHARE),
    salvage,
    measures,
    timing,
    guardCurrent,
    storedFloor: readFloor(options),
  };
}

function makeProposing(
  options: ReplicaOptions,
  { ledger, certifier, timing }: Pick<Parts, "ledger" | "certifier" | "timing">,
): Pick<Parts, "mempool" | "admission" | "proposals"> {
  const { hasher, verifier, clock } = options;
  const { cluster } = ledger;
  const { issuers, operators } = ledger.genesis;
  const mempool = new Mempool();
  const admission = new Admission({ cluster, ledger, issuers, operators, hasher, verifier, clock, mempool });
  const proposals = new Proposals({
    hasher,
    verifier,
    clock,
    mempool,
    admission,
    certifier,
    epochFirstHeight: () => ledger.state.epochFirstHeight(),
    tipHeight: () => ledger.tip.height,
    pipelineCommandsMin: timing.pipelineCommandsMin,
    rules: options.rules?.replica ?? replicaRules,
  });
  return { mempool, admission, proposals };
}

function makeHeard(
  options: ReplicaOptions,
  hooks: PartHooks,
  { ledger, peers }: Pick<Parts, "ledger" | "peers">,
): Pick<Parts, "heardVotes" | "heardViews" | "forks"> {
  const { hasher, verifier, clock } = options;
  const { cluster, genesis } = ledger;
  const membershipOf = (epoch: number): Membership | undefined => ledger.state.epoch(epoch)?.membership;
  const onAccusation = hooks.accuse;
  return {
    heardVotes: new HeardVotes({
      cluster,
      verifier,
      membershipOf,
      onAccusation,
      tipHeight: () => ledger.tip.height,
      tell: (votes) => peers.broadcast({ kind: "heard", votes }),
    }),
    heardViews: new HeardViews({ cluster, verifier, membershipOf, onAccusation, hasher, window: genesis.window }),
    forks: new Forks({
      cluster,
      engine: genesis.engine,
      verifier,
      membershipAt: (height) => ledger.state.membershipAt(height),
      tipHeight: () => ledger.tip.height,
      decidedAt: (height) => ledger.certificateAt(height),
      // Of its own: who shows much is not refused the blocks that it asks for.
      reading: new ServingBudget(clock),
      onEvidence: hooks.evidence,
      halt: hooks.halt,
    }),
  };
}

function makeCatchUp(
  hooks: PartHooks,
  parts: Pick<Parts, "ledger" | "peers" | "measures"> & Pick<CatchUpPorts, "timers" | "timeoutMs" | "rules">,
): CatchUp {
  const { ledger, peers, measures, timers, timeoutMs, rules } = parts;
  return new CatchUp({
    timers,
    timeoutMs,
    rules,
    tipHeight: () => ledger.tip.height,
    peers: () => peers.connected(),
    request: (peer, fromHeight) => peers.send(peer, { kind: "sync-request", fromHeight }),
    deliver: (from, block) => {
      measures.onSynced(1);
      hooks.feed(from, block);
    },
  });
}

function makeCore(
  options: ReplicaOptions,
  parts: { readonly ledger: Ledger; readonly timing: ReplicaTiming; readonly restored: RestoredLog },
): Core {
  const { self, hasher, rules, entropy } = options;
  const { ledger, timing, restored } = parts;
  const { protocol, engine, window } = ledger.genesis;
  return createCore(engine, {
    cluster: ledger.cluster,
    self,
    membership: ledger.membership,
    protocol,
    window,
    hasher,
    tip: ledger.tip,
    epochFirstHeight: ledger.state.epochFirstHeight(),
    restored,
    seed: new ByteReader(entropy.bytes(4)).u32(),
    timing: timing.consensus,
    rules,
  });
}

function driverPorts(
  options: ReplicaOptions,
  hooks: PartHooks,
  parts: Pick<Parts, "writeAhead" | "guard" | "peers" | "serving" | "proposals" | "catchUp" | "reads">,
): CoreDriverPorts {
  const { signer, verifier, timers } = options;
  const { writeAhead, guard, peers, proposals, catchUp, reads } = parts;
  return {
    writeAhead,
    signer,
    verifier,
    timers,
    guard,
    send: (to, message) => (LARGE_ANSWERS.has(message.type) ? sendAnswer(parts, to, message) : peers.sendMessage(to, message)),
    broadcast: (message) => peers.broadcastMessage(message),
    sendBlock: hooks.sendBlock,
    validate: (proposal, check, answer) => proposals.validate(proposal, check, answer),
    wantProposal: hooks.wantProposal,
    decide: hooks.decide,
    requestSync: (fromHeight, from) => catchUp.want(fromHeight, from[0]),
    evidence: hooks.evidence,
    readAt: (id, height) => reads.onReadAt(id, height),
    halt: hooks.halt,
  };
}

/** What a peer asks for by a few bytes, and is large: a body, a proposal, or the new-view of a view that it asks for. */
const LARGE_ANSWERS: ReadonlySet<ConsensusMessage["type"]> = new Set(["proposal-body", "passed-proposal", "new-view"]);

function sendAnswer({ peers, serving }: Pick<Parts, "peers" | "serving">, to: NodeId, message: ConsensusMessage): void {
  if (!serving.allows(to)) return;
  const encoded = encodeMessage(message);
  serving.spend(to, encoded.length);
  peers.send(to, { kind: "consensus", message: encoded });
}

function makeCertifier(options: ReplicaOptions, hooks: PartHooks, ledger: Ledger): Certifier {
  const { self, signer, verifier, store, hasher, rules } = options;
  const { trustDomain, engine } = ledger.genesis;
  const membershipAt = (height: number): Membership => ledger.state.membershipAt(height);
  const falseRoots = new FalseRoots({
    cluster: ledger.cluster,
    verifier,
    membershipAt,
    prefixOf: (size, point) => prefixOf(options, ledger, { size, point }),
    onAccusation: hooks.accuse,
  });
  const certifier = new Certifier({
    self,
    membershipAt,
    trustDomain,
    hasher,
    faultModel: faultModelOf(engine),
    signer,
    verifier,
    rules: rules?.replica ?? replicaRules,
    ...(faultModelOf(engine) === "byzantine" ? { falseRoots } : {}),
    onCertified: hooks.onCertified,
    onDiverged: (height) => hooks.halt(`a quorum's checkpoint after height ${height} contradicts this node's log`),
    onKeysMissing: (epoch) => hooks.halt(`the secret halves of the L and W keys that epoch ${epoch} names for this node are not here`),
  });
  const stored = store.get(STORE_KEYS.certified);
  if (stored !== undefined) certifier.restore(readCertified(stored));
  for (const { height, point } of ledger.recentPoints()) certifier.addPoint(height, point);
  return certifier;
}

/** What the log had at a smaller size; undefined for another shard's. */
function prefixOf(
  { store }: ReplicaOptions,
  { log }: Ledger,
  about: { readonly size: number; readonly point: LogPoint },
): Prefix | undefined {
  const { size, point } = about;
  if (point.shard !== log.point.shard || point.size > log.point.size) return undefined;
  const read = (key: string): Uint8Array | undefined => store.get(key);
  const { shard } = point;
  return { root: log.rootOf({ shard, size }, read), path: log.consistencyProof({ shard, from: size, to: point.size }, read) };
}

function readFloor({ store }: ReplicaOptions): number {
  const stored = store.get(STORE_KEYS.floor);
  return stored === undefined ? 0 : parseDecimal(decodeUtf8(stored), "floor");
}
