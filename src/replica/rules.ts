import { type FaultModel, isQuorum, LIMITS } from "#base";

/** The decisions of a replica on which safety stands beside its core's: a planted bug overrides one of them, production never does. */
export interface ReplicaRules {
  /** Whether what was queued after a write may leave before that write is durable (never). */
  readonly sendsUnwritten: boolean;
  /** Whether a data folder that counts fewer votes than the anchor is taken for an old copy (vote guard, G3). */
  readonly checksGuard: boolean;
  /** Heights above the highest proved tip at which a node without memory takes part again (vote guard, G4). */
  floorAbove(window: number): number;
  /** Whether a command that was answered keeps that answer when it is ordered again. */
  readonly keepsFirstAnswer: boolean;
  /** Whether a refused write ends the node: what it was for may be gone, though the next one succeeds. */
  readonly stopsAtFailedWrite: boolean;
  /** Whether a command that is known already goes no further when a peer tells of it: else it would go round for ever. */
  readonly relaysOnce: boolean;
  /** Whether blocks that a peer named are asked for no more once everybody answered that there are none (CVE-2025-24371). */
  readonly forgetsDenied: boolean;
  /** Whether a node takes part while it asks for blocks that a peer named: a name proves nothing. */
  readonly takesPartBehind: boolean;
  /** Whether the signatures of a proposal's commands are verified before the vote. */
  readonly verifiesCommands: boolean;
  /** Whether a first proposal may name a time so far from this node's clock, in microseconds. */
  isTimely(distanceUs: number): boolean;
  /** Whether a block is cosigned only when it is durable. */
  readonly cosignsWrittenOnly: boolean;
  /** Whether cosignatures of this weight certify a checkpoint. */
  certifies(weight: number, total: number, model: FaultModel): boolean;
  /** Whether a cosignature counts only after its two signatures verified. */
  readonly verifiesCosignatures: boolean;
}

/** The rules as docs/protocols/pbft.md and docs/ARCHITECTURE.md state them. */
export const replicaRules: ReplicaRules = {
  sendsUnwritten: false,
  checksGuard: true,
  floorAbove: (window) => 2 * window + 1,
  keepsFirstAnswer: true,
  stopsAtFailedWrite: true,
  relaysOnce: true,
  forgetsDenied: true,
  takesPartBehind: true,
  verifiesCommands: true,
  isTimely: (distanceUs) => distanceUs <= LIMITS.proposalSkewMaxMs * 1_000,
  cosignsWrittenOnly: true,
  certifies: isQuorum,
  verifiesCosignatures: true,
};
