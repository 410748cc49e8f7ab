import { QuorumgateError } from "#base";
import { firstRequestOf } from "../dev/demo.ts";
import type { NodeProcess } from "../dev/node-process.ts";
import { waitForLinks } from "../dev/seed.ts";
import { UsageError } from "../failure.ts";
import { type BenchCluster, type BenchOptions, connectTo, LINKS_MS, withCluster } from "./bench-cluster.ts";
import { disturbanceFor, isOfSuccession, leaderOf } from "./disturbances.ts";
import { type BenchResult, percentile } from "./measure.ts";
import { pause, SteadyLoad } from "./steady-load.ts";

const CALLERS = 64;
const CALL_MS = 3_000;
/** Five processes that share two cores have compiled what is hot after about as long. */
const WARM_UP_SECONDS = 4;
/** Between two windows: who was lied to catches up. */
const SETTLE_MS = 1_500;

/** Who lies: the node that leads when it begins, or one that does not. */
const ROLES = ["leader", "follower"] as const;

/** Every kind of Byzantine node but those that lie to nodes which lost their memory or need a state: nobody does here. */
const KINDS = [
  "silent",
  "selective",
  "slow-mouth",
  "withhold",
  "censor",
  "equivocate",
  "stuff",
  "smuggle",
  "mistime",
  "false-new-view",
  "false-polka",
  "hide-certificate",
  "two-faced-views",
  "forge",
  "replay",
  "mutate",
  "flood",
  "lie-tips",
  "lie-catch-up",
  "false-checkpoint",
  "accuse",
] as const;

/** A measurement of one kind of liar in one role. */
interface Case {
  readonly kind: string;
  readonly role: (typeof ROLES)[number];
}

/**
 * Throughput beside one Byzantine node, for each kind, as a share of the same cluster's without: windows in pairs, one honest and one not, since
 * a machine that others use is fast in one minute and slow in the next. Callers ask the three honest nodes.
 */
export function byzantineSuite(options: BenchOptions): Promise<BenchResult[]> {
  if (options.engine === "raft")
    throw new UsageError("raft tolerates crashes only, so a figure beside a liar means nothing: take --engine pbft or tendermint");
  const kinds = KINDS.filter((kind) => options.kind === undefined || options.kind === kind);
  if (kinds.length === 0) throw new UsageError(`--kind is one of ${KINDS.join(", ")}`);
  return withCluster({ ...options, ableToLie: true }, async (bench) => {
    const results: BenchResult[] = [];
    for (const kind of kinds) for (const role of rolesOf(kind)) results.push(await measureCase(bench, { kind, role }, options));
    return results;
  });
}

/** A lie about a succession is told by who succeeds. */
function rolesOf(kind: string): readonly Case["role"][] {
  return isOfSuccession(kind) ? ["follower"] : ROLES;
}

async function measureCase({ cluster, orchestrator }: BenchCluster, { kind, role }: Case, options: BenchOptions): Promise<BenchResult> {
  const liar = await chooseLiar({ cluster, orchestrator }, role);
  const honest = orchestrator.processes.filter((process) => process !== liar);
  const urls = honest.map(({ node }) => node.http);
  const gateways = await Promise.all(
    urls.map((_, at) => connectTo(cluster, { urls: [...urls.slice(at), ...urls.slice(0, at)], timeoutMs: CALL_MS })),
  );
  const load = new SteadyLoad(gateways, { callers: CALLERS, question: () => firstRequestOf(options.engine) });
  const disturbance = disturbanceFor(kind, { cluster, orchestrator, liar, engine: options.engine });
  const window = async (): Promise<number> => {
    await disturbance.prepare();
    const [perSecond] = await Promise.all([load.measure(options.seconds), disturbance.disturb()]);
    return perSecond;
  };
  const shares: number[] = [];
  const rates: number[] = [];
  let deviations = 0;
  try {
    options.note(`byzantine ${kind}, ${role}: warming up, then ${options.runs} runs of two windows of ${options.seconds} s`);
    await pause(WARM_UP_SECONDS * 1_000);
    for (let run = 0; run < options.runs; run++) {
      const faultFree = await window();
      await orchestrator.lie(liar, kind);
      const attacked = await window();
      if (!liar.canLie) throw new QuorumgateError("DEV_COMMAND_FAILED", `the liar ended by itself; its log is ${liar.logFile}`);
      deviations += await orchestrator.lie(liar, "honest");
      await waitForLinks(cluster, LINKS_MS);
      await pause(SETTLE_MS);
      rates.push(Math.round(faultFree), Math.round(attacked));
      shares.push(Math.round((100 * attacked) / faultFree));
    }
  } finally {
    await load.stop();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
  }
  options.note(`byzantine ${kind}, ${role}: ${shares.join(", ")} % of the fault-free throughput (${rates.join(", ")} a second)`);
  const parameters = {
    engine: options.engine,
    nodes: options.nodes,
    liar: role,
    seconds: options.seconds,
    deviations,
    rates: rates.join(" "),
  };
  return { name: `byzantine-${kind}`, parameters, unit: "% of fault-free", median: percentile(shares, 0.5), runs: shares };
}

/** The node that leads now, or the next. */
async function chooseLiar({ cluster, orchestrator }: BenchCluster, role: Case["role"]): Promise<NodeProcess> {
  const { processes } = orchestrator;
  const leader = await leaderOf({ cluster, orchestrator });
  const found = role === "leader" ? leader : processes[(processes.indexOf(leader) + 1) % processes.length];
  if (found === undefined) throw new QuorumgateError("DEV_COMMAND_FAILED", "there is no node to lie");
  return found;
}
