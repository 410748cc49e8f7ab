/** How much weight a claim needs, by integer weight. Never `2f + 1` of n: that is wrong unless n = 3f + 1. */
export type FaultModel = "byzantine" | "crash";

/** True when the weight is a Byzantine quorum: two of them share an honest member. */
export function isByzantineQuorum(weight: number, total: number): boolean {
  return 3 * weight > 2 * total;
}

/** True when the weight holds at least one honest member. */
export function holdsOneHonest(weight: number, total: number): boolean {
  return 3 * weight > total;
}

/** True when the weight is a majority, enough against crashes only. */
export function isMajority(weight: number, total: number): boolean {
  return 2 * weight > total;
}

/** True when the weight is a quorum under the fault model. */
export function isQuorum(weight: number, total: number, model: FaultModel): boolean {
  return model === "byzantine" ? isByzantineQuorum(weight, total) : isMajority(weight, total);
}

/** The most weight that may fail while the rest is still a Byzantine quorum. */
export function tolerableWeight(total: number): number {
  return Math.ceil(total / 3) - 1;
}
