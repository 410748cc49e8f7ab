import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { policyOf, policyText, shardAt } from "#audit";
import { clusterIdOf, type EngineName, parseGenesis, parseNodeId, QuorumgateError, silentTelemetry } from "#base";
import { type Ed25519, loadSodium, nodeHasher } from "#crypto";
import { initializeNodeData } from "#gateway";
import { assembleGenesis, createNodeIdentity, createServiceKey, saveNodeIdentity, saveServiceKey } from "#identity";
import { AUDITOR, DEMO_SERVICES, INSTITUTIONS, OPERATOR } from "./demo.ts";
import {
  DEV_TRUST_DOMAIN,
  type DevFolder,
  type DevNode,
  devNodes,
  devPaths,
  prepareFolder,
  readDevFolder,
  socketPath,
  writeMarker,
} from "./folder.ts";

/** What a development cluster is to be. */
export interface DevOptions {
  readonly folder: string;
  readonly count: number;
  readonly basePort: number;
  /** The engine of a new cluster, pbft by default; an old one has to have it, if it is named. */
  readonly engine?: EngineName;
}

/** What the files of one node are called within its folder. */
const NODE_FILES = { config: "config.json", data: "data", anchor: "vote-guard", socket: "node.sock" } as const;

/**
 * The cluster in the folder, or a new one. An old one keeps its members; its ports follow the options, once `writeAddresses` has written them.
 * @throws {QuorumgateError} CONFIG_INVALID for another number of nodes, or another engine, than the folder's cluster has
 */
export async function openDevFolder(options: DevOptions): Promise<{ readonly cluster: DevFolder; readonly isNew: boolean }> {
  const folder = resolve(options.folder);
  const found = readDevFolder(folder);
  if (found === undefined) return { cluster: await createDevFolder({ ...options, folder }), isNew: true };
  const { count, basePort } = options;
  if (found.nodes.length !== count) {
    throw new QuorumgateError(
      "CONFIG_INVALID",
      `the cluster in the folder has ${found.nodes.length} nodes, not ${count}; use another --data`,
      {
        data: { folder },
      },
    );
  }
  if (options.engine !== undefined && engineOf(found) !== options.engine) {
    const text = `the cluster in the folder runs ${engineOf(found)}, not ${options.engine}; use another --data, or remove the folder`;
    throw new QuorumgateError("CONFIG_INVALID", text, { data: { folder } });
  }
  const lost = found.nodes.filter((node) => !existsSync(node.folder)).map(({ id }) => id);
  if (lost.length > 0) {
    const text = `the folder of ${lost.join(", ")} is gone, and the keys with it; use another --data, or remove the cluster's folder`;
    throw new QuorumgateError("CONFIG_INVALID", text, { data: { folder } });
  }
  return { cluster: { ...found, basePort, nodes: devNodes({ folder, count, basePort }) }, isNew: false };
}

/** The engine that the folder's genesis names. */
export function engineOf(cluster: DevFolder): EngineName {
  return parseGenesis(readGenesisBytes(cluster.folder)).engine;
}

/** Makes all identities, genesis, policy and empty data folders. The marker is written last: it says that all is whole. */
async function createDevFolder({ folder, count, basePort, engine = "pbft" }: DevOptions): Promise<DevFolder> {
  const ed25519 = await loadSodium();
  const paths = devPaths(folder);
  const nodes = devNodes({ folder, count, basePort });
  const timeUs = Math.floor(Date.now() / 1_000) * 1_000_000;
  prepareFolder(folder);
  const nodeFiles = nodes.map((node) => createNode(ed25519, node, timeUs / 1_000));
  const genesisBytes = assembleGenesis(ed25519, {
    environment: "development",
    trustDomain: DEV_TRUST_DOMAIN,
    engine,
    nodeFiles,
    ...createPeople(ed25519, folder),
    timeUs,
  });
  const cluster = clusterIdOf(nodeHasher, genesisBytes);
  writeFileSync(paths.genesis, genesisBytes);
  writeFileSync(paths.policy, policyText(policyOf({ genesis: parseGenesis(genesisBytes), cluster }), shardAt(timeUs), nodeHasher));
  for (const { id } of DEMO_SERVICES) saveServiceKey(ed25519, paths.identity(id), createServiceKey(ed25519, id));
  await Promise.all(nodes.map((node) => initializeNodeData(dataPathsOf(node), silentTelemetry)));
  const made = { folder, cluster, basePort, nodes };
  writeMarker(made);
  return made;
}

