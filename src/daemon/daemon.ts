import { readFileSync } from "node:fs";
import type { Server } from "node:net";
import {
  type CanonicalObject,
  type CanonicalValue,
  inFile,
  isObject,
  LIMITS,
  type Member,
  parseGenesis,
  parseHash,
  parseJson,
  parseMember,
  QuorumgateError,
  type Telemetry,
} from "#base";
import { createVerifier, loadSodium, nodeHasher } from "#crypto";
import { type Interposition, LocalBackend, type RunningNode, startNode } from "#gateway";
import { createHttpServer } from "#http";
import { createLogger, createMetricsRegistry, createTelemetry, type ProcessLogger } from "#telemetry";
import { type NodeConfig, splitAddress } from "./config.ts";
import { type LieControl, openControlSocket } from "./control-socket.ts";

/** A running daemon: node and HTTP API. */
export interface Daemon {
  readonly node: RunningNode;
  readonly httpUrl: string;
  stop(): Promise<void>;
}

/** What makes a node of a development cluster one that can lie. No configuration names it: whoever starts the process brings it along. */
export interface LyingMouth {
  readonly interpose: Interposition;
  readonly become: LieControl;
}

/** Starts node, HTTP API and, in development, the control socket. Stopping goes the other way. @throws {QuorumgateError} */
export async function startDaemon(config: NodeConfig, logger: ProcessLogger, mouth?: LyingMouth): Promise<Daemon> {
  const http = httpAddress(config);
  const genesisBytes = readGenesis(config.genesis);
  const { environment } = inFile(config.genesis, "GENESIS_INVALID", () => parseGenesis(genesisBytes));
  if (config.controlSocket !== undefined && environment !== "development") {
    throw new QuorumgateError("CONFIG_INVALID", "controlSocket is for development clusters only");
  }
  const registry = createMetricsRegistry();
  const telemetry = createTelemetry({ logger, registry });
  const node = await startNode({
    node: config.node,
    genesisBytes,
    genesisHash: parseHash(config.genesisHash),
    keysFolder: config.keys,
    dataFolder: config.data,
    anchorFile: config.anchor,
    listen: splitAddress(config.listen.peer),
    ...(config.peers === undefined ? {} : { addresses: config.peers }),
    ...(config.contacts === undefined ? {} : { contacts: readContacts(config.contacts) }),
    telemetry,
    ...(config.blocksKept === undefined ? {} : { blocksKept: config.blocksKept }),
    ...(mouth === undefined ? {} : { interpose: mouth.interpose }),
    events: { onHalted: (reason) => telemetry.log("error", "node.halted", { reason }) },
  });
  try {
    return await serve(config, node, { http, registry, telemetry, mouth });
  } catch (error) {
    await node.stop();
    throw error;
  }
}

/** The doors of a running node: HTTP API and, in development, the control socket. */
async function serve(
  config: NodeConfig,
  node: RunningNode,
  parts: {
    readonly http: { readonly host: string; readonly port: number };
    readonly registry: ReturnType<typeof createMetricsRegistry>;
    readonly telemetry: Telemetry;
    readonly mouth: LyingMouth | undefined;
  },
): Promise<Daemon> {
  const { http, registry, telemetry, mouth } = parts;
  const app = createHttpServer({
    backend: new LocalBackend(node),
    cluster: node.cluster,
    node: node.id,
    hasher: nodeHasher,
    verifier: createVerifier(await loadSodium(), { telemetry }),
    state: () => node.replica.state,
    ...(config.requestsPerSecond === undefined ? {} : { requestsPerSecond: config.requestsPerSecond }),
    ...(config.refusalsPerSecond === undefined ? {} : { refusalsPerSecond: config.refusalsPerSecond }),
    ...(config.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: config.requestTimeoutMs }),
    metrics: () => registry.metrics(),
    telemetry,
  });
  const httpUrl = await app.listen(http);
  const control = await openControl(config, node, mouth);
  telemetry.log("info", "node.ready", { cluster: node.cluster, http: httpUrl });
  return {
    node,
    httpUrl,
    stop: async () => {
      control?.close();
      await app.close();
      await node.stop();
    },
  };
}

function httpAddress(config: NodeConfig): { readonly host: string; readonly port: number } {
  const address = splitAddress(config.listen.http);
  if (address.host === "127.0.0.1" || address.host === "::1" || address.host === "localhost") return address;
  throw new QuorumgateError("CONFIG_INVALID", "HTTP without TLS listens on loopback only; put a TLS proxy of your institution before it");
}

/** A logger to the configured file, or to standard error. */
export function loggerOf(config: NodeConfig): ProcessLogger {
  return createLogger({ logLevel: config.logLevel, fields: { node: config.node } });
}

function openControl(config: NodeConfig, node: RunningNode, mouth: LyingMouth | undefined): Promise<Server | undefined> {
  if (config.controlSocket === undefined) return Promise.resolve(undefined);
  return openControlSocket(config.controlSocket, {
    blockPeers: (peers) => node.transport.blockPeers(peers),
    lie: mouth?.become,
  });
}

function readGenesis(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw new QuorumgateError("CONFIG_INVALID", `the genesis file cannot be read: ${path}`, { cause });
  }
}

/** The members in what `member list --json` wrote. Whoever wrote it, links to them prove their TLS keys, and blocks prove themselves. */
function readContacts(path: string): readonly Member[] {
  try {
    const view = parseJson(new Uint8Array(readFileSync(path)));
    const members = isObject(view as CanonicalValue) ? (view as CanonicalObject)["members"] : undefined;
    if (!Array.isArray(members) || members.length > LIMITS.membersMax) throw new Error("it lists no members");
    return members.map(parseMember);
  } catch (cause) {
    throw new QuorumgateError("CONFIG_INVALID", `the contacts file cannot be read: ${path}`, { cause });
  }
}
