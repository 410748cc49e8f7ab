import { type Accusation, type Clock, contradicts } from "#base";
import { type StateRules, stateRules } from "#state";
import type { PlantedBug } from "./bug.ts";

function bug(room: "membership" | "state", about: Omit<PlantedBug, "room" | "overrides">, override: Partial<StateRules>): PlantedBug {
  return { ...about, room, overrides: { rules: { state: { ...stateRules, ...override } } } };
}

function withoutCover(accusation: Accusation): Accusation {
  return accusation.kind === "hidden-certificate" ? { ...accusation, second: { ...accusation.second, prepared: [] } } : accusation;
}

function atOneHeight(accusation: Accusation): Accusation {
  if (accusation.kind !== "double-view-change") return accusation;
  const { first, second } = accusation;
  return { ...accusation, second: { ...second, height: first.height } };
}

/** Bugs in the rules by which members change (docs/protocols/membership.md). */
export const MEMBERSHIP_BUGS: readonly PlantedBug[] = [
  bug(
    "membership",
    {
      name: "epoch-begins-early",
      known: "etcd #11284, a configuration in force when it is applied",
      about: "an epoch begins a height before its time",
      breaks: ["A2"],
      kinds: ["reweight", "crash"],
    },
    { firstHeightOf: (height, delay) => height + delay - 1 },
  ),
  bug(
    "membership",
    {
      name: "changes-overlap",
      known: "camunda #60086",
      about: "a change of members is taken while another one is in flight",
      breaks: ["A2", "S1"],
      kinds: ["hasty-changes"],
    },
    { oneChangeAtATime: false },
  ),
  bug(
    "membership",
    { name: "a-third-in-one-hand", about: "a member may get a weight of a third or more", breaks: ["A2", "S1"], kinds: ["overweight"] },
    { checksMembers: false },
  ),
  bug(
    "membership",
    {
      name: "ids-used-again",
      known: "openraft FAQ, ids of nodes that left",
      about: "the id of a node that left is given to another",
      breaks: ["A2"],
      kinds: ["learner-again"],
    },
    { retiresIds: false },
  ),
];

/** Bugs in the state machine. */
export const STATE_BUGS: readonly PlantedBug[] = [
  bug(
    "state",
    {
      name: "accusations-believed",
      about: "two votes of a node convict it, whether they contradict each other or not",
      breaks: ["A8"],
      kinds: ["accuse"],
    },
    { convicts: () => true },
  ),
  bug(
    "state",
    {
      name: "covered-certificates-convict",
      about: "a commit and a later view change convict, also where the view change names the certificate",
      breaks: ["A8"],
      kinds: ["accuse", "targeted-loss"],
    },
    { convicts: (accusation, window) => contradicts(withoutCover(accusation), window) },
  ),
  bug(
    "state",
    {
      name: "heights-confused",
      about: "two view changes for one view convict, also where their heights differ: who decided in between asked again",
      breaks: ["A8"],
      kinds: ["accuse", "targeted-loss", "loss"],
    },
    { convicts: (accusation, window) => contradicts(atOneHeight(accusation), window) },
  ),
  bug(
    "state",
    {
      name: "accused-by-any-key",
      about: "evidence convicts whom it names, whoever signed it",
      breaks: ["A8"],
      kinds: ["accuse"],
    },
    { checksAccusedKey: false },
  ),
  {
    name: "expiry-by-local-clock",
    room: "state",
    known: "etcd #14571, replicas that diverge",
    about: "a command's expiry is judged by the node's own clock",
    breaks: ["A9", "A1", "S1", "L2", "A2", "A4"],
    overrides: {
      rules: (clock: Clock) => ({ state: { ...stateRules, judgedAtUs: (blockTimeUs) => Math.max(blockTimeUs, clock.nowUs()) } }),
    },
    kinds: ["expired-commands", "clock-forward", "slow-links"],
  },
  bug(
    "state",
    {
      name: "spent-ids-forgotten",
      known: "SmartBFT #484, a command delivered twice",
      about: "a spent id is forgotten at the next block, not when its command has expired",
      breaks: ["A2", "A4"],
      kinds: ["stuff", "duplicate-commands"],
    },
    { mayForget: () => true },
  ),
  bug(
    "state",
    {
      name: "grants-in-order-of-loading",
      about: "a restarted node finds grants in another order than the others",
      breaks: ["S1", "A8", "A9", "L2", "L1"],
      kinds: ["crash", "rolling-restart", "crash-loop"],
    },
    { keepsGrantsInOrder: false },
  ),
  bug(
    "state",
    { name: "one-failed-check-forgiven", about: "a grant allows what fails only one of its checks", breaks: ["Z1"], kinds: ["crash"] },
    { allows: (failed) => (failed & (failed - 1)) === 0 },
  ),
];
