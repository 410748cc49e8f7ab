/** Where things stand in the store. Numbers are padded so that keys sort as numbers do. */
export const STORE_KEYS = {
  tip: "m/tip",
  certified: "m/certified",
  block: (height: number): string => `b/${String(height).padStart(16, "0")}`,
  record: (command: string): string => `r/${command}`,
  certifiedOfShard: (shard: string): string => `c/${shard}`,
  statePrefix: "s/",
  /** Height and seal of the newest certified multiple of the checkpoint interval, and of those after it. */
  stable: "m/stable",
  /** Values that keys of the state had there, for those that changed since. */
  stablePrefix: "h/",
  beforeOf: (height: number): string => `h/${String(height).padStart(16, "0")}/`,
  /** Blocks up to this height are gone. */
  pruned: "m/pruned",
  /** Agreed time of the newest state that was taken over: of commands that were issued before, refusals may be unknown here. */
  skippedUntil: "m/skipped",
  handoverPrefix: "e/",
  handover: (epoch: number): string => `e/${String(epoch).padStart(16, "0")}`,
  walPrefix: "w/",
  walOfEpoch: (epoch: number): string => `w/${String(epoch).padStart(16, "0")}/`,
  guardPrefix: "g/",
  votes: "t/votes",
  pointPrefix: "p/",
  point: (height: number): string => `p/${String(height).padStart(16, "0")}`,
  floor: "t/floor",
  evidencePrefix: "x/",
} as const;

/** Records that a node can do without, and their names in the metric: the log, peers and later blocks tell the same again. */
export const SPARE_PREFIXES: readonly (readonly [prefix: string, kind: string])[] = [
  [STORE_KEYS.evidencePrefix, "evidence"],
  [STORE_KEYS.stablePrefix, "stable-state"],
  [STORE_KEYS.pointPrefix, "point"],
  [STORE_KEYS.handoverPrefix, "handover"],
];

/** The range of all keys with a prefix. */
export function prefixRange(prefix: string): { from: string; to: string } {
  return { from: prefix, to: `${prefix}\u007f` };
}
