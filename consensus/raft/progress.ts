import type { NodeId } from "#base";

/** What a leader knows of one follower (thesis sections 3.5 and 10.2.1). */
export interface Progress {
  readonly node: NodeId;
  /** Its log equals this leader's up to here. */
  match: number;
  /** Up to here its acknowledgements count: nothing while its memory is in question. */
  acknowledged: number;
  /** The next entry to send. */
  next: number;
  /** One message at a time until an answer shows where the logs agree; otherwise entries are sent without waiting. */
  probing: boolean;
  /** A refusal that told nothing new was answered since the last heartbeat. */
  repeated: boolean;
  /** `match` when the last heartbeat was due: no progress since means that something was lost. */
  matchAtHeartbeat: number;
  /** It answered since the leader last counted. */
  active: boolean;
  /** The newest round that it answered. */
  round: number;
  /** Name of the follower's memory that counts; undefined while none was named. */
  readonly incarnation: number | undefined;
}

/** A follower of whom nothing is known yet. */
export function newProgress(node: NodeId, { next, incarnation }: Pick<Progress, "next" | "incarnation">): Progress {
  return {
    node,
    match: 0,
    acknowledged: 0,
    next,
    probing: true,
    repeated: false,
    matchAtHeartbeat: 0,
    active: true,
    round: 0,
    incarnation,
  };
}
