import {
  clusterIdOf,
  type EngineName,
  type Hash,
  type Member,
  parseGenesis,
  parseNodeId,
  QuorumgateError,
  silentTelemetry,
  toBase64Url,
} from "#base";
import { type Ed25519, loadSodium, nodeHasher, type Signer } from "#crypto";
import {
  assembleGenesis,
  createNodeIdentity,
  createServiceKey,
  type NodeIdentity,
  renewNodeIdentity,
  type ServiceKey,
  serviceSignerOf,
} from "#identity";
import { initializeGuard } from "#replica";
import { MemoryStore, memoryAnchor } from "#storage";
import { type MemoryNetwork, memoryNetwork } from "#transport";
import { LocalBackend } from "./local-backend.ts";
import { type KeyFinder, openReplica, startReplica } from "./node.ts";
import { forwardEvents, SecurityGateway } from "./security-gateway.ts";

/** A whole cluster inside one process, for tests and examples. Nothing of it outlives the process. */
export interface DevCluster {
  readonly cluster: Hash;
  /** Signs what operators do, as `operator-1`. */
  readonly operator: Signer;
  /** Attests services, as `issuer-1`. */
  readonly issuer: { readonly id: string; readonly signer: Signer };
  /** Signers by id; add those of services here before they ask. */
  readonly signers: Map<string, Signer>;
  /** The gateway of node 1, 2, … */
  gateway(node: number): SecurityGateway;
  /**
   * Starts one more node, which the cluster lets in once its node file is admitted as a learner's. Its number is the next one.
   * @param options.contacts members of a later epoch, where none of genesis is left
   */
  addNode(options?: { readonly contacts?: readonly Member[] }): Promise<{ readonly node: number; readonly nodeFile: Uint8Array }>;
  /** Makes new L and W keys for a node, as `node renew` does; it signs with them once a change of members has named them. Gives its new node file. */
  renew(node: number): Uint8Array;
  /** Cuts the links between these nodes and the others. */
  partition(nodes: readonly number[]): void;
  heal(): void;
  stop(): Promise<void>;
}

const TRUST_DOMAIN = "dev.local";

/** Makes and starts a cluster of nodes over in-memory links and stores; it decides when this resolves. */
export async function createDevCluster(options: { readonly nodes?: number; readonly engine?: EngineName } = {}): Promise<DevCluster> {
  const founded = await found({ nodes: 4, engine: "pbft", ...options });
  const { ed25519, nowMs, identities, genesisBytes, operator, issuer } = founded;
  const network = memoryNetwork();
  const renewals = new Map<string, NodeIdentity>();
  const signers = new Map<string, Signer>([[operator.id, serviceSignerOf(ed25519, operator)]]);
  const start = (identity: NodeIdentity, contacts?: readonly Member[]): Promise<SecurityGateway> =>
    startNode(founded, { identity, network, renewals, signers, ...(contacts === undefined ? {} : { contacts }) });
  const gateways = await Promise.all(identities.map((identity) => start(identity)));
  return {
    cluster: clusterIdOf(nodeHasher, genesisBytes),
    operator: serviceSignerOf(ed25519, operator),
    issuer: { id: issuer.id, signer: serviceSignerOf(ed25519, issuer) },
    signers,
    gateway: (node) => {
      const gateway = gateways[node - 1];
      if (gateway === undefined) throw new QuorumgateError("CONFIG_INVALID", `the cluster has nodes 1 to ${gateways.length}`);
      return gateway;
    },
    renew: (node) => {
      const identity = identities[node - 1];
      if (identity === undefined) throw new QuorumgateError("CONFIG_INVALID", `the cluster began with nodes 1 to ${identities.length}`);
      const renewed = renewNodeIdentity(ed25519, identity, { nowMs });
      renewals.set(identity.member.id, renewed);
      return renewed.nodeFile;
    },
    addNode: async ({ contacts } = {}) => {
      const node = gateways.length + 1;
      const identity = createIdentity(ed25519, node, nowMs);
      gateways.push(await start(identity, contacts));
      return { node, nodeFile: identity.nodeFile };
    },
    partition: (side) => network.partition(side.map((node) => parseNodeId(`node-${node}`))),
    heal: () => network.heal(),
    stop: async () => {
      await Promise.all(gateways.map((gateway) => gateway.stop()));
    },
  };
}

/** What a cluster begins with. */
interface Founded {
  readonly ed25519: Ed25519;
  readonly nowMs: number;
  readonly identities: readonly NodeIdentity[];
  readonly operator: ServiceKey;
  readonly issuer: ServiceKey;
  readonly genesisBytes: Uint8Array;
}

async function found({ nodes, engine }: { readonly nodes: number; readonly engine: EngineName }): Promise<Founded> {
  const ed25519 = await loadSodium();
  const nowMs = Date.now();
  const identities = Array.from({ length: nodes }, (_, index) => createIdentity(ed25519, index + 1, nowMs));
  const operator = createServiceKey(ed25519, "operator-1");
  const issuer = createServiceKey(ed25519, "issuer-1");
  const genesisBytes = assembleGenesis(ed25519, {
    environment: "development",
    trustDomain: TRUST_DOMAIN,
    engine,
    nodeFiles: identities.map((identity) => identity.nodeFile),
    operators: [{ id: operator.id, key: operator.publicKey, roles: ["operator"] }],
    issuers: [{ id: issuer.id, key: issuer.publicKey }],
    timeUs: nowMs * 1_000,
  });
  return { ed25519, nowMs, identities, operator, issuer, genesisBytes };
}

/** The addresses are names only: links are in memory. */
function createIdentity(ed25519: Ed25519, number: number, nowMs: number): NodeIdentity {
  return createNodeIdentity(ed25519, {
    nodeId: parseNodeId(`node-${number}`),
    trustDomain: TRUST_DOMAIN,
    weight: 1,
    peerAddress: `127.0.0.1:${7_500 + number}`,
    httpUrl: `http://127.0.0.1:${7_400 + number}`,
    nowMs,
    development: true,
  });
}

async function startNode(
  { ed25519, genesisBytes }: Founded,
  node: {
    readonly identity: NodeIdentity;
    readonly network: MemoryNetwork;
    readonly renewals: ReadonlyMap<string, NodeIdentity>;
    readonly signers: ReadonlyMap<string, Signer>;
    readonly contacts?: readonly Member[];
  },
): Promise<SecurityGateway> {
  const { identity, network, renewals, signers, contacts } = node;
  const { id } = identity.member;
  const store = new MemoryStore();
  const anchor = memoryAnchor();
  await new Promise<void>((resolve) => initializeGuard({ store, anchor }, () => resolve()));
  const relay: { gateway?: SecurityGateway } = {};
  const ports = {
    store,
    anchor,
    transport: network.transportFor(id),
    telemetry: silentTelemetry,
    events: forwardEvents(relay),
    ...(contacts === undefined ? {} : { contacts }),
  };
  const replica = await openReplica({ identity, ed25519, genesisBytes, findRenewed: keysIn(renewals, id) }, ports);
  await startReplica(replica);
  const stop = (): Promise<void> => new Promise((resolve) => replica.stop(resolve));
  relay.gateway = SecurityGateway.over(new LocalBackend({ replica, genesis: parseGenesis(genesisBytes) }), { signers, stop });
  return relay.gateway;
}

function keysIn(renewals: ReadonlyMap<string, NodeIdentity>, node: string): KeyFinder {
  return (role, key) => {
    const pair = renewals.get(node)?.keys[role];
    return pair !== undefined && toBase64Url(pair.publicKey) === key ? pair : undefined;
  };
}
