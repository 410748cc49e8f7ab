import type { EngineName } from "#base";
import { type PlayOptions, recordMail } from "./play.ts";
import type { MailRecord, Mutation } from "./postman.ts";
import type { TwinsScenario } from "./scenario.ts";

/** Which small mutations are tried. */
export interface MutationSpace {
  readonly engine: EngineName;
  /** How many messages something happens to at once: 1 or 2. */
  readonly mutations: number;
}

type Base = Pick<TwinsScenario, "round_leaders" | "round_partitions" | "round_deaf">;

const WHOLE = [["A", "B", "C", "D"]];

/** Short runs of four nodes, two heights or so each: what happens to a message depends on what else happens. */
const BASES: readonly Base[] = [
  // Two leaders take turns.
  { round_leaders: ["A", "B"], round_partitions: [WHOLE, WHOLE] },
  // One alone decides, and is gone when the others go on.
  { round_leaders: ["A", "B"], round_partitions: [WHOLE, [["A"], ["B", "C", "D"]]], round_deaf: [["B", "C", "D"], []] },
  // One alone decides what one other never heard of, who leads when the first is gone.
  {
    round_leaders: ["A", "D"],
    round_partitions: [
      [["A", "B", "C"], ["D"]],
      [["A"], ["B", "C", "D"]],
    ],
    round_deaf: [["B", "C"], []],
  },
  // The first leader is away.
  { round_leaders: ["A", "B"], round_partitions: [[["A"], ["B", "C", "D"]], WHOLE] },
];

/** What the network does to either message of a pair: copies of messages are harmless where each alone is, so pairs leave them out. */
const IN_PAIRS: ReadonlySet<string> = new Set(["drop", "delay"]);

/**
 * Everything that may happen to one message of a short run, or to two of them. Of a pair at most one node is Byzantine. The second message is counted
 * in the run that the first mutation makes.
 */
export function* enumerateMutations(space: MutationSpace, options: PlayOptions): Generator<TwinsScenario> {
  for (const base of BASES) {
    const scenario = { engine: space.engine, nodes: 4, twins: [], ...base };
    for (const [first, liar] of mutationsOf(recordMail(scenario, options))) {
      const once = { ...scenario, mutations: [first] };
      if (space.mutations === 1) yield once;
      else yield* pairsOf(once, { first, liar, mail: recordMail(once, options) });
    }
  }
}

function* pairsOf(
  once: TwinsScenario,
  { first, liar, mail }: { readonly first: Mutation; readonly liar: string | undefined; readonly mail: readonly MailRecord[] },
): Generator<TwinsScenario> {
  const mayPair = ({ what }: Mutation, isLie: boolean): boolean => isLie || IN_PAIRS.has(what);
  if (!mayPair(first, liar !== undefined)) return;
  for (const [second, other] of mutationsOf(mail)) {
    const isBearable = liar === undefined || other === undefined || liar === other;
    if (second.at > first.at && isBearable && mayPair(second, other !== undefined)) yield { ...once, mutations: [first, second] };
  }
}

/** Each mutation of a run, with the node that it makes a liar. */
function mutationsOf(mail: readonly MailRecord[]): (readonly [Mutation, string | undefined])[] {
  return mail.flatMap(({ from, lies, network }, at) => [
    ...network.map((what) => [{ at, what }, undefined] as const),
    ...lies.map((what) => [{ at, what }, from] as const),
  ]);
}
