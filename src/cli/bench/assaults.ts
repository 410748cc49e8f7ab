/** What a hostile client is told to do. */
export interface Assault {
  readonly kind: AssaultKind;
  /** Ports of all nodes on loopback. */
  readonly ports: readonly number[];
  readonly cluster: string;
  /** Folder of a registered service's key. */
  readonly identity: string;
}

/** Ways in which a client is hostile. */
export const ASSAULTS = ["bad-signature", "denied", "oversized", "slow-body", "connections"] as const;
/** One of them. */
export type AssaultKind = (typeof ASSAULTS)[number];
