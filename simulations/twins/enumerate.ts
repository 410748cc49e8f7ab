import { type EngineName, SeededRandom } from "#base";
import { copyNames, nodeNames, type TwinsScenario } from "./scenario.ts";

/** Which scenarios there are. */
export interface TwinsSpace {
  readonly engine: EngineName;
  readonly nodes: number;
  /** How many nodes, the first ones, run twice. */
  readonly twins: number;
  readonly rounds: number;
  /** Into how many parts the network falls at most. */
  readonly parts: number;
  /** Whether copies may be deaf to deciding votes: in every round but the last, where nothing follows. */
  readonly deaf: boolean;
  /** Heights in flight; one when absent. */
  readonly window?: number;
  /** Whether scenarios that differ in names alone are all played; one for each class of them by default. */
  readonly everyName?: boolean;
}

/** What may happen in one round: who leads, who hears whom, and who misses the deciding votes. */
interface Moment {
  readonly leader: string;
  readonly parts: readonly (readonly string[])[];
  readonly deaf: readonly string[];
}

/** Beyond this many, only drawing is quick. */
const MOMENTS_MAX = 10_000;

/** A renaming of copies that changes nothing but names. */
type Renaming = ReadonlyMap<string, string>;

/**
 * Every scenario of a space, one for each class of those that differ in names alone. Honest nodes may trade names with each other, and so may nodes
 * with a twin, and the two copies of a node. That is sound for the protocols, which know no names: keys and weights are alike, so traded names make
 * of each run of the protocol another one. It leaves out what the code breaks by name where the protocol leaves a choice (which of more votes than
 * needed a certificate lists, who leads after the script, which of two messages of one instant comes first): a run that fails by such a choice may
 * be that of another member of its class. `everyName` plays them all.
 */
export function* enumerateTwins(space: TwinsSpace): Generator<TwinsScenario> {
  const renamings = renamingsOf(space);
  const moments = momentsOf(space);
  const plain = moments.filter(({ deaf }) => deaf.length === 0);
  const keys = new Map(moments.map((moment, index) => [keyOf(moment), index]));
  // How each renaming moves each moment, as numbers.
  const moves = renamings.map((renaming) => moments.map((moment) => keys.get(keyOf(renamed(moment, renaming))) as number));
  const numbers = (last: boolean): readonly number[] => (last ? plain : moments).map((moment) => keys.get(keyOf(moment)) as number);
  yield* extend([], moves);

  function* extend(prefix: readonly number[], left: readonly (readonly number[])[]): Generator<TwinsScenario> {
    if (prefix.length === space.rounds)
      return yield scenarioOf(
        space,
        prefix.map((index) => moments[index] as Moment),
      );
    for (const index of numbers(prefix.length === space.rounds - 1)) {
      // The least of its class under the renamings that leave the rounds before as they are.
      if (left.some((move) => (move[index] as number) < index)) continue;
      yield* extend(
        [...prefix, index],
        left.filter((move) => move[index] === index),
      );
    }
    return undefined;
  }
}

/** How many scenarios a space has, before and after names are traded; so large a space that counting takes long has no number of classes. */
export function countTwins(space: TwinsSpace): { readonly all: number; readonly classes: number | undefined } {
  const copies = space.nodes + space.twins;
  const plain = space.nodes * countPartitions(copies, space.parts);
  const moments = plain * (space.deaf ? 2 ** copies : 1);
  const all = moments ** (space.rounds - 1) * plain;
  if (moments > MOMENTS_MAX) return { all, classes: undefined };
  // Burnside: the mean number of scenarios that a renaming leaves as they are.
  const renamings = renamingsOf(space);
  const every = momentsOf(space);
  let fixed = 0;
  for (const renaming of renamings) {
    const same = every.filter((moment) => keyOf(renamed(moment, renaming)) === keyOf(moment));
    fixed += same.length ** (space.rounds - 1) * same.filter(({ deaf }) => deaf.length === 0).length;
  }
  return { all, classes: fixed / renamings.length };
}

/** One scenario of a space, drawn from a seed. */
export function drawTwins(space: TwinsSpace, seed: number): TwinsScenario {
  const random = new SeededRandom(seed, "twins");
  const copies = copyNames({ nodes: space.nodes, twins: twinsOf(space) });
  const moments = Array.from({ length: space.rounds }, (_, round): Moment => {
    const parts = new Map<number, string[]>();
    for (const copy of copies) {
      const part = random.below(space.parts);
      parts.set(part, [...(parts.get(part) ?? []), copy]);
    }
    const mayBeDeaf = space.deaf && round < space.rounds - 1 && random.chance(0.5);
    const deaf = mayBeDeaf ? copies.filter(() => random.chance(0.5)) : [];
    return { leader: random.pick(nodeNames(space.nodes)), parts: [...parts.values()], deaf };
  });
  return scenarioOf(space, moments);
}

