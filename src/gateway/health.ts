import { faultModelOf, type Genesis, type Hash, isQuorum, type NodeId, tolerableWeight, totalWeight, weightOf } from "#base";
import type { ReplicaStatus } from "#replica";
import type { Health, NodeStatus } from "./backend.ts";

const PREFIXES: Readonly<Partial<Record<ReplicaStatus["mode"], string>>> = {
  recovering: "catching up, does not vote yet; ",
  following: "follows without a vote; ",
};

/** Health in words: what a person on call wants to read first. */
export function describeHealth(genesis: Genesis, status: ReplicaStatus): Health {
  const { membership } = status;
  const model = faultModelOf(genesis.engine);
  const total = totalWeight(membership);
  const present = weightOf(membership, [status.node, ...status.connected]);
  const canDecide = status.mode !== "halted" && isQuorum(present, total, model);
  const needed = total - tolerableWeight(total, model);
  const spare = present - needed;
  const tolerates = canDecide ? Math.min(spare, tolerableWeight(total, model)) : 0;
  return {
    canDecide,
    tolerates,
    summary: summarize(status, { canDecide, tolerates, members: membership.members.length, present, needed }),
  };
}

/** A node's status as callers see it. @param entryOf global sequence of a command's entry, where this node knows it */
export function describeStatus(genesis: Genesis, status: ReplicaStatus, entryOf: (command: Hash) => number | undefined): NodeStatus {
  const { consensus, tip, certified, haltReason, participatesAbove } = status;
  const connected = new Set<NodeId>([status.node, ...status.connected]);
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
    members: status.membership.members.map(({ id, weight, httpUrl }) => ({ id, weight, connected: connected.has(id), httpUrl })),
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

function summarize(
  status: ReplicaStatus,
  figures: { canDecide: boolean; tolerates: number; members: number; present: number; needed: number },
): string {
  const { canDecide, tolerates, members, present, needed } = figures;
  if (status.mode === "halted") return `halted: ${status.haltReason ?? "unknown"}`;
  if (!canDecide) return `cannot decide: ${present} of ${needed} needed votes; waiting for ${status.consensus.waitingFor.join(", ")}`;
  const prefix = PREFIXES[status.mode] ?? "";
  if (members === 1) return `${prefix}one node decides alone; survives no faulty node`;
  if (tolerates === 0) return `${prefix}decides, but survives no further faulty node${missing(status)}`;
  return `${prefix}survives ${tolerates} faulty ${tolerates === 1 ? "node" : "nodes"}${missing(status)}`;
}

function missing(status: ReplicaStatus): string {
  const away = status.consensus.waitingFor.filter((id) => !status.connected.includes(id) && id !== status.node);
  return away.length === 0 ? "" : `; waiting for ${away.join(", ")}`;
}
