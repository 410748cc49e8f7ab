import type { Command } from "commander";
import type { EngineName, JsonValue } from "#base";
import { loadSodium } from "#crypto";
import type { BenchOptions } from "../bench/bench-cluster.ts";
import { byzantineSuite } from "../bench/byzantine.ts";
import { consensusSuite } from "../bench/consensus.ts";
import { failoverSuite } from "../bench/failover.ts";
import { hostileClientSuite } from "../bench/hostile-client.ts";
import { type BenchResult, environment } from "../bench/measure.ts";
import { auditSuite, orderedSuite, SUITES, verifySuite } from "../bench/suites.ts";
import { addCommand, engineOption, perform } from "../command.ts";
import { parseWhole, UsageError } from "../failure.ts";
import { type Output, table } from "../output.ts";

/** Suites that measure one kind of attack after another. */
const SUITES_OF_KINDS = ["byzantine", "hostile-client"] as const;

interface BenchFlags {
  readonly json?: boolean;
  readonly suite?: string;
  readonly engine?: EngineName;
  readonly kind?: string;
  readonly nodes: string;
  readonly seconds: string;
  readonly runs: string;
  readonly basePort: string;
}

/** `bench`: figures of this machine, to be read with their parameters. */
export function addBenchCommand(program: Command): void {
  const text = {
    summary: "measure a cluster of processes: throughput, failover, and under attack; then consensus alone, the audit log and the verifier",
    examples: ["bench", "bench --suite ordered --seconds 10 --runs 5 --json", "bench --suite byzantine --engine tendermint --kind silent"],
  };
  addCommand(program, "bench", text)
    .option("--suite <name>", `one of ${SUITES.join(", ")} (default: all but byzantine and hostile-client, which take minutes)`)
    .addOption(engineOption())
    .option("--kind <name>", "with --suite byzantine or hostile-client: only this kind; a wrong name lists them all")
    .option("--nodes <number>", "nodes of the cluster", "4")
    .option("--seconds <number>", "length of a run", "5")
    .option("--runs <number>", "runs of each figure; the median counts", "3")
    .option("--base-port <port>", "first port of the cluster", "17800")
    .action((flags: BenchFlags) => perform(flags, (output) => bench(flags, output)));
}

async function bench(flags: BenchFlags, output: Output): Promise<undefined> {
  if (flags.suite !== undefined && !SUITES.some((suite) => suite === flags.suite))
    throw new UsageError(`--suite is one of ${SUITES.join(", ")}`);
  if (flags.kind !== undefined && !SUITES_OF_KINDS.some((suite) => suite === flags.suite))
    throw new UsageError(`--kind goes with --suite ${SUITES_OF_KINDS.join(" or ")}`);
  const options: BenchOptions = {
    engine: flags.engine ?? "pbft",
    ...(flags.kind === undefined ? {} : { kind: flags.kind }),
    nodes: parseWhole(flags.nodes, { name: "--nodes", min: 1, max: 31 }),
    seconds: parseWhole(flags.seconds, { name: "--seconds", min: 1, max: 600 }),
    runs: parseWhole(flags.runs, { name: "--runs", min: 1, max: 100 }),
    basePort: parseWhole(flags.basePort, { name: "--base-port", min: 1024, max: 60000 }),
    note: (line) => output.note(line),
  };
  const chosen = (suite: (typeof SUITES)[number]): boolean => flags.suite === undefined || flags.suite === suite;
  const results: BenchResult[] = [];
  if (chosen("ordered")) results.push(...(await orderedSuite(options)));
  if (chosen("consensus")) results.push(...(await consensusSuite(options)));
  if (chosen("failover")) results.push(...(await failoverSuite(options)));
  if (flags.suite === "hostile-client") results.push(...(await hostileClientSuite(options)));
  if (flags.suite === "byzantine") results.push(...(await byzantineSuite(options)));
  if (chosen("audit")) results.push(...auditSuite(options));
  if (chosen("verify")) results.push(...(await verifySuite(options)));
  const { backend } = await loadSodium();
  const report = { environment: environment(backend), results };
  output.result(report as unknown as JsonValue, () => table(results.map(row)));
  return undefined;
}

function row({ name, median, unit, p50, p99, parameters }: BenchResult): string[] {
  const latency = p50 === undefined ? "" : `p50 ${p50} ms  p99 ${p99 ?? 0} ms`;
  return [
    name,
    `${median} ${unit}`,
    latency,
    Object.entries(parameters)
      .map(([key, value]) => `${key}=${value}`)
      .join(" "),
  ];
}
