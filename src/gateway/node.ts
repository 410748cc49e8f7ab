import { rmSync } from "node:fs";
import {
  clusterIdOf,
  type Genesis,
  type Hash,
  type KeyRole,
  type KeyValueStore,
  type Member,
  type NodeId,
  type PublicKey,
  parseGenesis,
  QuorumgateError,
  type Telemetry,
  type Transport,
} from "#base";
import { createVerifier, type Ed25519, identifyPeer, type KeyPair, loadSodium, nodeHasher } from "#crypto";
import { findRenewedKey, loadNodeIdentity, type NodeIdentity, nodeSignerOf, settleRenewal } from "#identity";
import { type GuardAnchor, initializeGuard, Replica, type ReplicaEvents, type ReplicaTiming } from "#replica";
import { type FileAnchor, openFileAnchor, openLevelStore } from "#storage";
import { mtlsTransport, type PartitionableTransport, partitionable } from "#transport";
import { tellTermOf } from "./certificate-term.ts";
import { entropy, systemClock, systemTimers } from "./system-ports.ts";

/** What a node of a cluster is started with. */
export interface NodeOptions {
  readonly genesisBytes: Uint8Array;
  /** Pinned cluster id: another genesis is refused. */
  readonly genesisHash: Hash;
  readonly keysFolder: string;
  /** Whose keys these have to be; anybody's by default. */
  readonly node?: string;
  readonly dataFolder: string;
  readonly anchorFile: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Members of a later epoch than this node may know of. */
  readonly contacts?: readonly Member[];
  /** `host:port` by member, instead of the addresses in the membership. */
  readonly addresses?: Readonly<Record<string, string>>;
  readonly telemetry: Telemetry;
  readonly timing?: Partial<ReplicaTiming>;
  /** Blocks kept below the tip before they are pruned. */
  readonly blocksKept?: number;
  readonly events?: Partial<ReplicaEvents>;
  /** Stands between the replica and its links, to show what a lying node can do. Refused outside of development clusters. */
  readonly interpose?: Interposition;
}

/** Puts something between a replica and its links; it may use the node's own keys, and nobody else's. */
export type Interposition = (
  links: Transport,
  node: { readonly identity: NodeIdentity; readonly ed25519: Ed25519; readonly genesis: Genesis; readonly cluster: Hash },
) => Transport;

/** A running node. */
export interface RunningNode {
  readonly id: NodeId;
  readonly cluster: Hash;
  readonly genesis: Genesis;
  readonly replica: Replica;
  readonly transport: PartitionableTransport;
  stop(): Promise<void>;
}

/** Finds a key of a node by its role and public half. */
export type KeyFinder = (role: KeyRole, key: PublicKey) => KeyPair | undefined;

/** The ports that a replica needs beside its genesis and keys. */
export interface ReplicaPorts {
  readonly store: KeyValueStore;
  readonly anchor: GuardAnchor;
  readonly transport: Transport;
  readonly telemetry: Telemetry;
  readonly timing?: Partial<ReplicaTiming>;
  readonly blocksKept?: number;
  readonly contacts?: readonly Member[];
  readonly events?: Partial<ReplicaEvents>;
}

/**
 * Prepares the data folder of a NEW node. Called once, by what creates the node: a node whose folder is gone is started without it and rejoins by
 * the vote guard's rule.
 */
export async function initializeNodeData(paths: { readonly data: string; readonly anchor: string }, telemetry: Telemetry): Promise<void> {
  rmSync(paths.data, { recursive: true, force: true });
  const store = await openLevelStore(paths.data, telemetry);
  const anchor = openFileAnchor(paths.anchor);
  await new Promise<void>((resolve, reject) =>
    initializeGuard({ store, anchor }, (error) => (error === undefined ? resolve() : reject(error))),
  );
  anchor.close();
  await closeStore(store);
}

/** Starts a node: storage, links, replica, in this order. @throws {QuorumgateError} GENESIS_INVALID, STORAGE_*, IDENTITY_* */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { genesisBytes, telemetry } = options;
  const ed25519 = await loadSodium();
  const genesis = parseGenesis(genesisBytes);
  const cluster = clusterIdOf(nodeHasher, genesisBytes);
  if (cluster !== options.genesisHash) throw new QuorumgateError("GENESIS_INVALID", "the genesis file is not the one that this node pins");
  const identity = loadNodeIdentity(ed25519, options.keysFolder);
  if (options.node !== undefined && identity.member.id !== options.node) {
    throw new QuorumgateError("CONFIG_INVALID", `the keys are those of ${identity.member.id}, not of ${options.node}`);
  }
  refuseOffLoopback(genesis, options.listen.host);
  if (options.interpose !== undefined && genesis.environment !== "development") {
    throw new QuorumgateError("CONFIG_INVALID", "only a node of a development cluster may lie");
  }
  tellTermOf(identity, systemClock.nowUs() / 1_000, telemetry);
  const node = { identity, ed25519, genesis, genesisBytes, cluster };
  const store = await openLevelStore(options.dataFolder, telemetry);
  try {
    const anchor = openFileAnchor(options.anchorFile);
    try {
      return await startOver(node, options, { store, anchor });
    } catch (error) {
      anchor.close();
      throw error;
    }
  } catch (error) {
    // Whoever starts it again shall meet the same error, and not a folder in use.
    await closeStore(store);
    throw error;
  }
}

