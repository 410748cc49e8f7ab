import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseReceipt, verifyReceipt } from "#audit";
import { type EngineName, faultModelOf, type JsonValue, parseGenesis, QuorumgateError, tolerableWeight, totalWeight } from "#base";
import type { AuthorizationResponse } from "#gateway";
import { EXIT } from "../failure.ts";
import { type Output, short } from "../output.ts";
import { engineOf, openDevFolder, readGenesisBytes } from "./create.ts";
import { firstRequestOf, INSTITUTIONS } from "./demo.ts";
import { DEV_FOLDER, DEV_TRUST_DOMAIN, type DevFolder, devPaths } from "./folder.ts";
import { Orchestrator } from "./orchestrator.ts";
import { Demonstration, waitForLinks } from "./seed.ts";
import { Steps } from "./steps.ts";

/** How `quorumgate dev` was called. */
export interface DevRun {
  readonly nodes: number;
  readonly engine?: EngineName;
  readonly data: string;
  readonly basePort: number;
  readonly ephemeral: boolean;
  readonly once: boolean;
}

/** Links to a node that has just started come back within this. */
const LINKS_MS = 20_000;

/** Runs a development cluster until it is told to stop, or with `once` until its first decision is shown. */
export async function runDevCluster(run: DevRun, output: Output): Promise<number> {
  const folder = run.ephemeral ? mkdtempSync(join(tmpdir(), "quorumgate-dev-")) : run.data;
  const stop = stopSignal();
  let orchestrator: Orchestrator | undefined;
  const bringing = bringUp({ ...run, data: folder }, { output, signal: stop.signal, onOrchestrator: (made) => (orchestrator = made) });
  try {
    const isUp = await Promise.race([bringing.then(() => true), stop.requested.then(() => false)]);
    if (isUp && !run.once) await stop.requested;
    if (stop.signal.aborted) output.note("stopping …");
    return isUp ? EXIT.done : EXIT.refused;
  } finally {
    stop.abort();
    await orchestrator?.stop();
    // A start that was cut short fails with whatever it was at; that it was cut short is known.
    await bringing.catch(() => undefined);
    if (run.ephemeral) rmSync(folder, { recursive: true, force: true });
  }
}

/** A request to stop. After the first, a second ends the process at once, and takes its nodes with it. */
function stopSignal(): { readonly requested: Promise<void>; readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  const requested = new Promise<void>((settle) => {
    const onSignal = (): void => {
      controller.abort();
      settle();
      process.once("SIGINT", () => process.exit(130)).once("SIGTERM", () => process.exit(143));
    };
    process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  });
  return { requested, signal: controller.signal, abort: () => controller.abort() };
}

/** Starts everything step by step; no step begins once it is to stop. */
async function bringUp(
  run: DevRun,
  context: { readonly output: Output; readonly signal: AbortSignal; readonly onOrchestrator: (made: Orchestrator) => void },
): Promise<void> {
  const { output, signal } = context;
  const steps = new Steps(output, { isTerminal: process.stdout.isTTY === true, signal });
  output.note(output.style.strong("quorumgate · development cluster · NOT FOR PRODUCTION"));
  const cluster = await steps.run("identities", () => openFolder(run));
  signal.throwIfAborted();
  const orchestrator = new Orchestrator(cluster, (text) => output.note(text));
  context.onOrchestrator(orchestrator);
  await steps.run("node processes and links", () => startNodes(orchestrator));
  const first = await demonstrate(cluster, steps);
  output.result(describeRun(orchestrator, first), () =>
    welcome(orchestrator, { output, receipt: first.receipt, isEphemeral: run.ephemeral }),
  );
}

async function openFolder(run: DevRun): Promise<{ detail: string; value: DevFolder }> {
  const { cluster, isNew } = await openDevFolder({
    folder: run.data,
    count: run.nodes,
    basePort: run.basePort,
    ...(run.engine === undefined ? {} : { engine: run.engine }),
  });
  const made = isNew ? "authorities and identities of" : "kept identities and data of";
  const detail = `${made} ${run.nodes} nodes   spiffe://${DEV_TRUST_DOMAIN}/replicas/node-{1..${run.nodes}}   cluster ${short(cluster.cluster)}`;
  return { detail, value: cluster };
}

async function startNodes(orchestrator: Orchestrator): Promise<{ detail: string; value: undefined }> {
  const { cluster } = orchestrator;
  await orchestrator.open();
  await orchestrator.startNodes();
  await waitForLinks(cluster, LINKS_MS);
  const count = cluster.nodes.length;
  const { total, tolerated, needed } = quorumOf(cluster);
  const links = (count * (count - 1)) / 2;
  const detail = `${count} node processes, ${links} mutual TLS links   ${engineOf(cluster)} · n=${total} f=${tolerated} quorum=${needed} · data ${cluster.folder}`;
  return { detail, value: undefined };
}

/** The first decision as it is shown: with the answer's receipt checked as an auditor would. */
interface FirstDecision {
  readonly response: AuthorizationResponse;
  readonly receipt: string;
  readonly signers: readonly string[];
  readonly latencyMs: number;
}

