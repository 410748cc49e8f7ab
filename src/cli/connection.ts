import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { Command } from "commander";
import { type Hash, parseHash, QuorumgateError } from "#base";
import { type Ed25519, loadSodium, type Signer } from "#crypto";
import { type Consistency, SecurityGateway } from "#gateway";
import { loadServiceKey, type ServiceKey, serviceSignerOf } from "#identity";
import { gather } from "./command.ts";
import { DEV_FOLDER, type DevFolder, devPaths, readDevFolder } from "./dev/folder.ts";
import { UsageError } from "./failure.ts";
import type { Output } from "./output.ts";

/** A node on the same machine or network says so much sooner. */
const HEALTH_MS = 700;

/** Options of every command that talks to a cluster. */
export interface ConnectionOptions {
  readonly json?: boolean;
  readonly url?: readonly string[];
  readonly cluster?: string;
  readonly identity?: string;
  readonly data?: string;
}

/** Which cluster a command talks to. */
export interface Target {
  readonly urls: readonly string[];
  readonly cluster: Hash;
  /** The development cluster's folder, where it is one. */
  readonly dev?: DevFolder;
}

/** A connection to a cluster in somebody's name. */
export interface Connection extends Target {
  readonly gateway: SecurityGateway;
  /** Who speaks. */
  readonly self: ServiceKey;
  readonly ed25519: Ed25519;
}

/** Adds the options that say which cluster, and who asks. */
export function addConnectionOptions(command: Command): Command {
  return command
    .option("--url <url>", "a node's HTTP address; may be given several times (default: the development cluster)", gather)
    .option("--cluster <id>", "the cluster's id, needed with --url: nothing is signed for another cluster")
    .option("--identity <dir>", "folder of the key that signs (default: one of the development cluster's)")
    .option("--data <dir>", "folder of the development cluster", DEV_FOLDER);
}

/** Options of a command that reads. */
export interface ReadOptions extends ConnectionOptions {
  readonly linearizable?: boolean;
}

/** Adds the options that say which cluster, who asks, and how current the answer has to be. */
export function addReadOptions(command: Command): Command {
  return addConnectionOptions(command).option("--linearizable", "with everything acknowledged to anybody before; needs a quorum");
}

/** How current the answer has to be. */
export function consistencyOf({ linearizable }: ReadOptions): Consistency {
  return linearizable === true ? "linearizable" : "local";
}

/** Which cluster the options name. @throws {UsageError} when they name none, {QuorumgateError} DEV_COMMAND_FAILED */
export function resolveTarget(options: ConnectionOptions, output: Output): Target {
  if (options.url !== undefined) {
    if (options.cluster === undefined) throw new UsageError("--url needs --cluster ID: signatures name the cluster they are for");
    return { urls: options.url.map(checkUrl), cluster: readClusterId(options.cluster) };
  }
  const folder = options.data ?? DEV_FOLDER;
  const dev = readDevFolder(folder);
  if (dev === undefined) {
    throw new QuorumgateError(
      "DEV_COMMAND_FAILED",
      `there is no development cluster in ${folder}: name another with --data, or a cluster elsewhere with --url and --cluster`,
    );
  }
  if (options.cluster !== undefined && options.cluster !== dev.cluster) {
    throw new UsageError(
      `the development cluster in ${folder} has another id than --cluster says; for a cluster elsewhere give --url as well`,
    );
  }
  output.note(output.style.faint(`development cluster ${dev.cluster.slice(0, 8)} in ${folder}`));
  return { urls: dev.nodes.map(({ http }) => http), cluster: dev.cluster, dev };
}

/** The key that a command signs with: the one named, or, in a development cluster, the usual one. @throws {UsageError} */
export function loadIdentity(
  ed25519: Ed25519,
  options: { readonly identity?: string; readonly target: Target; readonly usual: string },
): ServiceKey {
  const { identity, target, usual } = options;
  if (identity !== undefined) return loadServiceKey(ed25519, identity);
  if (target.dev === undefined) throw new UsageError("--identity DIR is needed: outside a development cluster nobody's key is assumed");
  const folder = devPaths(target.dev.folder).identity(usual);
  if (!existsSync(join(folder, "identity.json")))
    throw new UsageError(`the development cluster has no key for ${usual}; give --identity DIR`);
  return loadServiceKey(ed25519, folder);
}

/** Connects as the identity of the options, runs the work, and closes the connection in any case. */
export async function withConnection<T>(
  options: ConnectionOptions,
  context: { readonly output: Output; readonly usual: string },
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const ed25519 = await loadSodium();
  const target = resolveTarget(options, context.output);
  const self = loadIdentity(ed25519, {
    ...(options.identity === undefined ? {} : { identity: options.identity }),
    target,
    usual: context.usual,
  });
  const reachable = { ...target, urls: await answeringFirst(target.urls) };
  const gateway = await connectAs(ed25519, { target: reachable, identities: [self] });
  try {
    return await work({ ...target, gateway, self, ed25519 });
  } finally {
    await gateway.stop();
  }
}

/** A gateway that signs for all of the identities, and reads as the first. */
export function connectAs(
  ed25519: Ed25519,
  options: { readonly target: Target; readonly identities: readonly [ServiceKey, ...ServiceKey[]]; readonly timeoutMs?: number },
): Promise<SecurityGateway> {
  const { target, identities, timeoutMs } = options;
  const signers = new Map<string, Signer>(identities.map((identity) => [identity.id, serviceSignerOf(ed25519, identity)]));
  const [reader] = identities;
  return SecurityGateway.connect({
    urls: target.urls,
    cluster: target.cluster,
    signers,
    access: { id: reader.id, signer: serviceSignerOf(ed25519, reader) },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

/** The same addresses with one in front that sees a quorum, or at least answers: nobody at a prompt waits for a node that is stopped or cut off. */
async function answeringFirst(urls: readonly string[]): Promise<readonly string[]> {
  const anyOf = (health: "ready" | "live"): Promise<string> => Promise.any(urls.map((url) => answersWell(url, health)));
  const first = await anyOf("ready").catch(() => anyOf("live").catch(() => undefined));
  return first === undefined ? urls : [first, ...urls.filter((url) => url !== first)];
}

/** Gives the address back when the node there says that it is well. Anything else, such as a certificate that only the gateway can judge, leaves the order as it is. */
function answersWell(url: string, health: "ready" | "live"): Promise<string> {
  return new Promise((settle, refuse) => {
    const call = request(`${url}/health/${health}`, { timeout: HEALTH_MS, agent: false }, (response) => {
      response.resume();
      if (response.statusCode === 200) settle(url);
      else refuse(new Error(`not ${health}`));
    });
    call.on("timeout", () => call.destroy(new Error("too slow")));
    call.on("error", refuse);
    call.end();
  });
}

function readClusterId(text: string): Hash {
  try {
    return parseHash(text);
  } catch {
    throw new UsageError("--cluster is the cluster's id: 64 lowercase hexadecimal digits, as `status` shows it");
  }
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new UsageError(`not an http or https address: ${text}`);
  return url.origin;
}
