import { existsSync, readFileSync } from "node:fs";
import { type EngineName, type JsonValue, LIMITS } from "#base";
import type { TwinsOptions, TwinsReport, TwinsScenario } from "#simulations";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import { counted, type Output, printable } from "../output.ts";

/** Options of `simulate --twins`, as they are typed. */
export interface TwinsFlags {
  /** A file, or true to go through a space of scenarios. */
  readonly twins?: string | true;
  readonly twinNodes: string;
  readonly rounds: string;
  readonly parts: string;
  readonly window?: string;
  readonly deaf?: boolean;
  readonly everyName?: boolean;
  readonly mutations?: string;
}

/** What the other options of `simulate` say. */
export interface TwinsSetting {
  readonly engine: EngineName;
  readonly nodes: number;
  /** Which to draw, or which numbers to play; the command's default when absent. */
  readonly seeds?: { readonly from: number; readonly to: number };
  readonly planted?: string;
  readonly workers?: number;
}

const PROGRESS_MS = 1_000;
const FAILURES_SHOWN = 5;
/** Drawn where there are too many scenarios to try each. */
const DRAWN = { from: 0, to: 999 };

/** `simulate --twins`: nodes that run twice, with leaders and partitions round by round. */
export async function simulateTwins(flags: TwinsFlags, setting: TwinsSetting, output: Output): Promise<number> {
  return typeof flags.twins === "string" ? playFile(flags.twins, setting, output) : playSpace(flags, setting, output);
}

async function playFile(file: string, { planted }: TwinsSetting, output: Output): Promise<number> {
  const { parseScenario, runTwinsScenario } = await import("#simulations");
  const scenario = readScenario(file, parseScenario);
  const result = runTwinsScenario(scenario, planted);
  const { violations, disagreements, named, height, messages } = result;
  output.result({ scenario, ...result } as unknown as JsonValue, () =>
    printable(
      [
        ...violations.map(({ invariant, detail }) => `${invariant} is broken: ${detail}`),
        ...Object.entries(named).map(([node, kind]) => `${node} is to blame: ${kind}`),
        `${scenario.engine}: ${counted(height, "height")}, ${counted(messages, "message")}, ${counted(disagreements, "height")} decided differently, ${counted(violations.length, "violation")}`,
      ].join("\n"),
    ),
  );
  return violations.length === 0 ? EXIT.done : EXIT.refused;
}

async function playSpace(flags: TwinsFlags, setting: TwinsSetting, output: Output): Promise<number> {
  const { countTwins, TWINS_CLASSES_MAX, TWINS_LIMITS } = await import("#simulations");
  const { engine, seeds = DRAWN } = setting;
  const nodes = parseWhole(`${setting.nodes}`, { name: "--nodes of twins", min: 1, max: TWINS_LIMITS.nodesMax });
  const twins = parseWhole(flags.twinNodes, { name: "--twin-nodes", min: 0, max: Math.min(nodes, 3) });
  const rounds = parseWhole(flags.rounds, { name: "--rounds", min: 1, max: TWINS_LIMITS.roundsMax });
  const parts = parseWhole(flags.parts, { name: "--parts", min: 1, max: nodes + twins });
  const max = engine === "tendermint" ? 1 : LIMITS.windowMax;
  const window = flags.window === undefined ? {} : { window: parseWhole(flags.window, { name: "--window", min: 1, max }) };
  const space = { engine, nodes, twins, rounds, parts, ...window, deaf: flags.deaf === true, everyName: flags.everyName === true };
  const isDrawn = (countTwins(space).classes ?? Number.POSITIVE_INFINITY) > TWINS_CLASSES_MAX;
  if (isDrawn) output.note("too many scenarios to try each: one is drawn for each of --seeds");
  return playAll({ space, ...(isDrawn ? { seeds } : {}), ...withChoices(setting) }, output);
}

/** `simulate --mutations`: something happens to each single message of short runs, or to each two. */
export function simulateMutations(flags: TwinsFlags, setting: TwinsSetting, output: Output): Promise<number> {
  const mutations = parseWhole(flags.mutations ?? "1", { name: "--mutations", min: 1, max: 2 });
  const { engine, seeds } = setting;
  return playAll({ space: { engine, mutations }, ...(seeds && { seeds }), ...withChoices(setting) }, output);
}

function withChoices({ planted, workers }: TwinsSetting): Pick<TwinsOptions, "planted" | "workers"> {
  return { ...(planted === undefined ? {} : { planted }), ...(workers === undefined ? {} : { workers }) };
}

async function playAll(options: TwinsOptions, output: Output): Promise<number> {
  const { formatScenario, runTwins } = await import("#simulations");
  let shown = performance.now();
  const onProgress: TwinsOptions["onProgress"] = ({ done, total, failed }) => {
    if (performance.now() - shown < PROGRESS_MS) return;
    shown = performance.now();
    output.note(`${done} ${total === undefined ? "" : `of ${total} `}scenarios, ${failed} failed`);
  };
  const report = await runTwins({ ...options, onProgress });
  output.result(report as unknown as JsonValue, () => formatReport(report, output, formatScenario));
  return report.failed === 0 ? EXIT.done : EXIT.refused;
}

/** Failing scenarios are printed as the files that play them again. */
function formatReport(report: TwinsReport, { style }: Output, format: (scenario: TwinsScenario) => string): string {
  const { scenarios, all, exhaustive, messages, disagreements, failed, failures, seconds } = report;
  const verdict = failed === 0 ? style.good("no failure") : style.bad(counted(failed, "failure"));
  const space = exhaustive ? (all === scenarios ? "all" : `all ${all} but for names`) : `drawn from ${all}`;
  return [
    `${verdict}   ${scenarios} scenarios (${space}) · ${disagreements} with a disagreement · ${messages} messages · ${seconds} s`,
    ...failures
      .slice(0, FAILURES_SHOWN)
      .map(({ invariant, detail, scenario }) => printable(`${invariant}: ${detail}\n${format(scenario)}`)),
  ].join("\n");
}

function readScenario(file: string, parse: (value: unknown) => TwinsScenario): TwinsScenario {
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}`);
  try {
    return parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new UsageError(`${file}: ${cause instanceof Error ? cause.message : "it does not read"}`);
  }
}
