// `npm run test:planted -- [--part I/K] [--bugs NAME,NAME] [--schedules N] [--seconds N] [--workers N] [--json]`: seeks every bug that is planted on
// purpose (simulations/planted/), then runs the schedules that it took without it. Each must be found within its schedules and seconds, by an
// invariant that it may break, and nothing may break without it. `--part 2/3` seeks the second of three parts; seeds are the same in all.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";

const PROGRESS_MS = 5_000;

const { values } = parseArgs({
  options: {
    part: { type: "string", default: "1/1" },
    bugs: { type: "string" },
    schedules: { type: "string", default: "1000" },
    seconds: { type: "string", default: "600" },
    workers: { type: "string", default: String(availableParallelism()) },
    json: { type: "boolean", default: false },
  },
});
const [schedulesMax, secondsMax, workers] = [values.schedules, values.seconds, values.workers].map(Number);
const [part, parts] = values.part.split("/").map(Number);
if (![schedulesMax, secondsMax, workers, part, parts].every((number) => Number.isSafeInteger(number) && number > 0) || part > parts)
  throw new Error("--schedules, --seconds and --workers take a number, --part takes I/K");
if (!(await build({ tests: false }))) {
  process.stdout.write("the build failed: see the compiler's lines above\n0 passed, 1 failed\n");
  process.exit(1);
}
const { PLANTED_BUGS, seekPlanted } = await import("#simulations");

const bugs = chosenBugs();
const startedMs = performance.now();
/** @type {import("#simulations").SearchProgress} */
let progress = { total: bugs.length, findings: [], seeking: [] };
const timer = setInterval(showProgress, PROGRESS_MS);
const onProgress = (now) => {
  progress = now;
};
const findings = await seekPlanted({ bugs, schedulesMax, secondsMax, workers, onProgress });
clearInterval(timer);
const rows = findings.map(({ bug, schedules, seconds, failure, wrong }) => ({
  bug: bug.name,
  room: bug.room,
  invariant: failure?.invariant ?? null,
  schedules,
  seconds: Math.round(seconds * 10) / 10,
  ...(wrong === undefined ? {} : { wrong }),
  ...(failure === undefined ? {} : { seed: failure.seed, faults: failure.faults }),
}));
const failed = rows.filter(({ wrong }) => wrong !== undefined);
const totals = { passed: rows.length - failed.length, failed: failed.length, seconds: Math.round((performance.now() - startedMs) / 1_000) };
if (values.json) process.stdout.write(`${JSON.stringify({ ...totals, workers, part: values.part, rows }, null, 2)}\n`);
else print();
process.exitCode = failed.length === 0 && rows.length > 0 ? 0 : 1;

/** Those that were named, or every K-th: neighbours are alike, so parts take about as long as each other. */
function chosenBugs() {
  const named = values.bugs?.split(",");
  const unknown = (named ?? []).filter((name) => !PLANTED_BUGS.some((bug) => bug.name === name));
  if (unknown.length > 0) throw new Error(`no planted bug is called ${unknown.join(", ")}`);
  return PLANTED_BUGS.filter(({ name }) => named?.includes(name) ?? true).filter((_, index) => index % parts === part - 1);
}

function showProgress() {
  const { total, findings: ended, seeking } = progress;
  const wrong = ended.filter((finding) => finding.wrong !== undefined).length;
  const now = seeking.map(({ name, schedules }) => `${name} (${schedules})`).join(", ");
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
  process.stderr.write(`${seconds} s: ${ended.length} of ${total} bugs, ${wrong} failed; seeking ${now}\n`);
}

function print() {
  const lines = [["bug", "room", "found by", "schedules", "seconds"]];
  for (const { bug, room, invariant, schedules, seconds, wrong } of rows)
    lines.push([bug, room, invariant ?? "nothing", `${schedules}`, seconds.toFixed(1), wrong === undefined ? "" : `FAILED: ${wrong}`]);
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const line of lines)
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()}\n`,
    );
  for (const { bug, seed } of failed)
    process.stdout.write(`FAILED ${bug}: simulate --planted ${bug}${seed === undefined ? "" : ` --seeds ${seed}..${seed}`}\n`);
  process.stdout.write(`${totals.seconds} s on ${workers} processes\n${totals.passed} passed, ${totals.failed} failed\n`);
}
