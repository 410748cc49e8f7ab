import type { Hash } from "#base";
import { type CoreRules, pbftRules, preparedChain, type ViewChange } from "#consensus";
import type { ClusterOptions } from "../cluster.ts";
import type { FaultKind } from "../faults/catalogue.ts";

/** A bug that is planted on purpose, to see that the laboratory finds it. */
export interface PlantedBug {
  readonly name: string;
  /** What is wrong, in a line. */
  readonly about: string;
  /** Invariants of which at least one must be seen to break. */
  readonly breaks: readonly string[];
  readonly overrides: Pick<ClusterOptions, "acknowledgesEarly" | "forgetsGuard"> & { readonly window?: number; readonly rules?: CoreRules };
  /** Kinds of faults under which it shows soonest. */
  readonly kinds: readonly FaultKind[];
}

/** Every planted bug. Each overrides one rule. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "quorum-of-half",
    about: "half of the weight decides, so two halves decide apart",
    breaks: ["A1", "A3"],
    overrides: { rules: { pbft: { ...pbftRules, isQuorum: (weight, total) => 2 * weight >= total } } },
    kinds: ["partition", "equivocate"],
  },
  {
    name: "votes-not-verified",
    about: "votes count before their signature is checked",
    breaks: ["A3", "A1"],
    overrides: { rules: { pbft: { ...pbftRules, verifiesVotes: false } } },
    kinds: ["forge"],
  },
  {
    name: "prepares-of-any-digest",
    about: "prepares for another digest count for the accepted one",
    breaks: ["A1", "A3", "A7", "S1"],
    overrides: { rules: { pbft: { ...pbftRules, matchesDigest: false } } },
    kinds: ["equivocate", "targeted-loss"],
  },
  {
    name: "prepared-value-dropped",
    about: "a new-view demands nothing although a value was prepared",
    breaks: ["A1", "S1"],
    overrides: { rules: { pbft: { ...pbftRules, demandedChain: () => [] } } },
    kinds: ["targeted-loss", "crash", "loss"],
  },
  {
    name: "oldest-prepared-wins",
    about: "a new-view demands the prepared certificate of the lowest view",
    breaks: ["A1", "A7", "S1"],
    overrides: { rules: { pbft: { ...pbftRules, demandedChain: lowestPrepared } } },
    kinds: ["targeted-loss"],
  },
  {
    name: "commits-out-of-order",
    about: "a height is committed before the ones below it are prepared in the same view",
    breaks: ["A1", "S1", "A7"],
    overrides: { window: 4, rules: { pbft: { ...pbftRules, commitsInOrder: false } } },
    kinds: ["targeted-loss", "slow-links", "loss"],
  },
  {
    name: "acknowledged-before-durable",
    about: "the store says durable before it is",
    breaks: ["A4", "A5", "A1"],
    overrides: { acknowledgesEarly: true },
    kinds: ["cluster-restart", "crash"],
  },
  {
    name: "lost-disk-taken-for-new",
    about: "a node that lost its memory votes as if it had none to lose",
    breaks: ["A5", "A1"],
    overrides: { forgetsGuard: true },
    kinds: ["restart-lost", "slow-links"],
  },
];

function lowestPrepared(viewChanges: readonly ViewChange[]): readonly Hash[] {
  return preparedChain(viewChanges, (best, other) => other.view < best.view);
}
