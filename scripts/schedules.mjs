// `npm run test:schedules -- [--schedules N] [--part I/K] [--workers N] [--json]`: the gate of the simulator. 50,000 schedules by default, over the
// three engines and one, four and seven nodes, on every core; then some of each again, in one process and in two, which must give the same traces.
// Parts have seeds of their own: `--part 2/5` runs the second fifth.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";

/** Shares of the schedules by the number of nodes: four nodes bear one fault and are the usual cluster; seven cost more than twice as much. */
const SHARES = [
  { nodes: 1, share: 0.4 },
  { nodes: 4, share: 0.48 },
  { nodes: 7, share: 0.12 },
];
/** Schedules of each kind of cluster that run again. */
const REPEATED = 10;

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "50000" },
    part: { type: "string", default: "1/1" },
    workers: { type: "string", default: String(availableParallelism()) },
    json: { type: "boolean", default: false },
  },
});
const total = Number(values.schedules);
const workers = Number(values.workers);
const [part, parts] = values.part.split("/").map(Number);
if (![total, workers, part, parts].every((number) => Number.isSafeInteger(number) && number > 0) || part > parts)
  throw new Error("--schedules and --workers take a number, --part takes I/K");
if (!(await build({ tests: false }))) process.exit(1);
const { runCampaigns, SIMULATED_ENGINES } = await import("#simulations");

const clusters = SIMULATED_ENGINES.flatMap((engine) => SHARES.map(({ nodes, share }) => ({ engine, nodes, ...seedsOf(share) })));
const startedMs = performance.now();
let shownMs = startedMs;
const reports = await runCampaigns(clusters, { workers, onProgress: show });
const seconds = (performance.now() - startedMs) / 1_000;
const rows = reports.map((report, index) => ({ ...clusters[index], ...report }));
const differing = await findDifferences();
const failures = rows.flatMap(({ engine, nodes, failures: broken }) => broken.map((failure) => ({ engine, nodes, ...failure })));
if (values.json) process.stdout.write(`${JSON.stringify({ seconds, workers, rows, differing }, null, 2)}\n`);
else print();
process.exitCode = failures.length === 0 && differing.length === 0 ? 0 : 1;

/** Seeds of this part. */
function seedsOf(share) {
  const count = Math.max(1, Math.ceil((total * share) / SIMULATED_ENGINES.length));
  const edge = (index) => Math.floor((count * index) / parts);
  return { seeds: { from: edge(part - 1), to: Math.max(edge(part - 1), edge(part) - 1) } };
}

function show({ done, total: all, failures: broken }) {
  const nowMs = performance.now();
  if (nowMs - shownMs < 10_000) return;
  shownMs = nowMs;
  const rate = (done * 1_000) / (nowMs - startedMs);
  process.stderr.write(`${done} of ${all} schedules, ${broken} failed, ${rate.toFixed(1)} a second\n`);
}

/** Kinds of clusters whose traces differ when the same seeds run again, in one process and in two. */
async function findDifferences() {
  const again = clusters.map(({ engine, nodes, seeds }) => ({
    engine,
    nodes,
    seeds: { from: seeds.from, to: Math.min(seeds.to, seeds.from + REPEATED - 1) },
  }));
  const one = await runCampaigns(again, { workers: 1 });
  const two = await runCampaigns(again, { workers: 2 });
  return again.filter((_, index) => one[index].traceHash !== two[index].traceHash).map(({ engine, nodes }) => ({ engine, nodes }));
}

function print() {
  for (const { engine, nodes, seeds, schedules, commits, schedulesPerSecond, traceHash } of rows) {
    const what = `${engine} ${nodes} nodes, seeds ${seeds.from}..${seeds.to}`.padEnd(42);
    process.stdout.write(
      `${what} ${schedulesPerSecond} a second, ${(commits / schedules).toFixed(1)} commits each, ${traceHash.slice(0, 16)}\n`,
    );
  }
  const schedules = rows.reduce((sum, row) => sum + row.schedules, 0);
  process.stdout.write(
    `${schedules} schedules in ${seconds.toFixed(0)} s, ${(schedules / seconds).toFixed(1)} a second on ${workers} processes\n`,
  );
  for (const { engine, nodes, seed, invariant } of failures)
    process.stdout.write(`FAILED ${invariant}: simulate --engine ${engine} --nodes ${nodes} --seeds ${seed}..${seed}\n`);
  for (const { engine, nodes } of differing) process.stdout.write(`NOT THE SAME TWICE: ${engine}, ${nodes} nodes\n`);
}
