import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { parseNodeId } from "#base";
import { loadSodium } from "#crypto";
import { addCommand, addGroup, perform } from "../command.ts";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import type { Output } from "../output.ts";

interface InitOptions {
  readonly json?: boolean;
  readonly id: string;
  readonly trustDomain: string;
  readonly out: string;
  readonly peerAddress: string;
  readonly httpUrl: string;
  readonly weight: string;
}

const WEIGHT_MAX = 1_000_000;

/** `node init`, `node renew` and `node start`. */
export function addNodeCommands(program: Command): void {
  const node = addGroup(program, "node", "a node of a real cluster");
  addCommand(node, "init", {
    summary: "make a node's keys, here and nowhere else, and its public node.json",
    examples: [
      "node init --id bank-a --trust-domain gate.example --peer-address 10.0.0.1:7501 --http-url https://gate-a.example --out bank-a",
    ],
  })
    .requiredOption("--id <id>", "the node's id: lowercase letters, digits, hyphen")
    .requiredOption("--trust-domain <domain>", "the cluster's; the same for all")
    .requiredOption("--peer-address <host:port>", "where other nodes reach this one")
    .requiredOption("--http-url <url>", "where clients reach it")
    .requiredOption("--out <dir>", "a new folder for keys, data and configuration")
    .option("--weight <number>", "its weight in votes", "1")
    .action((options: InitOptions) => perform(options, (output) => initialize(options, output)));
  addRenew(node);
  addCommand(node, "start", { summary: "run a node until SIGTERM", examples: ["node start --config bank-a/config.json"] })
    .requiredOption("--config <file>", "the node's configuration")
    .action((options: { readonly json?: boolean; readonly config: string }) => perform(options, (output) => start(options.config, output)));
}

interface RenewOptions {
  readonly json?: boolean;
  readonly dir: string;
  readonly peerAddress?: string;
  readonly httpUrl?: string;
}

function addRenew(node: Command): void {
  addCommand(node, "renew", {
    summary: "make new keys for a node's checkpoints, beside its present ones, and its new public node.json",
    examples: ["node renew --dir bank-a", "member propose --renew bank-a/renewal/node.json --out renewal.json"],
  })
    .requiredOption("--dir <dir>", "the node's folder; the node may be running")
    .option("--peer-address <host:port>", "another address for other nodes")
    .option("--http-url <url>", "another address for clients")
    .action((options: RenewOptions) => perform(options, (output) => renew(options, output)));
}

async function renew({ dir, peerAddress, httpUrl }: RenewOptions, output: Output): Promise<number> {
  const { loadNodeIdentity, renewNodeIdentity, saveRenewal } = await import("#identity");
  const ed25519 = await loadSodium();
  const renewed = renewNodeIdentity(ed25519, loadNodeIdentity(ed25519, dir), {
    nowMs: Date.now(),
    ...(peerAddress === undefined ? {} : { peerAddress: readPeerAddress(peerAddress) }),
    ...(httpUrl === undefined ? {} : { httpUrl: readUrl(httpUrl).origin }),
  });
  saveRenewal(dir, renewed);
  const nodeFile = join(dir, "renewal", "node.json");
  const sha256 = createHash("sha256").update(renewed.nodeFile).digest("hex");
  output.result({ id: renewed.member.id, nodeFile, sha256 }, () =>
    [
      `${renewed.member.id}   ${nodeFile}   sha256 ${sha256}`,
      `Propose it to the operators: member propose --renew ${nodeFile} --out renewal.json`,
      "The node changes keys by itself when the change is active, and drops the old ones.",
    ].join("\n"),
  );
  return EXIT.done;
}

async function initialize(options: InitOptions, output: Output): Promise<number> {
  const { createNodeIdentity, saveNodeIdentity } = await import("#identity");
  const { initializeNodeData } = await import("#daemon");
  const { out, trustDomain } = options;
  const peerAddress = readPeerAddress(options.peerAddress);
  const httpUrl = readUrl(options.httpUrl);
  if (existsSync(join(out, "node.json"))) throw new UsageError(`${out} holds a node already; its keys are never replaced`);
  const identity = createNodeIdentity(await loadSodium(), {
    nodeId: parseNodeId(options.id),
    trustDomain,
    weight: parseWhole(options.weight, { name: "--weight", min: 1, max: WEIGHT_MAX }),
    peerAddress,
    httpUrl: httpUrl.origin,
    nowMs: Date.now(),
    development: trustDomain.startsWith("dev."),
  });
  saveNodeIdentity(out, identity);
  await initializeNodeData({ data: join(out, "data"), anchor: join(out, "vote-guard") });
  writeConfig({ out, node: options.id, peer: peerAddress, http: `127.0.0.1:${httpUrl.port === "" ? "7401" : httpUrl.port}` });
  const nodeFile = join(out, "node.json");
  const sha256 = createHash("sha256").update(identity.nodeFile).digest("hex");
  output.result({ id: options.id, nodeFile, sha256, config: join(out, "config.json") }, () =>
    [
      `${options.id}   ${nodeFile}   sha256 ${sha256}`,
      "Give node.json to the other institutions, and its hash through another channel.",
      `When genesis is agreed: put it at ${join(out, "genesis.json")} and set genesisHash in ${join(out, "config.json")} to the cluster id.`,
    ].join("\n"),
  );
  return EXIT.done;
}

/** A configuration that lacks only what the institutions have yet to agree on: a node does not start before the hash is set. */
function writeConfig({
  out,
  node,
  peer,
  http,
}: {
  readonly out: string;
  readonly node: string;
  readonly peer: string;
  readonly http: string;
}): void {
  const config = {
    node,
    genesis: "genesis.json",
    genesisHash: "SET-THIS-TO-THE-CLUSTER-ID",
    keys: ".",
    data: "data",
    anchor: "vote-guard",
    listen: { peer, http },
    logLevel: "info",
  };
  writeFileSync(join(out, "config.json"), `${JSON.stringify(config, undefined, 2)}\n`, { flag: "wx" });
}

/** Runs the daemon in this process. Its log goes to stderr; stdout says once where it serves. */
async function start(file: string, output: Output): Promise<number> {
  const { loggerOf, readConfig, startDaemon } = await import("#daemon");
  const config = readConfig(file);
  const stopped = new Promise<void>((settle) => {
    process.once("SIGTERM", () => settle()).once("SIGINT", () => settle());
  });
  const daemon = await startDaemon(config, loggerOf(config));
  output.result(
    { node: daemon.node.id, cluster: daemon.node.cluster, http: daemon.httpUrl },
    () => `${daemon.node.id} serves ${daemon.httpUrl}`,
  );
  await stopped;
  await daemon.stop();
  return EXIT.done;
}

function readPeerAddress(text: string): string {
  if (!/^[^\s:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/.test(text)) throw new UsageError("--peer-address is host:port");
  return text;
}

function readUrl(text: string): URL {
  if (!URL.canParse(text)) throw new UsageError("--http-url is an http or https address");
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new UsageError("--http-url is an http or https address");
  return url;
}