/** Links and replica over a node's open disk. */
async function startOver(
  node: {
    readonly identity: NodeIdentity;
    readonly ed25519: Ed25519;
    readonly genesis: Genesis;
    readonly genesisBytes: Uint8Array;
    readonly cluster: Hash;
  },
  options: NodeOptions,
  disk: { readonly store: KeyValueStore; readonly anchor: FileAnchor },
): Promise<RunningNode> {
  const { identity, ed25519, genesis, cluster } = node;
  const { telemetry } = options;
  const links = mtlsTransport({
    self: identity.member.id,
    cluster,
    membership: genesis.membership,
    trustDomain: genesis.trustDomain,
    identifyPeer,
    tls: tlsOf(identity),
    listen: options.listen,
    ...(options.addresses === undefined ? {} : { addresses: options.addresses }),
    telemetry,
    timers: systemTimers,
    entropy,
  });
  const transport = partitionable(links);
  const mouth = options.interpose?.(transport, { identity, ed25519, genesis, cluster }) ?? transport;
  const keyring = folderKeyring(ed25519, options.keysFolder, telemetry);
  const events = { ...options.events, onEpochSettled: keyring.settle };
  const replica = await openReplica({ ...node, findRenewed: keyring.find }, { ...options, ...disk, events, transport: mouth });
  await startReplica(replica);
  return {
    id: identity.member.id,
    cluster,
    genesis,
    replica,
    transport,
    stop: async () => {
      await new Promise<void>((resolve) => replica.stop(resolve));
      await closeStore(disk.store);
      disk.anchor.close();
    },
  };
}

/**
 * Renewed keys out of a node's folder. They may be put there while the node runs; once their epoch has begun they take the place of the old ones,
 * which are gone from the disk with that.
 */
function folderKeyring(
  ed25519: Ed25519,
  folder: string,
  telemetry: Telemetry,
): { readonly find: KeyFinder; readonly settle: ReplicaEvents["onEpochSettled"] } {
  const found = new Map<PublicKey, KeyPair>();
  return {
    find: (role, key) => {
      const pair = found.get(key) ?? findRenewedKey(ed25519, folder, { role, key });
      if (pair !== undefined) found.set(key, pair);
      return pair;
    },
    settle: (member) => {
      try {
        if (settleRenewal(ed25519, folder, member)) telemetry.log("info", "keys renewed", { node: member.id });
      } catch (error) {
        // The node goes on with the keys that it holds; the next start tries again.
        telemetry.log("error", "keys not put in place", { reason: error instanceof Error ? error.message : String(error) });
      }
    },
  };
}

/** Opens a replica over the given ports with a node's own keys. */
export function openReplica(
  node: {
    readonly identity: NodeIdentity;
    readonly ed25519: Ed25519;
    readonly genesisBytes: Uint8Array;
    /** Keys that took the place of the identity's. */
    readonly findRenewed?: KeyFinder;
  },
  ports: ReplicaPorts,
): Promise<Replica> {
  const { identity, ed25519, genesisBytes, findRenewed } = node;
  const { store, anchor, transport, telemetry, timing, blocksKept, contacts, events } = ports;
  return new Promise((resolve, reject) => {
    Replica.open(
      {
        self: identity.member.id,
        genesisBytes,
        hasher: nodeHasher,
        signer: nodeSignerOf(ed25519, identity, findRenewed),
        verifier: createVerifier(ed25519, { telemetry }),
        store,
        anchor,
        transport,
        clock: systemClock,
        timers: systemTimers,
        entropy,
        telemetry,
        ...(timing === undefined ? {} : { timing }),
        ...(blocksKept === undefined ? {} : { blocksKept }),
        ...(contacts === undefined ? {} : { contacts }),
        ...(events === undefined ? {} : { events }),
      },
      (error, replica) => (replica === undefined ? reject(error ?? new Error("no replica")) : resolve(replica)),
    );
  });
}

/** Starts a replica's links and its part in the cluster. */
export function startReplica(replica: Replica): Promise<void> {
  return new Promise((resolve, reject) => replica.start((error) => (error === undefined ? resolve() : reject(error))));
}

function closeStore(store: KeyValueStore): Promise<void> {
  return new Promise((resolve, reject) => store.close((error) => (error === undefined ? resolve() : reject(error))));
}

function tlsOf({ tls, authority }: NodeIdentity): { key: string; certificate: string } {
  return { key: tls.privateKeyPem, certificate: tls.certificatePem + authority.certificatePem };
}

/** Development clusters have keys that were made on one machine: they are not to be reached from another. */
function refuseOffLoopback(genesis: Genesis, host: string): void {
  const isLoopback = host === "127.0.0.1" || host === "::1" || host === "localhost";
  if (genesis.environment === "development" && !isLoopback) {
    throw new QuorumgateError("CONFIG_INVALID", "a node of a development cluster listens on loopback only");
  }
}
