import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type Hash, parseHash, QuorumgateError } from "#base";

/** Where `quorumgate dev` keeps its cluster, relative to the working folder. */
export const DEV_FOLDER = ".quorumgate/dev";
/** Begins with `dev.`, as only development clusters' do. */
export const DEV_TRUST_DOMAIN = "dev.local";

const LOOPBACK = "127.0.0.1";
const PEER_OFFSET = 100;
/** The longest path that every system takes for a Unix socket, less one for the end. */
const SOCKET_PATH_MAX = 103;

/** One node of a development cluster: its number is the one that `dev kill N` takes. */
export interface DevNode {
  readonly number: number;
  readonly id: string;
  readonly folder: string;
  readonly http: string;
  readonly httpAddress: string;
  readonly peerAddress: string;
}

/** A development cluster on disk. */
export interface DevFolder {
  readonly folder: string;
  readonly cluster: Hash;
  readonly basePort: number;
  readonly nodes: readonly DevNode[];
}

/** Where things lie in a development cluster's folder. */
export function devPaths(folder: string): {
  readonly marker: string;
  readonly genesis: string;
  readonly policy: string;
  readonly receipt: string;
  readonly socket: string;
  readonly nodes: string;
  readonly identities: string;
  readonly identity: (name: string) => string;
} {
  const identities = join(folder, "identities");
  return {
    marker: join(folder, "cluster.json"),
    genesis: join(folder, "genesis.json"),
    policy: join(folder, "policy"),
    receipt: join(folder, "last.tlog-proof"),
    socket: join(folder, "dev.sock"),
    nodes: join(folder, "nodes"),
    identities,
    identity: (name) => join(identities, name),
  };
}

/** The nodes of a development cluster: node i serves HTTP on base + i and peers on base + 100 + i. */
export function devNodes(options: { readonly folder: string; readonly count: number; readonly basePort: number }): readonly DevNode[] {
  const { folder, count, basePort } = options;
  return Array.from({ length: count }, (_unused, at): DevNode => {
    const number = at + 1;
    const id = `node-${number}`;
    const httpAddress = `${LOOPBACK}:${basePort + number}`;
    return {
      number,
      id,
      folder: join(devPaths(folder).nodes, id),
      http: `http://${httpAddress}`,
      httpAddress,
      peerAddress: `${LOOPBACK}:${basePort + PEER_OFFSET + number}`,
    };
  });
}

/** The cluster in a folder; undefined when there is none, or its making was cut short. @throws {QuorumgateError} CONFIG_INVALID */
export function readDevFolder(folder: string): DevFolder | undefined {
  const { marker } = devPaths(folder);
  if (!existsSync(marker)) return undefined;
  const { cluster, basePort, nodes } = readMarker(marker);
  return { folder: resolve(folder), cluster, basePort, nodes: devNodes({ folder: resolve(folder), count: nodes, basePort }) };
}

/** Records that the cluster in the folder is whole, and where it listens. */
export function writeMarker({ folder, cluster, basePort, nodes }: DevFolder): void {
  writeFileSync(devPaths(folder).marker, `${JSON.stringify({ v: 1, cluster, basePort, nodes: nodes.length })}\n`);
}

/** An empty place for a new cluster: what an earlier, cut short attempt left is removed, nothing else. */
export function prepareFolder(folder: string): void {
  const paths = devPaths(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const path of [paths.nodes, paths.identities, paths.genesis, paths.policy, paths.receipt])
    rmSync(path, { recursive: true, force: true });
}

/** A path that fits into a socket address: as given, or relative to the working folder. @throws {QuorumgateError} CONFIG_INVALID */
export function socketPath(path: string): string {
  const shortest = [path, relative(process.cwd(), path)].reduce((best, next) => (next.length < best.length ? next : best));
  if (Buffer.byteLength(shortest) <= SOCKET_PATH_MAX) return shortest;
  throw new QuorumgateError("CONFIG_INVALID", "the data folder's path is too long for a socket in it; use a shorter one", {
    data: { path },
  });
}

function readMarker(path: string): { readonly cluster: Hash; readonly basePort: number; readonly nodes: number } {
  try {
    const read: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof read === "object" && read !== null && "cluster" in read && "basePort" in read && "nodes" in read) {
      const { cluster, basePort, nodes } = read;
      if (typeof cluster === "string" && typeof basePort === "number" && typeof nodes === "number") {
        return { cluster: parseHash(cluster), basePort, nodes };
      }
    }
  } catch (cause) {
    throw new QuorumgateError("CONFIG_INVALID", "the development cluster's cluster.json does not parse", { data: { path }, cause });
  }
  throw new QuorumgateError("CONFIG_INVALID", "the development cluster's cluster.json lacks a field", { data: { path } });
}
