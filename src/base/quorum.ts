/** How much weight a claim needs, by integer weight. Never `2f + 1` of n: that is wrong unless n = 3f + 1. */
export type FaultModel = "byzantine" | "crash";

/** Consensus engines, by the name that genesis gives them. */
export const ENGINES = ["pbft", "tendermint", "raft"] as const;

/** See ENGINES. */
export type EngineName = (typeof ENGINES)[number];

/** What an engine's members may do wrong without harm: lie (less than a third of the weight), or in raft only stop. */
export function faultModelOf(engine: EngineName): FaultModel {
  return engine === "raft" ? "crash" : "byzantine";
}

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

/** The most weight that may fail while the rest is still a quorum: of liars, or under `crash` of the stopped. */
export function tolerableWeight(total: number, model: FaultModel = "byzantine"): number {
  return Math.ceil(total / (model === "byzantine" ? 3 : 2)) - 1;
}
