import { type RaftRules, raftRules } from "#consensus";
import type { PlantedBug } from "./bug.ts";

function bug(about: Omit<PlantedBug, "engine" | "room" | "overrides">, override: Partial<RaftRules>, window = 1): PlantedBug {
  return { ...about, room: "protocol", engine: "raft", overrides: { window, rules: { raft: { ...raftRules, ...override } } } };
}

/** Bugs in the rules of Raft (docs/protocols/raft.md). */
export const RAFT_BUGS: readonly PlantedBug[] = [
  bug(
    {
      name: "raft-half-elects",
      about: "half of the weight elects and commits, so two halves do",
      breaks: ["A1", "S1", "A7"],
      kinds: ["partition", "leader-crash"],
    },
    { isQuorum: (weight, total) => 2 * weight >= total },
  ),
  bug(
    {
      name: "raft-votes-twice",
      known: "Ongaro & Ousterhout 2014, 5.2",
      about: "a node votes for two candidates in one term",
      breaks: ["A5", "A1", "S1"],
      kinds: ["leader-crash", "partition", "loss", "isolate-leader"],
    },
    { votesOnce: false, isSticky: false, asksBeforeCampaign: false },
  ),
  bug(
    {
      name: "raft-ignores-the-gap",
      about: "an append is taken although it does not follow what is held",
      breaks: ["A1", "S1", "A7"],
      kinds: ["loss", "partition", "leader-crash", "crash"],
    },
    { matchesPrevious: false },
    4,
  ),
  bug(
    {
      name: "raft-elects-a-short-log",
      known: "Ongaro & Ousterhout 2014, 5.4.1",
      about: "a candidate whose log ends in an older term may lead",
      breaks: ["A1", "S1", "A7"],
      kinds: ["leader-crash", "slow-link", "crash"],
    },
    { isUpToDate: () => true },
  ),
  bug(
    {
      name: "raft-forgets-its-vote",
      known: "Ongaro & Ousterhout 2014, 5.2",
      about: "term and vote leave before they are written",
      breaks: ["A5"],
      nodes: 3,
      weights: [1, 1, 1],
      kinds: ["forgotten-vote", "leader-crash", "isolate-leader"],
    },
    { persistsVote: false },
  ),
  bug(
    {
      name: "raft-commits-old-terms",
      known: "Ongaro & Ousterhout 2014, figure 8",
      about: "an entry of an old term is committed by counting who holds it",
      breaks: ["A1", "S1"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["old-term"],
    },
    { mayCommit: () => true },
  ),
  bug(
    {
      name: "raft-new-members-alone",
      known: "Ongaro 2015, changes of one server; etcd #11284, #7625",
      about: "who knows that the epoch ends counts the new members alone, while others count the old ones",
      breaks: ["A1", "S1"],
      nodes: 5,
      kinds: ["parted-end"],
    },
    { agreeing: ({ next }) => [next] },
  ),
  bug(
    {
      name: "raft-leaves-joint-early",
      known: "camunda #60086",
      about: "a new leader that finds the epoch's end in its log leaves the epoch with it, and waits for no entry of its own",
      breaks: ["A1", "S1"],
      nodes: 4,
      weights: [1, 1, 1, 1],
      kinds: ["old-term"],
    },
    { mayCommit: ({ entryTerm, leaderTerm, isEnd }) => isEnd || entryTerm === leaderTerm },
  ),
  bug(
    {
      name: "raft-shuts-out-higher-terms",
      known: "etcd PR 8334; cockroach #107060",
      about:
        "a node whose term grew while it was alone hears no leader of a lower one and tells none; and leaders whom no quorum answers stay",
      breaks: ["A7"],
      kinds: ["partition", "isolate-leader", "one-way"],
    },
    { asksBeforeCampaign: false, answersLowerTerms: false, checksQuorum: false },
  ),
  bug(
    {
      name: "raft-reads-not-confirmed",
      known: "Redis-Raft, jepsen.io; etcd #20418",
      about: "a leader answers reads without asking whether it still leads",
      breaks: ["A6"],
      kinds: ["reads", "isolate-leader", "partition"],
    },
    { confirmsReads: false },
  ),
];
