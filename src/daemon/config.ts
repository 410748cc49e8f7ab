import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { QuorumgateError } from "#base";

const address = z.string().regex(/^(?:\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, "must be host:port");
const path = z.string().min(1).max(1_024);

/** The configuration of a node, as JSON. Unknown keys are errors. Paths are relative to the file. */
const CONFIG = z.strictObject({
  node: z.string().max(63),
  genesis: path,
  /** Pinned cluster id: SHA-256 of the genesis bytes. */
  genesisHash: z.string().regex(/^[0-9a-f]{64}$/, "must be the cluster id, 64 hexadecimal characters"),
  /** Folder of keys and node.json, as `node init` made it. */
  keys: path,
  data: path,
  /** The vote guard's anchor: a file outside `data` that is not restored along with it. */
  anchor: path,
  listen: z.strictObject({ peer: address, http: address }),
  /** host:port by member, instead of the addresses in the membership. */
  peers: z.record(z.string(), address).optional(),
  /** A file that `member list --json` wrote: members to link to where none is left of those whom this node knows. */
  contacts: path.optional(),
  /** Requests that one address may send in a second; 10,000 when absent. */
  requestsPerSecond: z.int().min(1).max(1_000_000).optional(),
  /** Refusals that one address may meet in a second before its requests wait; 10 when absent. Behind a proxy all clients have one address. */
  refusalsPerSecond: z.int().min(1).max(1_000_000).optional(),
  /** Within what time all of a request has to be here, milliseconds; 15,000 when absent. */
  requestTimeoutMs: z.int().min(100).max(600_000).optional(),
  /** Blocks kept below the newest before they are pruned; 16,384 when absent. The audit log is kept whole. */
  blocksKept: z.int().min(0).max(1_000_000_000).optional(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  /** Development clusters only. */
  controlSocket: path.optional(),
});

/** A node's configuration; paths are absolute here. */
export interface NodeConfig {
  readonly node: string;
  readonly genesis: string;
  readonly genesisHash: string;
  readonly keys: string;
  readonly data: string;
  readonly anchor: string;
  readonly listen: { readonly peer: string; readonly http: string };
  readonly peers?: Readonly<Record<string, string>> | undefined;
  readonly contacts?: string | undefined;
  readonly requestsPerSecond?: number | undefined;
  readonly refusalsPerSecond?: number | undefined;
  readonly requestTimeoutMs?: number | undefined;
  readonly blocksKept?: number | undefined;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly controlSocket?: string | undefined;
}

/** Reads and checks a configuration file. @throws {QuorumgateError} CONFIG_INVALID */
export function readConfig(file: string): NodeConfig {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new QuorumgateError("CONFIG_INVALID", `the configuration file cannot be read as JSON: ${file}`, { cause });
  }
  const parsed = CONFIG.safeParse(value);
  if (!parsed.success) throw new QuorumgateError("CONFIG_INVALID", `${file}: ${describeIssues(parsed.error)}`);
  const at = (relative: string): string => resolve(dirname(file), relative);
  const { data } = parsed;
  if (at(data.anchor).startsWith(`${at(data.data)}/`)) {
    throw new QuorumgateError("CONFIG_INVALID", "the anchor stands outside the data folder, or it would be restored along with it");
  }
  return {
    ...data,
    genesis: at(data.genesis),
    keys: at(data.keys),
    data: at(data.data),
    anchor: at(data.anchor),
    ...(data.contacts === undefined ? {} : { contacts: at(data.contacts) }),
    ...(data.controlSocket === undefined ? {} : { controlSocket: at(data.controlSocket) }),
  };
}

function describeIssues({ issues }: z.ZodError): string {
  return issues.map(({ path: keys, message }) => [...(keys.length === 0 ? [] : [keys.join(".")]), message].join(" ")).join("; ");
}

/** `host:port` in its parts. */
export function splitAddress(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}
