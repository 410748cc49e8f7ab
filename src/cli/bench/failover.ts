import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecurityGateway } from "#gateway";
import { openDevFolder } from "../dev/create.ts";
import { FIRST_REQUEST } from "../dev/demo.ts";
import type { DevFolder } from "../dev/folder.ts";
import { Orchestrator } from "../dev/orchestrator.ts";
import { Demonstration, waitForLinks } from "../dev/seed.ts";
import { type BenchResult, percentile } from "./measure.ts";
import { type BenchOptions, connectTo, LINKS_MS } from "./suites.ts";

const KILLS = 10;
const CALLERS = 16;
const CALL_MS = 3_000;
/** Load before a kill, and after the first decision behind it: a gap that comes late is seen too. */
const STEADY_MS = 1_000;
const WATCH_MS = 3_000;

/** Callers that ask without a pause; each begins at another node and goes on to the next when one does not answer. */
class Load {
  #running = true;
  #answeredMs: number[] = [];
  readonly #callers: readonly Promise<void>[];

  constructor(gateways: readonly SecurityGateway[]) {
    this.#callers = Array.from({ length: CALLERS }, (_, at) => this.#call(gateways[at % gateways.length] as SecurityGateway));
  }

  /** Longest time without a decision since then, milliseconds. */
  longestGapMs(sinceMs: number): number {
    const times = [sinceMs, ...this.#answeredMs.filter((time) => time > sinceMs), performance.now()];
    this.#answeredMs = [];
    return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#callers);
  }

  async #call(gateway: SecurityGateway): Promise<void> {
    while (this.#running) {
      // An answer that does not come is what is measured here.
      const response = await gateway.authorizeOperation(FIRST_REQUEST).catch(() => undefined);
      if (response?.outcome === "allowed") this.#answeredMs.push(performance.now());
      else await pause(10);
    }
  }
}

/** The leader is killed under load, ten times, and started again in between: the longest time without a decision after each kill. */
export async function failoverSuite(options: BenchOptions): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-bench-"));
  const { cluster } = await openDevFolder({ folder, count: options.nodes, basePort: options.basePort });
  const orchestrator = new Orchestrator(cluster, () => {});
  try {
    await orchestrator.open();
    await orchestrator.startNodes();
    await waitForLinks(cluster, LINKS_MS);
    const demonstration = await Demonstration.connect(cluster);
    await demonstration.seed();
    await demonstration.close();
    return [await measureKills(cluster, orchestrator, options)];
  } finally {
    await orchestrator.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureKills(cluster: DevFolder, orchestrator: Orchestrator, options: BenchOptions): Promise<BenchResult> {
  const urls = cluster.nodes.map(({ http }) => http);
  const gateways = await Promise.all(
    urls.map((_, at) => connectTo(cluster, { urls: [...urls.slice(at), ...urls.slice(0, at)], timeoutMs: CALL_MS })),
  );
  const load = new Load(gateways);
  const gaps: number[] = [];
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
  const parameters = { nodes: options.nodes, kills: gaps.length, callers: CALLERS, p90: percentile(gaps, 0.9), max: Math.max(...gaps) };
  return { name: "failover", parameters, unit: "ms", median: percentile(gaps, 0.5), runs: gaps };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
