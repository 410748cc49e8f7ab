import type { CampaignFailure, CampaignReport, PlantedBug } from "#simulations";
import { counted, type Output, table } from "../output.ts";

/** What a campaign was run with, and what its invariants say. */
export interface CampaignSetting {
  readonly engine: string;
  readonly nodes: number;
  readonly invariants: Readonly<Record<string, string>>;
}

/** How many broken seeds are listed for a person; JSON has all. */
const FAILURES_SHOWN = 10;

/** A campaign's report for a person: the verdict, how to look at the first failure, what was met and what never was. */
export function formatCampaign(report: CampaignReport, setting: CampaignSetting, { style }: Output): string {
  const { failures, faultKinds, marks, traceHash } = report;
  const [first] = failures;
  const verdict = first === undefined ? style.good("no failure") : style.bad(counted(failures.length, "failure"));
  return [
    `${verdict}   ${figures(report)}`,
    ...failures.slice(0, FAILURES_SHOWN).map((failure) => `  ${broken(failure, setting)}`),
    ...(first === undefined ? [] : [...howToReplay(first, setting), ""]),
    ...counts("faults", faultKinds),
    ...counts("rare branches", marks),
    `trace hash ${traceHash}`,
  ].join("\n");
}

/** What became of the search for a planted bug: of that it is good news that an invariant broke. */
export function formatFinding(
  report: CampaignReport,
  { bug, ...setting }: CampaignSetting & { readonly bug: PlantedBug },
  { style }: Output,
): string {
  const { name, about, room, known } = bug;
  const [first] = report.failures;
  const verdict = first === undefined ? style.bad(`${name} was not found`) : style.good(`${name} was found by ${first.invariant}`);
  return [
    `${verdict}   ${figures(report)}`,
    `  planted in the ${room}: ${about}${known === undefined ? "" : ` (${known})`}`,
    `  ${setting.nodes} nodes of ${setting.engine}`,
    ...(first === undefined ? [] : [`  ${broken(first, setting)}`, ...howToReplay(first, { ...setting, planted: name })]),
  ].join("\n");
}

function figures({ schedules, commits, virtualSeconds, schedulesPerSecond }: CampaignReport): string {
  return `${counted(schedules, "schedule")} · ${counted(commits, "commit")} · ${virtualSeconds} virtual seconds · ${schedulesPerSecond} schedules/s`;
}

function broken({ seed, invariant }: CampaignFailure, { invariants }: CampaignSetting): string {
  return `seed ${seed} breaks ${invariant}: ${invariants[invariant] ?? ""}`;
}

/** The failure as the file that `--replay` reads, and the command that tells it. */
function howToReplay(
  { seed, faults }: CampaignFailure,
  { engine, nodes, planted }: CampaignSetting & { readonly planted?: string },
): string[] {
  const failure = { engine, nodes, ...(planted === undefined ? {} : { planted }), seed, faults };
  return [
    "  what happened, step by step, under the fewest faults: quorumgate simulate --replay failure.json --shrink",
    `  where failure.json is: ${JSON.stringify(failure)}`,
  ];
}

/** What was met, most often first, and by name what never was. */
function counts(title: string, record: Readonly<Record<string, number>>): string[] {
  const met = Object.entries(record)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
  const never = Object.keys(record).filter((name) => record[name] === 0);
  return [
    `${title}:`,
    ...(met.length === 0 ? [] : [table(met.map(([name, count]) => ["  ", name, `${count}`]))]),
    ...(never.length === 0 ? [] : [`  never: ${never.join(", ")}`]),
  ];
}
