import { type TendermintRules, tendermintRules } from "#consensus";
import type { PlantedBug } from "./bug.ts";

function bug(about: Omit<PlantedBug, "engine" | "room" | "overrides">, override: Partial<TendermintRules>): PlantedBug {
  return { ...about, room: "protocol", engine: "tendermint", overrides: { rules: { tendermint: { ...tendermintRules, ...override } } } };
}

/** Bugs in the rules of Tendermint (docs/protocols/tendermint.md). */
export const TENDERMINT_BUGS: readonly PlantedBug[] = [
  bug(
    {
      name: "tendermint-quorum-of-half",
      about: "half of the weight makes a polka and decides",
      breaks: ["A1", "A3", "A7"],
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
  bug(
    {
      name: "tendermint-votes-against-its-lock",
      about: "a member prevotes for another value than the one it is locked on",
      breaks: ["A1", "A8"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["targeted-lock"],
    },
    { mayPrevote: () => true },
  ),
  bug(
    {
      name: "tendermint-never-locks",
      known: "IBFT, arXiv 1901.07160",
      about: "a precommit does not lock",
      breaks: ["A1", "A8"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["targeted-lock"],
    },
    { locks: false },
  ),
  bug(
    {
      name: "tendermint-polka-not-needed",
      known: "malachite #1036",
      about: "a value is taken for valid because its proposer says so",
      breaks: ["A1", "A8"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["targeted-lock", "false-polka"],
    },
    { needsPolka: false },
  ),
  bug(
    {
      name: "tendermint-lock-not-restored",
      known: "malachite #1445",
      about: "a restart brings the votes back, and not the lock",
      breaks: ["A1", "A8"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["targeted-lock", "rolling-restart", "cluster-restart"],
    },
    { restoresLocks: false },
  ),
  bug(
    {
      name: "tendermint-never-unlocks",
      known: "arXiv 1805.08429: termination is proved where a newer polka opens a lock",
      about: "a lock is given up for no newer polka",
      breaks: ["A7"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["hidden-lock"],
    },
    { mayPrevote: ({ lockedRound, validRound }) => lockedRound < 0 || lockedRound === validRound },
  ),
  bug(
    {
      name: "tendermint-hides-its-polka",
      known: "malachite #956, #850: the hidden lock",
      about: "a polka is shown to nobody who missed its prevotes",
      breaks: ["A7"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["hidden-lock", "equivocate"],
    },
    { sharesPolkas: false },
  ),
];
