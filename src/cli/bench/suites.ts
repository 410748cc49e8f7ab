import { AuditLog, verifyReceipt } from "#audit";
import { type EntryDraft, parseHash } from "#base";
import { loadSodium, nodeHasher } from "#crypto";
import type { SecurityGateway } from "#gateway";
import { FIRST_REQUEST, firstRequestOf } from "../dev/demo.ts";
import { type BenchCluster, type BenchOptions, connectTo, withCluster } from "./bench-cluster.ts";
import { type BenchResult, loadResult, percentile, runLoad, runLoop } from "./measure.ts";

/** Names of the suites. Those of attacks run only when they are named: they take minutes. */
export const SUITES = ["ordered", "consensus", "failover", "byzantine", "hostile-client", "audit", "verify"] as const;

/** Five processes that share two cores have compiled what is hot after about as long. */
const WARM_UP_SECONDS = 4;
const CONNECTIONS = 64;
const BATCH = 16;

/** Ordered authorizations over HTTP on a cluster of processes: one signature each, and sixteen to a signature. */
export function orderedSuite(options: BenchOptions): Promise<BenchResult[]> {
  return withCluster(options, (bench) => measureOrdered(bench, options));
}

async function measureOrdered({ cluster }: BenchCluster, options: BenchOptions): Promise<BenchResult[]> {
  const gateways = await Promise.all(cluster.nodes.map((node) => connectTo(cluster, { urls: [node.http] })));
  const question = firstRequestOf(options.engine);
  const at = (worker: number): SecurityGateway => gateways[worker % gateways.length] as SecurityGateway;
  const single = async (worker: number): Promise<number> => ((await at(worker).authorizeOperation(question)).outcome === "allowed" ? 1 : 0);
  const batch = async (worker: number): Promise<number> => {
    const responses = await at(worker).authorizeOperations(Array.from({ length: BATCH }, () => question));
    return responses.filter(({ outcome }) => outcome === "allowed").length;
  };
  const base = { engine: options.engine, nodes: options.nodes, seconds: options.seconds };
  const repeat = async (
    name: string,
    workers: number,
    call: (worker: number) => Promise<number>,
    parameters: BenchResult["parameters"],
  ): Promise<BenchResult> => {
    options.note(`${name}: warming up, then ${options.runs} runs of ${options.seconds} s`);
    await runLoad({ workers, seconds: WARM_UP_SECONDS }, call);
    const runs = [];
    for (let run = 0; run < options.runs; run++) runs.push(await runLoad({ workers, seconds: options.seconds }, call));
    return loadResult(name, { ...base, workers, ...parameters }, runs);
  };
  const results = [
    await repeat("ordered-unloaded", 1, single, { signature: "each", path: "http" }),
    await repeat("ordered-http", CONNECTIONS, single, { signature: "each", path: "http" }),
    await repeat("ordered-batch", CONNECTIONS, batch, { signature: `one for ${BATCH}`, path: "library over http" }),
  ];
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  return results;
}

/** Appending to the log, without the disk: canonical entry, leaf and tree. */
export function auditSuite(options: BenchOptions): BenchResult[] {
  const log = AuditLog.empty({ trustDomain: "dev.bench", cluster: parseHash("c1".repeat(32)), hasher: nodeHasher });
  const digest = parseHash("d1".repeat(32));
  const drafts = Array.from({ length: 256 }, () => draft(digest));
  let height = 0;
  const append = (): number => {
    height += 1;
    const block = {
      height,
      timeUs: 1_790_000_000_000_000 + height,
      proposer: "node-1" as never,
      digest,
      originView: 0,
      algorithm: "pbft" as const,
    };
    return log.append(block, drafts).entries.length;
  };
  options.note(`audit-append: ${options.runs} runs of ${options.seconds} s`);
  const runs = Array.from({ length: options.runs }, () => Math.round(runLoop(options.seconds, append)));
  return [{ name: "audit-append", parameters: { entriesInBlock: drafts.length }, unit: "entries/s", median: percentile(runs, 0.5), runs }];
}

/** Verifying receipts with the portable verifier that auditors use, and with libsodium. */
export async function verifySuite(options: BenchOptions): Promise<BenchResult[]> {
  const { createDevCluster, createServiceIdentity } = await import("#gateway");
  const cluster = await createDevCluster({ nodes: options.nodes });
  try {
    const issuer = cluster.issuer;
    const { identity, signer } = await createServiceIdentity({
      id: FIRST_REQUEST.serviceId,
      cluster: cluster.cluster,
      claims: { purpose: "bench" },
      issuer,
    });
    cluster.signers.set(FIRST_REQUEST.serviceId, signer);
    const { receipt = "" } = await cluster.gateway(1).registerService(identity, true);
    const policy = await cluster.gateway(1).policy();
    const sodium = await loadSodium();
    const native = {
      hasher: nodeHasher,
      ed25519: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => sodium.verify(key, message, signature),
    };
    const once = (settings: Parameters<typeof verifyReceipt>[2]) => (): number =>
      verifyReceipt(receipt, policy, settings).exitCode === 0 ? 1 : 0;
    const measure = (name: string, settings: Parameters<typeof verifyReceipt>[2]): BenchResult => {
      options.note(`${name}: ${options.runs} runs of ${options.seconds} s`);
      const runs = Array.from({ length: options.runs }, () => Math.round(runLoop(options.seconds, once(settings))));
      return { name, parameters: { signatures: 6 }, unit: "receipts/s", median: percentile(runs, 0.5), runs };
    };
    return [measure("verify-portable", {}), measure("verify-libsodium", native)];
  } finally {
    await cluster.stop();
  }
}

function draft(command: ReturnType<typeof parseHash>): EntryDraft {
  return {
    kind: "decision",
    provenance: "signed",
    command,
    actor: "trading-service-001",
    subject: "trading-service-001",
    capability: { domain: "compute", operation: "execute", scope: "system", riskLevel: "critical", resources: ["orders/rebalance"] },
    decision: "allowed",
    reason: "OK",
    delegation: [],
    content: { action: "authorize", grant: command, purpose: "rebalance" },
  };
}
