import { ENGINES, type EngineName, LIMITS } from "#base";
import { MUTATIONS, type Mutation } from "./postman.ts";

/**
 * One way in which twins may break agreement. Nodes are named A, B, C …; the two copies of a node with a twin are `A` and `A'`.
 * Source: Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021: in each round somebody leads and the network falls into parts.
 */
export interface TwinsScenario {
  readonly engine: EngineName;
  /** All with weight 1. */
  readonly nodes: number;
  /** Names of the nodes that run twice. */
  readonly twins: readonly string[];
  /** Who leads the round: both copies of a node with a twin. */
  readonly round_leaders: readonly string[];
  /** The parts of the network in the round; each copy stands in exactly one. */
  readonly round_partitions: readonly (readonly (readonly string[])[])[];
  /** Copies that hear no deciding vote (commit, precommit, append-reply) and no decided block in the round; none when absent. */
  readonly round_deaf?: readonly (readonly string[])[];
  /** Heights in flight, in PBFT and Raft; one when absent. */
  readonly window?: number;
  /** What happens to single messages; a node whose message is altered is Byzantine. */
  readonly mutations?: readonly Mutation[];
}

/** Bounds of a scenario: more nodes or rounds show nothing that fewer do not, and take long. */
export const TWINS_LIMITS = { nodesMax: 7, roundsMax: 12, mutationsMax: 8, messagesMax: 100_000 } as const;

const FIELDS: ReadonlySet<string> = new Set([
  "engine",
  "nodes",
  "twins",
  "round_leaders",
  "round_partitions",
  "round_deaf",
  "window",
  "mutations",
]);

/** Names of the nodes, in the order of their ids. */
export function nodeNames(nodes: number): string[] {
  return "ABCDEFG".slice(0, nodes).split("");
}

/** Every copy: the nodes, then the second copies. */
export function copyNames({ nodes, twins }: Pick<TwinsScenario, "nodes" | "twins">): string[] {
  return [...nodeNames(nodes), ...twins.map((name) => `${name}'`)];
}

/** The node that a copy is of. */
export function nodeOfCopy(copy: string): string {
  return copy.charAt(0);
}

/** Reads a scenario as a JSON file holds it. @throws {RangeError} when it is none */
export function parseScenario(value: unknown): TwinsScenario {
  const fields = recordOf(value);
  for (const name of Object.keys(fields)) if (!FIELDS.has(name)) throw wrong(`${name} means nothing here`);
  const engine = ENGINES.find((known) => known === fields["engine"]);
  if (engine === undefined) throw wrong(`engine is one of ${ENGINES.join(", ")}`);
  const { nodes } = fields;
  if (typeof nodes !== "number" || !Number.isInteger(nodes) || nodes < 1 || nodes > TWINS_LIMITS.nodesMax)
    throw wrong(`nodes is a whole number from 1 to ${TWINS_LIMITS.nodesMax}`);
  const names = nodeNames(nodes);
  const twins = namesOf(fields["twins"], names, "twins");
  const copies = copyNames({ nodes, twins });
  const leaders = listOf(fields["round_leaders"], "round_leaders").map((leader) => nameOf(leader, names, "round_leaders"));
  const partitions = listOf(fields["round_partitions"], "round_partitions").map((parts) => parsePartition(parts, copies));
  const deaf = fields["round_deaf"];
  const deafness = deaf === undefined ? undefined : listOf(deaf, "round_deaf").map((some) => namesOf(some, copies, "round_deaf"));
  const rounds = leaders.length;
  if (rounds < 1 || rounds > TWINS_LIMITS.roundsMax) throw wrong(`there are 1 to ${TWINS_LIMITS.roundsMax} rounds`);
  if (partitions.length !== rounds || (deafness !== undefined && deafness.length !== rounds))
    throw wrong("every round has a leader and a partition");
  return {
    ...{ engine, nodes, twins, round_leaders: leaders, round_partitions: partitions },
    ...(deafness && { round_deaf: deafness }),
    ...(fields["window"] === undefined ? {} : { window: parseWindow(fields["window"], engine) }),
    ...(fields["mutations"] === undefined ? {} : { mutations: parseMutations(fields["mutations"]) }),
  };
}

/** A scenario as a file holds it, one line for each field. */
export function formatScenario(scenario: TwinsScenario): string {
  const lines = Object.entries(scenario).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

function parsePartition(value: unknown, copies: readonly string[]): string[][] {
  const parts = listOf(value, "a partition").map((part) => namesOf(part, copies, "a part"));
  const all = parts.flat();
  if (all.length !== copies.length || new Set(all).size !== all.length) throw wrong("each copy stands in exactly one part of a partition");
  return parts;
}

function parseWindow(value: unknown, engine: EngineName): number {
  const max = engine === "tendermint" ? 1 : LIMITS.windowMax;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > max)
    throw wrong(`window is a whole number from 1 to ${max} in ${engine}`);
  return value;
}

function parseMutations(value: unknown): Mutation[] {
  const { mutationsMax, messagesMax } = TWINS_LIMITS;
  const list = listOf(value, "mutations");
  if (list.length > mutationsMax) throw wrong(`there are at most ${mutationsMax} mutations`);
  return list.map((item) => {
    const { at, what, ...rest } = recordOf(item);
    if (typeof at !== "number" || !Number.isInteger(at) || at < 0 || at >= messagesMax || Object.keys(rest).length > 0)
      throw wrong("a mutation is {at, what}, with the number of a message");
    return { at, what: nameOf(what, MUTATIONS, "mutations") };
  });
}

function namesOf(value: unknown, known: readonly string[], what: string): string[] {
  const names = listOf(value, what).map((name) => nameOf(name, known, what));
  if (new Set(names).size !== names.length) throw wrong(`${what} names somebody twice`);
  return names;
}

function nameOf(value: unknown, known: readonly string[], what: string): string {
  const name = known.find((candidate) => candidate === value);
  if (name === undefined) throw wrong(`${what} names one of ${known.join(", ")}`);
  return name;
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > 2 * TWINS_LIMITS.roundsMax) throw wrong(`${what} is a short list`);
  return value;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong("a scenario is an object");
  return value as Record<string, unknown>;
}

function wrong(reason: string): RangeError {
  return new RangeError(`no twins scenario: ${reason}`);
}
