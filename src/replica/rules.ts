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
}

/** The rules as docs/protocols/pbft.md and docs/ARCHITECTURE.md state them. */
export const replicaRules: ReplicaRules = {
  sendsUnwritten: false,
  checksGuard: true,
  floorAbove: (window) => 2 * window + 1,
  keepsFirstAnswer: true,
};
