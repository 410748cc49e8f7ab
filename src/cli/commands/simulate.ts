import type { Command } from "commander";
import type { EngineName, JsonValue } from "#base";
import type { FaultKind } from "#simulations";
import { addCommand, perform } from "../command.ts";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import type { Output } from "../output.ts";
import { type SimulateMode, simulateMode } from "./simulate-modes.ts";
import { type ReplayFlags, readFailure, simulateReplay } from "./simulate-replay.ts";
import { formatCampaign, formatFinding } from "./simulate-report.ts";
import { simulateMutations, simulateTwins, type TwinsFlags, type TwinsSetting } from "./simulate-twins.ts";

interface SimulateOptions extends TwinsFlags, ReplayFlags {
  readonly json?: boolean;
  readonly engine?: string;
  readonly nodes?: string;
  readonly seeds?: string;
  readonly faults?: string;
  readonly planted?: string;
  readonly workers?: string;
}

const PROGRESS_MS = 1_000;
const NODES = 4;
const ORDINARY_SEEDS = "0..99";
/** More than any planted bug needs: the search ends with the first schedule that fails. */
const SEARCHED_SEEDS = "1..2000";

/** `simulate`: many seeds, or one schedule again, line by line. */
export function addSimulateCommand(program: Command): void {
  const text = {
    summary: "run the cluster under faults in virtual time, seed by seed; exit code 1 when an invariant breaks",
    examples: [
      "simulate --nodes 4 --seeds 0..999",
      "simulate --planted quorum-of-half --json",
      "simulate --replay failure.json --shrink",
      "simulate --replay failure.json --format svg --from 2900 --to 3100 --out run.svg",
      "simulate --replay failure.json --format shiviz --out run.log",
      "simulate --twins --engine tendermint --rounds 3",
      "simulate --twins scenario.json",
      "simulate --mutations 1 --engine raft",
    ],
  };
  addCommand(program, "simulate", text)
    .option("--engine <name>", "consensus engine: pbft, tendermint or raft (default: pbft, or that of the planted bug)")
    .option("--nodes <number>", "nodes of the cluster (default: 4, or as many as the planted bug needs)")
    .option("--seeds <range>", "A..B, both included, or one seed (default: 0..99; with --planted 1..2000)")
    .option("--faults <list>", "only these kinds of faults, separated by commas; a wrong name lists them all")
    .option("--real-crypto", "real Ed25519 signatures in every schedule, not in one of a hundred")
    .option("--planted <name>", "plant this bug, and stop at the first schedule in which a checker finds it; a wrong name lists them all")
    .option("--workers <number>", "worker processes (default: one for each core)")
    .option("--replay <file>", "play one failure of a report, {seed, faults}, again and print a transcript")
    .option("--shrink", "with --replay: first look for the shortest list of faults that still fails")
    .option(
      "--format <name>",
      "with --replay: text, svg (a space-time diagram), shiviz (a log with vector clocks) or jsonl (one event a line)",
      "text",
    )
    .option("--from <ms>", "with --replay: leave out what happens before this virtual millisecond")
    .option("--to <ms>", "with --replay: leave out what happens after this virtual millisecond")
    .option("--out <file>", "with --replay: write to this file instead of stdout")
    .option(
      "--twins [file]",
      "nodes that run twice under one key: the scenario {round_leaders, round_partitions} of a file, or every scenario",
    )
    .option("--twin-nodes <number>", "with --twins: how many nodes run twice", "1")
    .option("--rounds <number>", "with --twins: how many rounds; each has a leader and a partition", "3")
    .option("--parts <number>", "with --twins: the most parts into which a partition cuts the network", "2")
    .option("--window <number>", "with --twins: heights in flight, in pbft and raft (default: 1)")
    .option("--deaf", "with --twins: also scenarios in which some nodes miss a round's deciding votes")
    .option("--every-name", "with --twins: also scenarios that differ only in the names of the nodes")
    .option(
      "--mutations <number>",
      "short runs of four nodes; in each, one message (1) or two (2) are lost, delayed, repeated or made to lie; every choice is tried",
    )
    .action((options: SimulateOptions, command: Command) => perform(options, (output) => WORK[simulateMode(command)](options, output)));
}

type Simulation = (options: SimulateOptions, output: Output) => Promise<number>;

const WORK: Readonly<Record<SimulateMode, Simulation>> = {
  campaign,
  replay,
  twins: async (options, output) => simulateTwins(options, await readTwins(options), output),
  scenario: async (options, output) => simulateTwins(options, await readTwins(options), output),
  mutations: async (options, output) => simulateMutations(options, await readTwins(options), output),
};

async function readTwins(options: SimulateOptions): Promise<TwinsSetting> {
  const { seeds } = options;
  return { ...(await readCluster(options)), ...(seeds && { seeds: readSeeds(seeds) }), ...readWorkers(options) };
}

