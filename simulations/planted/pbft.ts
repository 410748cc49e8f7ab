import type { Hash } from "#base";
import { pbftRules, preparedChain, type ViewChange } from "#consensus";
import type { PlantedBug } from "./bug.ts";

const PBFT_BUGS_OF_RULES: readonly Omit<PlantedBug, "engine">[] = [
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
];

/** Bugs in the rules of PBFT (docs/protocols/pbft.md). */
export const PBFT_BUGS: readonly PlantedBug[] = PBFT_BUGS_OF_RULES.map((bug) => ({ ...bug, engine: "pbft" }));

function lowestPrepared(viewChanges: readonly ViewChange[]): readonly Hash[] {
  return preparedChain(viewChanges, (best, other) => other.view < best.view);
}