/** Writes where the cluster listens, for its nodes and for who looks for them: ports may have changed. Not while another process runs it. */
export function writeAddresses(cluster: DevFolder): void {
  writeMarker(cluster);
  for (const node of cluster.nodes) writeNodeConfig(cluster, node);
}

/** The configuration with which a node is started. */
export function configFileOf(node: DevNode): string {
  return join(node.folder, NODE_FILES.config);
}

function writeNodeConfig(cluster: DevFolder, node: DevNode): void {
  const config = {
    node: node.id,
    genesis: devPaths(cluster.folder).genesis,
    genesisHash: cluster.cluster,
    keys: node.folder,
    ...dataPathsOf(node),
    listen: { peer: node.peerAddress, http: node.httpAddress },
    peers: Object.fromEntries(cluster.nodes.filter(({ id }) => id !== node.id).map(({ id, peerAddress }) => [id, peerAddress])),
    logLevel: "info",
    controlSocket: nodeSocket(node),
  };
  writeFileSync(configFileOf(node), `${JSON.stringify(config, undefined, 2)}\n`);
}

/** The socket through which a node's links are cut and mended. */
export function nodeSocket(node: DevNode): string {
  return join(node.folder, NODE_FILES.socket);
}

/** The genesis bytes of the cluster in a folder. */
export function readGenesisBytes(folder: string): Uint8Array {
  return new Uint8Array(readFileSync(devPaths(folder).genesis));
}

/** Says which port is taken before any process is started, since then the hint can name the option. @throws {QuorumgateError} CONFIG_INVALID */
export async function checkPorts(nodes: readonly DevNode[]): Promise<void> {
  const addresses = nodes.flatMap(({ httpAddress, peerAddress }) => [httpAddress, peerAddress]);
  const free = await Promise.all(addresses.map(isFree));
  const taken = addresses.filter((_address, at) => free[at] === false);
  if (taken.length === 0) return;
  throw new QuorumgateError("CONFIG_INVALID", `in use already: ${taken.join(", ")}; stop what uses it, or choose another --base-port`);
}

/** Socket paths have a small limit on every system. @throws {QuorumgateError} CONFIG_INVALID */
export function checkSocketPaths(cluster: DevFolder): void {
  socketPath(devPaths(cluster.folder).socket);
  for (const node of cluster.nodes) socketPath(nodeSocket(node));
}

function createNode(ed25519: Ed25519, node: DevNode, nowMs: number): Uint8Array {
  const identity = createNodeIdentity(ed25519, {
    nodeId: parseNodeId(node.id),
    trustDomain: DEV_TRUST_DOMAIN,
    weight: 1,
    peerAddress: node.peerAddress,
    httpUrl: node.http,
    nowMs,
    development: true,
  });
  saveNodeIdentity(node.folder, identity);
  return identity.nodeFile;
}

/** The operator, the auditor and the institutions that vouch for services. */
function createPeople(ed25519: Ed25519, folder: string): Pick<Parameters<typeof assembleGenesis>[1], "operators" | "issuers"> {
  const create = (
    id: string,
  ): { readonly id: ReturnType<typeof createServiceKey>["id"]; readonly key: ReturnType<typeof createServiceKey>["publicKey"] } => {
    const made = createServiceKey(ed25519, id);
    saveServiceKey(ed25519, devPaths(folder).identity(id), made);
    return { id: made.id, key: made.publicKey };
  };
  return {
    operators: [
      { ...create(OPERATOR), roles: ["operator"] },
      { ...create(AUDITOR), roles: ["auditor"] },
    ],
    issuers: INSTITUTIONS.map(create),
  };
}

function dataPathsOf(node: DevNode): { readonly data: string; readonly anchor: string } {
  return { data: join(node.folder, NODE_FILES.data), anchor: join(node.folder, NODE_FILES.anchor) };
}

function isFree(address: string): Promise<boolean> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((settle) => {
    const server = createServer();
    server.once("error", () => settle(false));
    server.listen({ host, port: Number(port), exclusive: true }, () => server.close(() => settle(true)));
  });
}
