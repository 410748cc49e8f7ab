import { type Accusation, contradicts } from "#base";

/** The decisions of the state machine on which safety stands, in one place: a planted bug overrides one of them, production never does. */
export interface StateRules {
  /** First height of the epoch of a change that is committed at a height, with genesis's delay (docs/protocols/membership.md, L8). */
  firstHeightOf(height: number, activationDelay: number): number;
  /** Whether a change is refused while another one is committed and not yet active (L5). */
  readonly oneChangeAtATime: boolean;
  /** Whether the next members obey the rules of genesis: no weight of a third or more, distinct keys, bounded sums (L6). */
  readonly checksMembers: boolean;
  /** Whether an id or key that was ever somebody's is refused to a new node (L7). */
  readonly retiresIds: boolean;
  /** Whether the statements of evidence convict whom it names, with genesis's window (docs/protocols/evidence.md, E1). */
  convicts(accusation: Accusation, window: number): boolean;
  /** Whether the key under which they are signed has to be the accused's (E5). */
  readonly checksAccusedKey: boolean;
  /** The time by which a command's expiry is judged, by the time that the block names; microseconds since 1970. */
  judgedAtUs(blockTimeUs: number): number;
  /** Whether a spent id may be forgotten, by the time from which its command has expired. */
  mayForget(expiredFromUs: number, blockTimeUs: number): boolean;
  /** Whether grants are found in the order in which they were made, restored ones too. */
  readonly keepsGrantsInOrder: boolean;
  /** Whether a grant allows a request, by the checks that fail: one bit each. */
  allows(failedChecks: number): boolean;
}

/** The rules as docs/protocols/membership.md and docs/ARCHITECTURE.md state them. */
export const stateRules: StateRules = {
  firstHeightOf: (height, activationDelay) => height + activationDelay,
  oneChangeAtATime: true,
  checksMembers: true,
  retiresIds: true,
  convicts: contradicts,
  checksAccusedKey: true,
  judgedAtUs: (blockTimeUs) => blockTimeUs,
  mayForget: (expiredFromUs, blockTimeUs) => expiredFromUs <= blockTimeUs,
  keepsGrantsInOrder: true,
  allows: (failedChecks) => failedChecks === 0,
};
