import type { SecurityGateway } from "#gateway";
import { firstRequestOf } from "../dev/demo.ts";
import { waitForLinks } from "../dev/seed.ts";
import { type BenchCluster, type BenchOptions, connectTo, LINKS_MS, withCluster } from "./bench-cluster.ts";
import { type BenchResult, percentile } from "./measure.ts";
import { pause, SteadyLoad } from "./steady-load.ts";

const KILLS = 10;
const CALLERS = 16;
const CALL_MS = 3_000;
/** Load before a kill, and after the first decision behind it: a gap that comes late is seen too. */
const STEADY_MS = 1_000;
const WATCH_MS = 3_000;

/** The leader is killed under load, ten times, and started again in between: the longest time without a decision after each kill. */
export async function failoverSuite(options: BenchOptions): Promise<BenchResult[]> {
  return [await withCluster(options, (bench) => measureKills(bench, options))];
}

async function measureKills({ cluster, orchestrator }: BenchCluster, options: BenchOptions): Promise<BenchResult> {
  const { engine, nodes } = options;
  const urls = cluster.nodes.map(({ http }) => http);
  // Each begins at another node and goes on to the next when one does not answer.
  const gateways = await Promise.all(
    urls.map((_, at) => connectTo(cluster, { urls: [...urls.slice(at), ...urls.slice(0, at)], timeoutMs: CALL_MS })),
  );
  const load = new SteadyLoad(gateways, { callers: CALLERS, question: () => firstRequestOf(engine) });
  const gaps: number[] = [];
  options.note(`failover: ${KILLS} kills of the leader under load`);
  for (let kill = 1; kill <= KILLS; kill++) {
    await pause(STEADY_MS);
    const { leader } = await (gateways[0] as SecurityGateway).status();
    const process = orchestrator.processes.find(({ node }) => node.id === leader);
    if (process === undefined) continue;
    const killedMs = performance.now();
    await process.kill();
    await pause(WATCH_MS);
    gaps.push(Math.round(load.longestGapMs(killedMs)));
    options.note(`failover: kill ${kill} of ${KILLS}, ${gaps.at(-1) ?? 0} ms without a decision`);
    await process.start();
    await waitForLinks(cluster, LINKS_MS);
  }
  await load.stop();
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  const [p90, max] = [percentile(gaps, 0.9), Math.max(...gaps)];
  const parameters = { engine, nodes, kills: gaps.length, callers: CALLERS, p90, max };
  return { name: "failover", parameters, unit: "ms", median: percentile(gaps, 0.5), runs: gaps };
}
