import { randomBytes } from "node:crypto";
import {
  type EngineName,
  type Genesis,
  type KeyValueStore,
  type NodeId,
  parseGenesis,
  parseSubjectId,
  type SignedCommand,
  silentTelemetry,
  type Telemetry,
  type Transport,
} from "#base";
import { createVerifier, loadSodium, nodeHasher, type Signer, signCommand } from "#crypto";
import { systemTimers } from "#gateway";
import { type NodeIdentity, nodeSignerOf, serviceSignerOf } from "#identity";
import { type GuardAnchor, initializeGuard, Replica } from "#replica";
import { MemoryStore, memoryAnchor } from "#storage";
import { type MemoryNetwork, memoryNetwork } from "#transport";
import { developmentGenesis, developmentNodes } from "../development-cluster.ts";

/** What a node remembers. */
export interface Disk {
  readonly store: KeyValueStore;
  readonly anchor: GuardAnchor;
}

/** The disk of a new node. @param store another one than that of memory */
export async function newDisk(store: KeyValueStore = new MemoryStore()): Promise<Disk> {
  const anchor = memoryAnchor();
  await new Promise<void>((resolve) => initializeGuard({ store, anchor }, () => resolve()));
  return { store, anchor };
}

/** Whole replicas with real keys over links in memory, opened one by one. */
export class LiveCluster {
  readonly ids: readonly NodeId[];
  readonly network: MemoryNetwork = memoryNetwork();
  /** What nodes that start from now on tell of themselves. */
  telemetry: Telemetry = silentTelemetry;
  readonly #identities: readonly NodeIdentity[];
  readonly #genesisBytes: Uint8Array;
  readonly #operator: { readonly id: string; readonly signer: Signer };
  readonly #ed25519: Awaited<ReturnType<typeof loadSodium>>;
  #aheadUs = 0;

  private constructor(
    ed25519: Awaited<ReturnType<typeof loadSodium>>,
    made: { identities: readonly NodeIdentity[]; genesisBytes: Uint8Array; operator: { id: string; signer: Signer } },
  ) {
    this.#ed25519 = ed25519;
    this.#identities = made.identities;
    this.#genesisBytes = made.genesisBytes;
    this.#operator = made.operator;
    this.ids = made.identities.map(({ member }) => member.id);
  }

  static async make(options: {
    readonly engine: EngineName;
    readonly nodes: number;
    readonly checkpointInterval?: number;
  }): Promise<LiveCluster> {
    const { nodes, ...chosen } = options;
    const ed25519 = await loadSodium();
    const identities = developmentNodes(ed25519, nodes);
    const { bytes, operator } = developmentGenesis(ed25519, identities, chosen);
    return new LiveCluster(ed25519, {
      identities,
      genesisBytes: bytes,
      operator: { id: operator.id, signer: serviceSignerOf(ed25519, operator) },
    });
  }

  /** Starts the replica of node 1, 2, … over its disk. @param wrap puts something between it and its links */
  async start(node: number, disk: Disk, wrap: (links: Transport) => Transport = (links) => links): Promise<Replica> {
    const identity = this.#identities[node - 1] as NodeIdentity;
    const replica = await new Promise<Replica>((resolve, reject) =>
      Replica.open(
        {
          self: identity.member.id,
          genesisBytes: this.#genesisBytes,
          ...disk,
          transport: wrap(this.network.transportFor(identity.member.id)),
          clock: { nowUs: () => this.nowUs() },
          timers: systemTimers,
          entropy: { bytes: (length) => new Uint8Array(randomBytes(length)) },
          telemetry: this.telemetry,
          hasher: nodeHasher,
          signer: nodeSignerOf(this.#ed25519, identity),
          verifier: createVerifier(this.#ed25519, { telemetry: silentTelemetry }),
          blocksKept: 8,
        },
        (error, opened) => (opened === undefined ? reject(error ?? new Error("no replica")) : resolve(opened)),
      ),
    );
    await new Promise<void>((resolve) => replica.start(() => resolve()));
    return replica;
  }

  get genesis(): Genesis {
    return parseGenesis(this.#genesisBytes);
  }

  nowUs(): number {
    return Date.now() * 1_000 + this.#aheadUs;
  }

  /** Lets time pass for all, but not for their timers. */
  advance(ms: number): void {
    this.#aheadUs += ms * 1_000;
  }

  /** A command that the operator signed: it is ordered and refused. */
  command(replica: Replica): Promise<SignedCommand> {
    const issuedAtUs = this.nowUs();
    const times = { issuedAtUs, expiresAtUs: issuedAtUs + 60_000_000 };
    const { id: issuer, signer } = this.#operator;
    return signCommand(signer, {
      cluster: replica.cluster,
      kind: "service.revoke",
      issuer: parseSubjectId(issuer),
      ...times,
      body: { service: "nobody", reason: "test" },
    });
  }
}

/** Has a command ordered; gives how it was answered. */
export function submitted(replica: Replica, signed: SignedCommand): Promise<string> {
  return new Promise((resolve) => replica.submit(signed, 10_000, ({ kind }) => resolve(kind)));
}

export function stopped(replica: Replica): Promise<void> {
  return new Promise((resolve) => replica.stop(resolve));
}

/** Waits until something is so. */
export async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
}
