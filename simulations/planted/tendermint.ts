import { type TendermintRules, tendermintRules } from "#consensus";
import type { PlantedBug } from "./bug.ts";

function bug(about: Omit<PlantedBug, "engine" | "overrides">, override: Partial<TendermintRules>): PlantedBug {
  return { ...about, engine: "tendermint", overrides: { rules: { tendermint: { ...tendermintRules, ...override } } } };
}

/** Bugs in the rules of Tendermint (docs/protocols/tendermint.md). */
export const TENDERMINT_BUGS: readonly PlantedBug[] = [
  bug(
    {
      name: "tendermint-quorum-of-half",
      about: "half of the weight makes a polka and decides",
      breaks: ["A1", "A3"],
      kinds: ["partition", "equivocate"],
    },
    { isQuorum: (weight, total) => 2 * weight >= total },
  ),
  bug(
    {
      name: "tendermint-votes-not-verified",
      about: "votes count before their signature is checked",
      breaks: ["A3", "A1"],
      kinds: ["forge"],
    },
    { verifiesVotes: false },
  ),
];