async function demonstrate(cluster: DevFolder, steps: Steps): Promise<FirstDecision> {
  const demonstration = await Demonstration.connect(cluster);
  try {
    await steps.run("demonstration data", async () => {
      const { services, grants } = await demonstration.seed();
      return {
        detail: `${INSTITUTIONS.length} institutions, ${services} services, ${grants} grants, 1 operator, 1 auditor`,
        value: undefined,
      };
    });
    return await steps.run("first decision", () => firstDecision(cluster, demonstration));
  } finally {
    await demonstration.close();
  }
}

async function firstDecision(cluster: DevFolder, demonstration: Demonstration): Promise<{ detail: string; value: FirstDecision }> {
  const start = performance.now();
  const response = await demonstration.decide();
  const latencyMs = Math.round(performance.now() - start);
  const { receipt, outcome, reason } = response;
  if (receipt === undefined) throw new QuorumgateError("DEV_COMMAND_FAILED", `the first decision has no receipt: ${outcome} (${reason})`);
  const verified = verifyReceipt(receipt, await demonstration.policy());
  if (!verified.ok) throw new QuorumgateError("VERIFY_ALTERED", `the first decision's receipt does not verify: exit ${verified.exitCode}`);
  writeFileSync(devPaths(cluster.folder).receipt, receipt);
  const signers = verified.signers ?? [];
  const { serviceId, capability } = firstRequestOf(engineOf(cluster));
  const { domain, operation } = capability;
  const decision = `first decision ${outcome.toUpperCase()}   ${serviceId} ${domain}:${operation}   ${latencyMs} ms`;
  const proof = `receipt ${short(response.consensusId)}   signed by ${signers.join(" ")} (${quorumOf(cluster).needed} needed) · entry #${response.seq}`;
  return { detail: `${decision}\n  ${proof}`, value: { response, receipt, signers, latencyMs } };
}

function quorumOf(cluster: DevFolder): { readonly total: number; readonly tolerated: number; readonly needed: number } {
  const { membership, engine } = parseGenesis(readGenesisBytes(cluster.folder));
  const total = totalWeight(membership);
  const tolerated = tolerableWeight(total, faultModelOf(engine));
  return { total, tolerated, needed: total - tolerated };
}

/** The one JSON object of `--json`. */
function describeRun({ cluster, processes }: Orchestrator, first: FirstDecision): JsonValue {
  const { response, receipt, signers, latencyMs } = first;
  const { consensusId, outcome, reason, height, timeMs, seq } = response;
  const { serviceId, capability } = firstRequestOf(engineOf(cluster));
  return {
    cluster: cluster.cluster,
    trustDomain: DEV_TRUST_DOMAIN,
    environment: "development",
    nodes: processes.map(({ node, pid, logFile }) => ({
      id: node.id,
      url: node.http,
      peer: node.peerAddress,
      pid: pid ?? 0,
      log: logFile,
    })),
    decision: {
      id: consensusId,
      outcome,
      reason,
      service: serviceId,
      capability: `${capability.domain}:${capability.operation}`,
      height: height ?? 0,
      seq: seq ?? 0,
      timeMs: timeMs ?? 0,
      latencyMs,
      signers,
      index: parseReceipt(receipt).index,
    },
    receipt,
    policyFile: devPaths(cluster.folder).policy,
    receiptFile: devPaths(cluster.folder).receipt,
    survives: quorumOf(cluster).tolerated,
    elapsedMs: Math.round(performance.now()),
  };
}

function welcome(
  { cluster }: Orchestrator,
  { output, receipt, isEphemeral }: { readonly output: Output; readonly receipt: string; readonly isEphemeral: boolean },
): string {
  const { tolerated } = quorumOf(cluster);
  const [first] = cluster.nodes;
  const { style } = output;
  const toleratesLiars = faultModelOf(engineOf(cluster)) === "byzantine";
  const faulty = `${toleratesLiars ? "faulty" : "crashed"} ${tolerated === 1 ? "node" : "nodes"}`;
  const survives =
    tolerated === 0 ? "survives no faulty node" : `survives ${tolerated} ${faulty}${toleratesLiars ? "" : ", none that lies"}`;
  const data = cluster.folder.endsWith(DEV_FOLDER) ? "" : ` --data ${cluster.folder}`;
  const { serviceId, capability } = firstRequestOf(engineOf(cluster));
  const question = `--service ${serviceId} --capability ${capability.domain}:${capability.operation} --resource ${capability.resources.join()}`;
  const tries = [`status${data}`, `dev kill 3${data}`, `authorize ${question} --explain${data}`, `verify last${data}`];
  return [
    `${style.good("Fault tolerance:")} ${survives}   ready in ${(performance.now() / 1_000).toFixed(1)} s`,
    `HTTP API  ${first?.http}/v1   OpenAPI  ${first?.http}/v1/openapi.json   metrics  ${first?.http}/metrics`,
    `Receipt   ${devPaths(cluster.folder).receipt} (${receipt.length} bytes)   policy  ${devPaths(cluster.folder).policy}`,
    "Try, in another terminal:",
    ...tries.map((line) => `  ${programName()} ${line}`),
    style.faint(`Ctrl-C stops the cluster; its data ${isEphemeral ? "are removed" : "stay"}.`),
  ].join("\n");
}

/** How this program is called here: in a checkout there is no `quorumgate` on the path. */
function programName(): string {
  const script = process.argv[1] ?? "quorumgate";
  return script.endsWith(".js") || script.endsWith(".ts") ? `node ${relative(process.cwd(), script)}` : "quorumgate";
}
