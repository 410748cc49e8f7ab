import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineName } from "#base";
import { loadSodium } from "#crypto";
import type { SecurityGateway } from "#gateway";
import { loadServiceKey } from "#identity";
import { connectAs } from "../connection.ts";
import { openDevFolder } from "../dev/create.ts";
import { FIRST_REQUEST, OPERATOR } from "../dev/demo.ts";
import { type DevFolder, devPaths } from "../dev/folder.ts";
import { Orchestrator } from "../dev/orchestrator.ts";
import { Demonstration, waitForLinks } from "../dev/seed.ts";

/** What a suite is run with. */
export interface BenchOptions {
  readonly nodes: number;
  readonly engine: EngineName;
  readonly basePort: number;
  readonly seconds: number;
  readonly runs: number;
  /** Only this kind of lying node, where a suite has several. */
  readonly kind?: string;
  note(text: string): void;
}

/** How long a cluster has to find together. */
export const LINKS_MS = 20_000;

/** A cluster of processes with the demonstration's services, for as long as the work takes. */
export interface BenchCluster {
  readonly cluster: DevFolder;
  readonly orchestrator: Orchestrator;
}

/** Runs the work on a new cluster in a temporary folder and removes it, whatever happens. */
export async function withCluster<T>(
  options: BenchOptions & { readonly ableToLie?: boolean },
  work: (bench: BenchCluster) => Promise<T>,
): Promise<T> {
  const { nodes: count, engine, basePort, ableToLie = false } = options;
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-bench-"));
  const { cluster } = await openDevFolder({ folder, count, basePort, engine });
  const orchestrator = new Orchestrator(cluster, () => {});
  options.note(`starting ${count} nodes of ${engine}`);
  try {
    await orchestrator.open();
    await orchestrator.startNodes({ ableToLie });
    await waitForLinks(cluster, LINKS_MS);
    const demonstration = await Demonstration.connect(cluster);
    await demonstration.seed();
    await demonstration.close();
    return await work({ cluster, orchestrator });
  } finally {
    await orchestrator.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A gateway in the name of the service that asks. The first node is asked first. */
export async function connectTo(
  cluster: DevFolder,
  { urls, timeoutMs }: { readonly urls: readonly string[]; readonly timeoutMs?: number },
): Promise<SecurityGateway> {
  const ed25519 = await loadSodium();
  const load = (id: string): ReturnType<typeof loadServiceKey> => loadServiceKey(ed25519, devPaths(cluster.folder).identity(id));
  const target = { urls, cluster: cluster.cluster };
  return connectAs(ed25519, {
    target,
    identities: [load(OPERATOR), load(FIRST_REQUEST.serviceId)],
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}
