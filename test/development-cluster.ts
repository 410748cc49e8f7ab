import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clusterIdOf, type EngineName, type Hash, parseNodeId } from "#base";
import { type Ed25519, nodeHasher } from "#crypto";
import { initializeNodeData } from "#daemon";
import {
  assembleGenesis,
  createNodeIdentity,
  createServiceKey,
  type NodeIdentity,
  type NodeIdentityOptions,
  type ServiceKey,
  saveNodeIdentity,
} from "#identity";

/** A node of a development cluster, of weight 1 and at addresses where nobody listens, with what is given changed. */
export function developmentNode(ed25519: Ed25519, name: string, change: Partial<NodeIdentityOptions> = {}): NodeIdentity {
  return createNodeIdentity(ed25519, {
    nodeId: parseNodeId(name),
    trustDomain: "dev.local",
    weight: 1,
    peerAddress: "127.0.0.1:1",
    httpUrl: "http://127.0.0.1:2",
    nowMs: Date.now(),
    development: true,
    ...change,
  });
}

/** Puts a new node into a folder, as `node init` and an operator do: keys, genesis, empty data and the configuration. Gives its file. */
export async function writeNodeFolder(
  folder: string,
  node: NodeIdentity,
  genesis: DevelopmentGenesis,
  settings: object = {},
): Promise<string> {
  saveNodeIdentity(folder, node);
  writeFileSync(join(folder, "genesis.json"), genesis.bytes);
  mkdirSync(join(folder, "guard"));
  await initializeNodeData({ data: join(folder, "data"), anchor: join(folder, "guard", "anchor") });
  const paths = { genesis: "genesis.json", keys: ".", data: "data", anchor: "guard/anchor" };
  const listen = { peer: "127.0.0.1:0", http: "127.0.0.1:0" };
  const file = join(folder, "config.json");
  writeFileSync(
    file,
    JSON.stringify({ node: node.member.id, genesisHash: genesis.cluster, ...paths, listen, logLevel: "error", ...settings }),
  );
  return file;
}

/** The genesis of a development cluster, and whose keys it names. */
export interface DevelopmentGenesis {
  readonly bytes: Uint8Array;
  readonly cluster: Hash;
  readonly operator: ServiceKey;
  readonly auditor: ServiceKey;
  readonly issuer: ServiceKey;
}

/** What such a genesis may have beside its nodes. Times in milliseconds since 1970. */
export interface DevelopmentOptions {
  readonly engine?: EngineName;
  readonly checkpointInterval?: number;
  readonly nowMs?: number;
}

/** The nodes node-1 … node-n of a development cluster. @param change what is another for the node of that number */
export function developmentNodes(
  ed25519: Ed25519,
  count: number,
  change: (node: number) => Partial<NodeIdentityOptions> = () => ({}),
): readonly [NodeIdentity, ...NodeIdentity[]] {
  const others = Array.from({ length: count - 1 }, (_, index) => developmentNode(ed25519, `node-${index + 2}`, change(index + 2)));
  return [developmentNode(ed25519, "node-1", change(1)), ...others];
}

/** Begins a cluster of these nodes, with `operator-1`, `auditor-1` and `issuer-1`. */
export function developmentGenesis(
  ed25519: Ed25519,
  nodes: readonly NodeIdentity[],
  { nowMs = Date.now(), ...chosen }: DevelopmentOptions = {},
): DevelopmentGenesis {
  const keyOf = (id: string): ServiceKey => createServiceKey(ed25519, id);
  const [operator, auditor, issuer] = [keyOf("operator-1"), keyOf("auditor-1"), keyOf("issuer-1")];
  const bytes = assembleGenesis(ed25519, {
    environment: "development",
    trustDomain: "dev.local",
    ...chosen,
    nodeFiles: nodes.map(({ nodeFile }) => nodeFile),
    operators: [
      { id: operator.id, key: operator.publicKey, roles: ["operator"] },
      { id: auditor.id, key: auditor.publicKey, roles: ["auditor"] },
    ],
    issuers: [{ id: issuer.id, key: issuer.publicKey }],
    timeUs: nowMs * 1_000,
  });
  return { bytes, cluster: clusterIdOf(nodeHasher, bytes), operator, auditor, issuer };
}
