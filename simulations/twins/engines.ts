import { type EngineName, leaderOf, type Membership, type NodeId } from "#base";
import { type CoreRules, proposerOf, tendermintRules } from "#consensus";
import type { Copy, CoreSetting } from "./copy.ts";

/** What a run has to know of its engine: how leaders are named and how a round begins and ends. */
export interface EngineSetting extends CoreSetting {
  /** How long a round lasts, in virtual milliseconds. */
  readonly roundMs: number;
  /** The round in which a copy stands; those ahead of the present round wait for it. */
  roundOf(copy: Copy, present: number): number;
  /** What ends the last round and begins the next one for a copy. */
  enter(copy: Copy, round: number): void;
  /** Up to which height leaders get drafts in a round. */
  heightMax(round: number): number;
  /** Whether elections wait for the script. */
  readonly holdsElections: boolean;
}

/** Rounds, their leaders, and the members in the order of their ids. */
export interface Script {
  readonly membership: Membership;
  readonly leaders: readonly NodeId[];
  /** Heights in flight. */
  readonly window: number;
  /** Rules beside the leaders: of a planted bug, or none. */
  readonly rules?: CoreRules;
}

/** An engine under a script of leaders. */
export function settingOf(engine: EngineName, script: Script): EngineSetting {
  switch (engine) {
    case "pbft":
      return pbftSetting(script);
    case "tendermint":
      return tendermintSetting(script);
    case "raft":
      return raftSetting(script);
  }
}

/**
 * A view's number names its leader. So the rounds of a script are those views, in ascending order, that the wanted members lead; of the views in
 * between nobody hears anything. No seam is needed for that.
 */
function pbftSetting({ membership, leaders, window, rules = {} }: Script): EngineSetting {
  const views: number[] = [];
  for (const leader of leaders) {
    let view = (views.at(-1) ?? -1) + 1;
    while (leaderOf(membership, view) !== leader) view += 1;
    views.push(view);
  }
  return {
    name: "pbft",
    timing: { pbft: { viewTimeoutMs: 100, viewTimeoutMaxMs: 800, retransmitMs: 25 } },
    rules,
    roundMs: 60,
    roundOf: (_copy, present) => present,
    enter: (copy, round) => {
      for (const wanted = views[round] ?? 0; copy.core.snapshot().view < wanted && copy.halted === undefined; ) {
        const before = copy.core.snapshot().view;
        copy.isUnheard = before + 1 < wanted;
        copy.feed({ type: "timer", name: "progress" });
        copy.isUnheard = false;
        if (copy.core.snapshot().view === before) return;
      }
    },
    heightMax: (round) => round + window,
    holdsElections: false,
  };
}

/** The rules name the proposer. Each decision and each lost round is one round of the script: (height − 1) + round. */
function tendermintSetting({ leaders, rules = {} }: Script): EngineSetting {
  const scripted = (members: Membership, height: number, round: number): NodeId =>
    leaders[height - 1 + round] ?? proposerOf(members, height, round);
  return {
    name: "tendermint",
    timing: { tendermint: { proposeMs: 20, voteMs: 10, roundDeltaMs: 5, timeoutMaxMs: 400, retransmitMs: 15 } },
    rules: { tendermint: { ...(rules.tendermint ?? tendermintRules), proposerOf: scripted } },
    roundMs: 80,
    roundOf: (copy) => {
      const { height, view } = copy.core.snapshot();
      return height - 1 + view;
    },
    enter: () => {},
    heightMax: () => Number.MAX_SAFE_INTEGER,
    holdsElections: false,
  };
}

/** Whoever campaigns first leads: at the beginning of a round nobody hears a leader any more, and the wanted one's time is over. */
function raftSetting({ leaders, window, rules = {} }: Script): EngineSetting {
  return {
    name: "raft",
    timing: { raft: { heartbeatMs: 20, electionTimeoutMs: 100 } },
    rules,
    roundMs: 60,
    roundOf: (_copy, present) => present,
    enter: (copy, round) => {
      const follows = (): boolean => copy.core.snapshot().leader !== undefined && copy.core.snapshot().leader !== copy.id;
      if (follows()) copy.feed({ type: "timer", name: "election" });
      if (copy.id === leaders[round] && copy.core.snapshot().leader === undefined) copy.feed({ type: "timer", name: "election" });
    },
    heightMax: (round) => round + 1 + window,
    holdsElections: true,
  };
}
