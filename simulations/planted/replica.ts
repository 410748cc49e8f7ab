import { type ReplicaRules, replicaRules } from "#replica";
import type { PlantedBug } from "./bug.ts";

function bug(about: Omit<PlantedBug, "room" | "overrides">, override: Partial<ReplicaRules>): PlantedBug {
  return { ...about, room: "replica", overrides: { rules: { replica: { ...replicaRules, ...override } } } };
}

/** Bugs in the replica around its core. */
export const REPLICA_BUGS: readonly PlantedBug[] = [
  bug(
    {
      name: "sent-before-written",
      known: "openraft io_ordering",
      about: "votes and answers leave before they are durable",
      breaks: ["A4", "A5", "A1"],
      kinds: ["cluster-restart", "crash", "power-cut"],
    },
    { sendsUnwritten: true },
  ),
  bug(
    {
      name: "guard-unchecked",
      about: "an old copy of the data folder is taken for the newest",
      breaks: ["A5", "A1"],
      kinds: ["lost-witness", "old-copy"],
    },
    { checksGuard: false },
  ),
  bug(
    {
      name: "floor-too-low",
      about: "a node without memory takes part right above the proved tip",
      breaks: ["A5", "A1"],
      kinds: ["restart-lost", "slow-links"],
    },
    { floorAbove: () => 0 },
  ),
  bug(
    {
      name: "first-answer-replaced",
      about: "a second refusal replaces the answer on record",
      breaks: ["A4"],
      kinds: ["conflicting-ids", "late-copies", "stuff"],
    },
    { keepsFirstAnswer: false },
  ),
  bug(
    {
      name: "commands-not-verified",
      about: "a proposal's commands are ordered whoever signed them",
      breaks: ["A2", "S1"],
      kinds: ["smuggle", "slow-links"],
    },
    { verifiesCommands: false },
  ),
  bug(
    {
      name: "commands-go-round",
      known: "Aardvark: one client's command keeps everybody busy",
      about: "a command that a peer tells of is told on, also when it is known already",
      breaks: ["S1"],
      kinds: ["stalled-disk", "slow-links"],
    },
    { relaysOnce: false },
  ),
  bug(
    {
      name: "denied-heights-awaited",
      known: "CVE-2025-24371: a peer names a height, and then a lower one",
      about:
        "a height that one peer named is awaited though all say that they have nothing, and who is behind takes no part (two rules: either helps)",
      breaks: ["A7", "S1"],
      kinds: ["lie-tips", "crash"],
    },
    { forgetsDenied: false, takesPartBehind: false },
  ),
  bug(
    {
      name: "times-not-checked",
      about: "a leader may name any time",
      breaks: ["A2"],
      kinds: ["mistime"],
    },
    { isTimely: () => true },
  ),
  bug(
    {
      name: "failed-sync-ignored",
      known: "Rebello et al. 2020; etcd #14143",
      about: "a write that failed is taken for written, since the next one succeeds",
      breaks: ["A4", "A5", "L1", "A7", "S1"],
      kinds: ["flaky-syncs", "crash", "cluster-restart"],
    },
    { stopsAtFailedWrite: false },
  ),
];
