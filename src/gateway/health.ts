import {
  type FaultModel,
  faultModelOf,
  type Genesis,
  type Hash,
  isQuorum,
  type NodeId,
  tolerableWeight,
  totalWeight,
  weightOf,
} from "#base";
import type { ReplicaStatus } from "#replica";
import type { Health, NodeStatus } from "./backend.ts";

/** What a member may do wrong and not be in the others' way. */
const FAULTS: Readonly<Record<FaultModel, string>> = { byzantine: "faulty", crash: "crashed" };

/** Health in words: what a person on call wants to read first. */
export function describeHealth(genesis: Genesis, status: ReplicaStatus): Health {
  const { membership } = status;
  const model = faultModelOf(genesis.engine);
  const total = totalWeight(membership);
  const present = weightOf(membership, votersOf(status));
  const canDecide = status.mode !== "halted" && isQuorum(present, total, model);
  const needed = total - tolerableWeight(total, model);
  const spare = present - needed;
  const tolerates = canDecide ? Math.min(spare, tolerableWeight(total, model)) : 0;
  return {
    canDecide,
    tolerates,
    summary: summarize(status, { canDecide, tolerates, model, present, needed }),
  };
}

/** A node's status as callers see it. @param entryOf global sequence of a command's entry, where this node knows it */
export function describeStatus(genesis: Genesis, status: ReplicaStatus, entryOf: (command: Hash) => number | undefined): NodeStatus {
  const { consensus, tip, certified, haltReason, participatesAbove } = status;
  const connected = new Set<NodeId>([status.node, ...status.connected]);
  const voting = new Set<NodeId>(votersOf(status));
  return {
    node: status.node,
    cluster: status.cluster,
    environment: genesis.environment,
    engine: genesis.engine,
    mode: status.mode,
    ...(haltReason === undefined ? {} : { haltReason }),
    ...(participatesAbove === undefined ? {} : { participatesAbove }),
    height: tip.height,
    epoch: status.membership.epoch,
    view: consensus.view,
    ...(consensus.leader === undefined ? {} : { leader: consensus.leader }),
    phase: consensus.phase,
    waitingFor: consensus.waitingFor,
    certifiedHeight: certified.height,
    logSize: certified.size,
    stateHash: tip.stateHash,
    agreedTimeMs: Math.floor(tip.timeUs / 1_000),
    mempool: status.mempool,
    blocksFrom: status.blocksFrom,
    ...(status.transfer === undefined ? {} : { transfer: status.transfer }),
    members: status.membership.members.map(({ id, weight, httpUrl }) => ({
      id,
      weight,
      connected: connected.has(id),
      voting: voting.has(id),
      httpUrl,
    })),
    epochFirstHeight: status.epochFirstHeight,
    learners: status.learners.map(({ id, httpUrl }) => ({ id, connected: connected.has(id), httpUrl })),
    ...(status.pending === undefined ? {} : { pending: describePending(status.pending) }),
    health: describeHealth(genesis, status),
    evidence: status.evidence.map(({ name: _name, timeUs, ...record }) => {
      const entry = entryOf(record.command);
      return { ...record, timeMs: Math.floor(timeUs / 1_000), ...(entry === undefined ? {} : { entry }) };
    }),
    evidenceHeld: status.evidenceHeld,
    proposedRemovals: status.proposedRemovals.map(({ node, code, change }) => ({
      node,
      code,
      expiresMs: Math.floor(change.expiresAtUs / 1_000),
    })),
  };
}

function describePending({ lastHeight, next }: NonNullable<ReplicaStatus["pending"]>): NonNullable<NodeStatus["pending"]> {
  return { epoch: next.epoch, activeFrom: lastHeight + 1, members: next.members.map(({ id, weight }) => ({ id, weight })) };
}

/** Who votes as far as this node knows. */
function votersOf({ mode, node, voting }: ReplicaStatus): readonly NodeId[] {
  return mode === "participating" ? [node, ...voting] : voting;
}

/** What keeps this node itself from voting. */
function ownStanding({ mode, participatesAbove = 0, certified }: ReplicaStatus): string {
  if (mode === "following") return "follows without a vote; ";
  if (mode !== "recovering") return "";
  if (participatesAbove <= certified.height) return "catching up, does not vote yet; ";
  return `catching up, votes again above height ${participatesAbove} once that is certified; `;
}

interface Figures {
  readonly canDecide: boolean;
  readonly tolerates: number;
  readonly model: FaultModel;
  readonly present: number;
  readonly needed: number;
}

function summarize(status: ReplicaStatus, { canDecide, tolerates, model, present, needed }: Figures): string {
  if (status.mode === "halted") return `halted: ${status.haltReason ?? "unknown"}`;
  const prefix = ownStanding(status);
  if (!canDecide) return `${prefix}cannot decide: ${present} of ${needed} needed votes${missing(status)}`;
  const fault = FAULTS[model];
  if (status.membership.members.length === 1) return `${prefix}one node decides alone; survives no ${fault} node`;
  if (tolerates === 0) return `${prefix}decides, but survives no further ${fault} node${missing(status)}`;
  const survived = anyOf(status, tolerates);
  if (survived === 0) return `${prefix}decides, and survives ${fault} nodes of weight ${tolerates} at most${missing(status)}`;
  return `${prefix}survives ${survived} ${fault} ${survived === 1 ? "node" : "nodes"}${model === "crash" ? ", none that lies" : ""}${missing(status)}`;
}

/** How many of the members that are there may fail, whichever they are: the heaviest count, for a weight says nothing of how many share it. */
function anyOf(status: ReplicaStatus, tolerates: number): number {
  const voters = votersOf(status);
  const there = status.membership.members.filter(({ id }) => voters.includes(id));
  let left = tolerates;
  const weights = there.map(({ weight }) => weight).sort((a, b) => b - a);
  const first = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return first < 0 ? weights.length : first;
}

function missing(status: ReplicaStatus): string {
  const { node, connected, voting, consensus } = status;
  const away = consensus.waitingFor.filter((id) => id !== node && !voting.includes(id));
  const named = away.map((id) => (connected.includes(id) ? `${id} (does not vote)` : id));
  return named.length === 0 ? "" : `; waiting for ${named.join(", ")}`;
}
