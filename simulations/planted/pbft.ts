import type { Hash } from "#base";
import { pbftRules, preparedChain, type ViewChange } from "#consensus";
import type { PlantedBug } from "./bug.ts";

const PBFT_BUGS_OF_RULES: readonly Omit<PlantedBug, "engine" | "room">[] = [
  {
    name: "quorum-of-half",
    about: "half of the weight decides, so two halves decide apart",
    breaks: ["A1", "A3", "A7"],
    overrides: { rules: { pbft: { ...pbftRules, isQuorum: (weight, total) => 2 * weight >= total } } },
    kinds: ["partition", "equivocate"],
  },
  {
    name: "votes-not-verified",
    known: "Castro & Liskov 1999, 4.4",
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
    known: "raijin #8",
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
    name: "certificates-not-checked",
    known: "malachite #1036",
    about: "a decided block is taken whatever the weight behind its certificate",
    breaks: ["A3", "A1"],
    overrides: { rules: { pbft: { ...pbftRules, checksCertificates: false } } },
    kinds: ["lie-catch-up", "crash", "lost-disk", "partition"],
  },
  {
    name: "prepared-not-restored",
    known: "malachite #1445",
    about: "a restart brings the votes back, and not what they prepared",
    breaks: ["A1", "A5", "A7", "A8", "S1"],
    overrides: { rules: { pbft: { ...pbftRules, restoresCertificates: false } } },
    kinds: ["targeted-loss", "rolling-restart", "cluster-restart"],
  },
  {
    name: "reads-not-confirmed",
    known: "Redis-Raft, jepsen.io; etcd #20418",
    about: "a read is answered from what the node has, whoever decided more meanwhile",
    breaks: ["A6"],
    overrides: { rules: { pbft: { ...pbftRules, confirmsReads: false } } },
    kinds: ["reads", "partition", "isolate-leader", "slow-links"],
  },
  {
    name: "two-thirds-of-five",
    known: "SmartBFT computeQuorum",
    about: "2f + 1 of five decide, so two quorums meet in the one that lies",
    breaks: ["A1", "A3", "A7"],
    nodes: 5,
    weights: [1, 1, 1, 1, 1],
    overrides: { rules: { pbft: { ...pbftRules, isQuorum: (weight, total) => weight >= 2 * Math.floor((total - 1) / 3) + 1 } } },
    kinds: ["equivocate", "partition"],
  },
  {
    name: "two-thirds-of-six",
    known: "SmartBFT computeQuorum",
    about: "2f + 1 of six decide, so two quorums need not meet",
    breaks: ["A1", "A3", "A7"],
    nodes: 6,
    weights: [1, 1, 1, 1, 1, 1],
    overrides: { rules: { pbft: { ...pbftRules, isQuorum: (weight, total) => weight >= 2 * Math.floor((total - 1) / 3) + 1 } } },
    kinds: ["partition", "equivocate"],
  },
  {
    name: "one-view-change-masks-the-rest",
    known: "concord-bft PR 50",
    about: "of the view changes that make a new-view only the first one's certificates count",
    breaks: ["A1", "A7", "S1"],
    overrides: { rules: { pbft: { ...pbftRules, demandedChain: (viewChanges) => pbftRules.demandedChain(viewChanges.slice(0, 1)) } } },
    kinds: ["targeted-loss", "crash", "loss"],
  },
  {
    name: "new-views-not-verified",
    known: "Castro & Liskov 1999, 4.4",
    about: "a new-view is believed without the view changes of a quorum",
    breaks: ["A1", "A7", "S1"],
    overrides: { rules: { pbft: { ...pbftRules, verifiesNewViews: false } } },
    kinds: ["targeted-loss", "false-new-view"],
  },
  {
    name: "new-view-judged-by-others",
    known: "fabric-archives PR 1111",
    about: "what a new-view demands is judged by the view changes that came here, not by its own",
    breaks: ["A7", "A1"],
    overrides: { rules: { pbft: { ...pbftRules, demandsByNewView: false } } },
    kinds: ["hide-certificate", "targeted-loss", "two-faced-views"],
  },
  {
    name: "new-view-omits-a-slot",
    known: "FISCO-BCOS PR 5168",
    about: "a new-view demands the prepared values but the last",
    breaks: ["A1", "A7", "S1"],
    overrides: { rules: { pbft: { ...pbftRules, demandedChain: (viewChanges) => pbftRules.demandedChain(viewChanges).slice(0, -1) } } },
    kinds: ["targeted-loss", "crash", "loss"],
  },
];

/** Bugs in the rules of PBFT (docs/protocols/pbft.md). */
export const PBFT_BUGS: readonly PlantedBug[] = PBFT_BUGS_OF_RULES.map((bug) => ({ ...bug, engine: "pbft", room: "protocol" }));

function lowestPrepared(viewChanges: readonly ViewChange[]): readonly Hash[] {
  return preparedChain(viewChanges, (best, other) => other.view < best.view);
}
