import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { QuorumgateError } from "#base";
import { type Ed25519, loadSodium, type Signer } from "#crypto";
import { SecurityGateway } from "#gateway";
import { createServiceKey, loadServiceKey, type ServiceKey, saveServiceKey, serviceSignerOf } from "#identity";
import { attestedService } from "../attested-service.ts";
import { FIRST_REQUEST, INSTITUTIONS, OPERATOR } from "../dev/demo.ts";
import { type DevFolder, devPaths } from "../dev/folder.ts";
import { UsageError } from "../failure.ts";
import { ASSAULTS, type Assault, type AssaultKind } from "./assaults.ts";
import { type BenchOptions, withCluster } from "./bench-cluster.ts";
import { type BenchResult, percentile } from "./measure.ts";
import { pause, SteadyLoad } from "./steady-load.ts";

const SERVICES = 16;
const CALLERS = 64;
const CALL_MS = 5_000;
const WARM_UP_MS = 4_000;
/** An attack lasts for this long before it is measured: what its first burst may take is bounded by the ration, and gone. */
const ONSET_MS = 2_000;
/** Between two windows. */
const SETTLE_MS = 1_000;
const HOSTILE = "hostile-service";
const DAY_MS = 86_400_000;

/**
 * Throughput of sixteen honest services while another client is hostile, as a share of what they have without it, in pairs of windows. The
 * hostile client sends as many requests at once as all of them together, or holds as many connections as a node takes. Its own work runs on the
 * same cores, and counts against the share.
 */
export function hostileClientSuite(options: BenchOptions): Promise<BenchResult[]> {
  const kinds = ASSAULTS.filter((kind) => options.kind === undefined || options.kind === kind);
  if (kinds.length === 0) throw new UsageError(`--kind is one of ${ASSAULTS.join(", ")}`);
  return withCluster(options, async ({ cluster }) => {
    const gateways = await enroll(cluster);
    const results: BenchResult[] = [];
    try {
      for (const kind of kinds) results.push(await measureKind({ cluster, gateways }, kind, options));
    } finally {
      await Promise.all(gateways.map((gateway) => gateway.stop()));
    }
    return results;
  });
}

async function measureKind(
  { cluster, gateways }: { readonly cluster: DevFolder; readonly gateways: readonly SecurityGateway[] },
  kind: AssaultKind,
  options: BenchOptions,
): Promise<BenchResult> {
  const load = new SteadyLoad(gateways, { callers: CALLERS, question: (caller) => ({ ...FIRST_REQUEST, serviceId: serviceName(caller) }) });
  const assailant = await prepareAssault(cluster, kind);
  const shares: number[] = [];
  const rates: number[] = [];
  try {
    options.note(`hostile client ${kind}: warming up, then ${options.runs} runs of two windows of ${options.seconds} s`);
    await pause(WARM_UP_MS);
    for (let run = 0; run < options.runs; run++) {
      const faultFree = await load.measure(options.seconds);
      assailant.send(true);
      await pause(ONSET_MS);
      const attacked = await load.measure(options.seconds);
      assailant.send(false);
      await pause(SETTLE_MS);
      rates.push(Math.round(faultFree), Math.round(attacked));
      shares.push(Math.round((100 * attacked) / faultFree));
    }
  } finally {
    await Promise.all([end(assailant), load.stop()]);
  }
  options.note(`hostile client ${kind}: ${shares.join(", ")} % of the throughput without it (${rates.join(", ")} a second)`);
  const parameters = { engine: options.engine, nodes: options.nodes, services: SERVICES, callers: CALLERS, rates: rates.join(" ") };
  return { name: `hostile-${kind}`, parameters, unit: "% of fault-free", median: percentile(shares, 0.5), runs: shares };
}

/** The hostile client's process, ready and idle: what starting it costs is not the attack. */
async function prepareAssault(cluster: DevFolder, kind: AssaultKind): Promise<ChildProcess> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const child = fork(fileURLToPath(new URL(`./hostile-process.${extension}`, import.meta.url)), [], { stdio: "ignore" });
  const ready = new Promise<void>((resolve, reject) =>
    child.once("message", () => resolve()).once("exit", () => reject(new Error("no assault"))),
  );
  const ports = cluster.nodes.map(({ http }) => Number(new URL(http).port));
  const assault: Assault = { kind, ports, cluster: cluster.cluster, identity: devPaths(cluster.folder).identity(HOSTILE) };
  child.send(assault);
  await ready;
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) throw new QuorumgateError("DEV_COMMAND_FAILED", "the hostile client ended by itself");
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await gone;
}

/** Registers the services and grants each but the hostile one what is asked; gives a gateway at each node that signs for all. */
async function enroll(cluster: DevFolder): Promise<SecurityGateway[]> {
  const ed25519 = await loadSodium();
  const load = (id: string): ServiceKey => loadServiceKey(ed25519, devPaths(cluster.folder).identity(id));
  const honest = Array.from({ length: SERVICES }, (_, at) => createServiceKey(ed25519, serviceName(at)));
  const hostile = createServiceKey(ed25519, HOSTILE);
  saveServiceKey(ed25519, devPaths(cluster.folder).identity(HOSTILE), hostile);
  const operator = serviceSignerOf(ed25519, load(OPERATOR));
  const signers = new Map<string, Signer>([[OPERATOR, operator]]);
  for (const service of [...honest, hostile]) signers.set(service.id, serviceSignerOf(ed25519, service));
  const urls = cluster.nodes.map(({ http }) => http);
  const gateways = await Promise.all(
    urls.map((_, at) =>
      SecurityGateway.connect({
        urls: [...urls.slice(at), ...urls.slice(0, at)],
        cluster: cluster.cluster,
        signers,
        access: { id: OPERATOR, signer: operator },
        timeoutMs: CALL_MS,
      }),
    ),
  );
  const [gateway] = gateways as [SecurityGateway, ...SecurityGateway[]];
  await Promise.all([...honest, hostile].map((service) => register({ gateway, ed25519, cluster, issuer: load(INSTITUTIONS[0]) }, service)));
  await Promise.all(honest.map((service) => grant(gateway, service.id)));
  return gateways;
}

async function register(
  at: { readonly gateway: SecurityGateway; readonly ed25519: Ed25519; readonly cluster: DevFolder; readonly issuer: ServiceKey },
  service: ServiceKey,
): Promise<void> {
  const { gateway, ed25519, cluster, issuer } = at;
  const identity = await attestedService(ed25519, {
    cluster: cluster.cluster,
    service,
    issuer,
    role: "bench",
    claims: { purpose: "bench" },
  });
  const { outcome, reason } = await gateway.registerService(identity, true);
  if (outcome !== "applied") throw new QuorumgateError("DEV_COMMAND_FAILED", `registering ${service.id}: ${outcome} (${reason})`);
}

async function grant(gateway: SecurityGateway, service: string): Promise<void> {
  const now = Date.now();
  const capability = { ...FIRST_REQUEST.capability, temporal: [FIRST_REQUEST.capability.temporal] };
  const { outcome, reason } = await gateway.createGrant(
    { service, capability, notBeforeMs: now - 60_000, notAfterMs: now + DAY_MS },
    OPERATOR,
  );
  if (outcome !== "applied") throw new QuorumgateError("DEV_COMMAND_FAILED", `granting to ${service}: ${outcome} (${reason})`);
}

function serviceName(at: number): string {
  return `bench-service-${String((at % SERVICES) + 1).padStart(3, "0")}`;
}