async function campaign(options: SimulateOptions, output: Output): Promise<number> {
  const { INVARIANTS, PLANTED_BUGS, runCampaign } = await import("#simulations");
  const kinds = await readKinds(options.faults);
  const cluster = await readCluster(options);
  let shown = performance.now();
  const report = await runCampaign({
    ...cluster,
    seeds: readSeeds(options.seeds ?? (options.planted === undefined ? ORDINARY_SEEDS : SEARCHED_SEEDS)),
    ...(kinds === undefined ? {} : { kinds }),
    ...(options.realCrypto === true ? { realCrypto: true } : {}),
    ...readWorkers(options),
    onProgress: ({ done, total, failures }) => {
      if (performance.now() - shown < PROGRESS_MS) return;
      shown = performance.now();
      output.note(`${done} of ${total} schedules, ${failures} failed`);
    },
  });
  const bug = PLANTED_BUGS.find(({ name }) => name === options.planted);
  const about = { ...cluster, invariants: INVARIANTS };
  // What `--replay` needs beside the faults stands in each failure.
  const failures = report.failures.map((failure) => ({ ...cluster, ...failure }));
  output.result({ ...report, failures } as unknown as JsonValue, () =>
    bug === undefined ? formatCampaign(report, about, output) : formatFinding(report, { ...about, bug }, output),
  );
  return report.failures.length === 0 ? EXIT.done : EXIT.refused;
}

async function replay(options: SimulateOptions, output: Output): Promise<number> {
  const failure = await readFailure(options.replay ?? "");
  const { engine = failure.engine, nodes = failure.nodes, planted = failure.planted } = options;
  const setting = await readCluster({
    ...(engine === undefined ? {} : { engine }),
    ...(nodes === undefined ? {} : { nodes }),
    ...(planted === undefined ? {} : { planted }),
  });
  return simulateReplay(options, { ...setting, ...failure.schedule }, output);
}

interface SimulatedClusterShape {
  readonly engine: EngineName;
  readonly nodes: number;
  readonly planted?: string;
}

/** The cluster that is simulated. A bug of one engine or size is planted nowhere else: there it would not be found, or be another bug. */
async function readCluster({
  engine,
  nodes,
  planted,
}: Pick<SimulateOptions, "engine" | "nodes" | "planted">): Promise<SimulatedClusterShape> {
  const { PLANTED_BUGS, SIMULATED_ENGINES } = await import("#simulations");
  const bug = PLANTED_BUGS.find(({ name }) => name === planted);
  if (planted !== undefined && bug === undefined)
    throw new UsageError(`no planted bug is called ${planted}; there are ${PLANTED_BUGS.map(({ name }) => name).join(", ")}`);
  const wanted = engine ?? bug?.engine ?? "pbft";
  const found = SIMULATED_ENGINES.find((known) => known === wanted);
  if (found === undefined) throw new UsageError(`the simulator runs ${SIMULATED_ENGINES.join(", ")}, not ${wanted}`);
  const count = nodes === undefined ? (bug?.nodes ?? NODES) : parseWhole(nodes, { name: "--nodes", min: 1, max: 31 });
  if (bug?.engine !== undefined && bug.engine !== found) throw new UsageError(`${bug.name} is a bug of ${bug.engine}: leave --engine out`);
  if (bug?.nodes !== undefined && bug.nodes !== count)
    throw new UsageError(`${bug.name} is a bug of ${bug.nodes} nodes: leave --nodes out`);
  return { engine: found, nodes: count, ...(planted === undefined ? {} : { planted }) };
}

function readWorkers({ workers }: SimulateOptions): { readonly workers?: number } {
  return workers === undefined ? {} : { workers: parseWhole(workers, { name: "--workers", min: 1, max: 64 }) };
}

function readSeeds(text: string): { readonly from: number; readonly to: number } {
  const [first = "", last = first, ...rest] = text.split("..");
  const seed = (part: string): number => parseWhole(part, { name: "a seed", min: 0, max: 4_294_967_295 });
  const seeds = { from: seed(first), to: seed(last) };
  if (rest.length > 0 || seeds.from > seeds.to) throw new UsageError("--seeds is A..B with A at most B");
  return seeds;
}

async function readKinds(text: string | undefined): Promise<readonly FaultKind[] | undefined> {
  if (text === undefined) return undefined;
  const { FAULT_KINDS } = await import("#simulations");
  return text.split(",").map((name) => {
    const kind = FAULT_KINDS.find((known) => known === name);
    if (kind === undefined) throw new UsageError(`no kind of fault is called ${name}; there are ${FAULT_KINDS.join(", ")}`);
    return kind;
  });
}
