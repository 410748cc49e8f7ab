import { type EngineName, QuorumgateError } from "#base";
import type { NodeProcess } from "../dev/node-process.ts";
import { type BenchCluster, connectTo } from "./bench-cluster.ts";
import { pause } from "./steady-load.ts";

/** Lies that only matter while somebody is behind. */
const TO_WHO_IS_BEHIND: readonly string[] = ["lie-tips", "lie-catch-up"];
/** Lies of who succeeds another as a leader, or as the proposer of a height. */
const OF_SUCCESSION: readonly string[] = ["false-new-view", "false-polka", "hide-certificate", "two-faced-views"];
/** Longer than anybody waits for a leader under load. */
const PAUSE_MS = 1_500;
const PAUSES_MAX = 8;

/** What happens in both windows of a pair, the honest one too, so that there is something to lie about. */
export interface Disturbance {
  /** Brings the cluster to where it can begin; nothing is measured meanwhile. */
  prepare(): Promise<void>;
  disturb(): Promise<void>;
}

/** True for a lie that only who succeeds another can tell. */
export function isOfSuccession(kind: string): boolean {
  return OF_SUCCESSION.includes(kind);
}

/**
 * The disturbance that a kind of lie needs: another node is killed and started again; or the one whose turn is before the liar's is paused, so that
 * the liar succeeds it.
 */
export function disturbanceFor(
  kind: string,
  where: BenchCluster & { readonly liar: NodeProcess; readonly engine: EngineName },
): Disturbance {
  const { orchestrator, liar, engine } = where;
  const { processes } = orchestrator;
  const before = processes[(processes.indexOf(liar) + processes.length - 1) % processes.length];
  const prepare = (): Promise<void> => Promise.resolve();
  if (TO_WHO_IS_BEHIND.includes(kind)) return { prepare, disturb: () => restart(processes.findLast((process) => process !== liar)) };
  if (!isOfSuccession(kind) || before === undefined) return { prepare, disturb: prepare };
  return { prepare: engine === "tendermint" ? prepare : () => rotateTo(before, where), disturb: () => pauseFor(before) };
}

/** The process of the node that leads now. @throws {QuorumgateError} DEV_COMMAND_FAILED when nobody does */
export async function leaderOf({ cluster, orchestrator }: BenchCluster): Promise<NodeProcess> {
  const gateway = await connectTo(cluster, { urls: cluster.nodes.map(({ http }) => http) });
  try {
    const { leader } = await gateway.status();
    const found = orchestrator.processes.find(({ node }) => node.id === leader);
    if (found === undefined) throw new QuorumgateError("DEV_COMMAND_FAILED", "no node leads");
    return found;
  } finally {
    await gateway.stop();
  }
}

/** Leaders are paused until the wanted one leads. Where they take turns, each leads soon by itself. */
async function rotateTo(wanted: NodeProcess, where: BenchCluster): Promise<void> {
  for (let pauses = 0; pauses < PAUSES_MAX; pauses++) {
    const leader = await leaderOf(where);
    if (leader === wanted) return;
    await pauseFor(leader);
  }
  throw new QuorumgateError("DEV_COMMAND_FAILED", `${wanted.node.id} did not come to lead`);
}

async function pauseFor(process: NodeProcess): Promise<void> {
  process.pause();
  await pause(PAUSE_MS);
  process.resume();
}

async function restart(process: NodeProcess | undefined): Promise<void> {
  await process?.kill();
  await process?.start({ ableToLie: true });
}