function twinsOf({ nodes, twins }: Pick<TwinsSpace, "nodes" | "twins">): string[] {
  return nodeNames(nodes).slice(0, twins);
}

function scenarioOf(space: TwinsSpace, moments: readonly Moment[]): TwinsScenario {
  const { engine, nodes, window } = space;
  const scenario = {
    ...{ engine, nodes, twins: twinsOf(space) },
    ...(window === undefined ? {} : { window }),
    round_leaders: moments.map(({ leader }) => leader),
    round_partitions: moments.map(({ parts }) => parts),
  };
  return moments.every(({ deaf }) => deaf.length === 0) ? scenario : { ...scenario, round_deaf: moments.map(({ deaf }) => deaf) };
}

function momentsOf(space: TwinsSpace): Moment[] {
  const copies = copyNames({ nodes: space.nodes, twins: twinsOf(space) });
  const deafnesses = space.deaf ? subsetsOf(copies) : [[]];
  return deafnesses.flatMap((deaf) =>
    partitionsOf(copies, space.parts).flatMap((parts) => nodeNames(space.nodes).map((leader) => ({ leader, parts, deaf }))),
  );
}

/** All ways to put names into at most so many parts, whose order does not matter. */
function partitionsOf(names: readonly string[], most: number): string[][][] {
  const [name, ...others] = names;
  if (name === undefined) return [[]];
  return partitionsOf(others, most).flatMap((parts) => {
    const joined = parts.map((_, at) => parts.map((part, index) => (index === at ? [name, ...part] : part)));
    return parts.length < most ? [...joined, [[name], ...parts]] : joined;
  });
}

/** Ways to put so many names into at most so many parts: Stirling numbers of the second kind, summed. */
function countPartitions(names: number, most: number): number {
  let byParts = [1];
  for (let name = 1; name <= names; name++) {
    const before = byParts;
    byParts = Array.from({ length: Math.min(name, most) + 1 }, (_, parts) => parts * (before[parts] ?? 0) + (before[parts - 1] ?? 0));
  }
  return byParts.reduce((sum, count) => sum + count, 0);
}

function subsetsOf(names: readonly string[]): string[][] {
  const [name, ...others] = names;
  if (name === undefined) return [[]];
  return subsetsOf(others).flatMap((subset) => [subset, [name, ...subset]]);
}

function renamingsOf(space: TwinsSpace): Renaming[] {
  const names = nodeNames(space.nodes);
  const twins = twinsOf(space);
  if (space.everyName === true) return [new Map(copyNames({ nodes: space.nodes, twins }).map((name) => [name, name]))];
  const honest = names.slice(twins.length);
  return permutationsOf(twins).flatMap((twinsNow) =>
    permutationsOf(honest).flatMap((honestNow) =>
      subsetsOf(twins).map((swapped) => {
        const renaming = new Map<string, string>();
        for (const [index, name] of [...twins, ...honest].entries()) {
          const now = [...twinsNow, ...honestNow][index] as string;
          const isSwapped = swapped.includes(name);
          renaming.set(name, isSwapped ? `${now}'` : now);
          if (twins.includes(name)) renaming.set(`${name}'`, isSwapped ? now : `${now}'`);
        }
        return renaming;
      }),
    ),
  );
}

function permutationsOf(names: readonly string[]): string[][] {
  if (names.length === 0) return [[]];
  return names.flatMap((name) => permutationsOf(names.filter((other) => other !== name)).map((rest) => [name, ...rest]));
}

function renamed({ leader, parts, deaf }: Moment, renaming: Renaming): Moment {
  const rename = (name: string): string => renaming.get(name) as string;
  return { leader: rename(leader).charAt(0), parts: parts.map((part) => part.map(rename)), deaf: deaf.map(rename) };
}

function keyOf({ leader, parts, deaf }: Moment): string {
  const sorted = parts.map((part) => [...part].sort().join(" ")).sort();
  return `${leader} / ${sorted.join(" | ")} / ${[...deaf].sort().join(" ")}`;
}
