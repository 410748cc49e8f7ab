import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  clusterIdOf,
  type Genesis,
  hashLeaf,
  merkleRoot,
  type NodeId,
  parseGenesis,
  parseNodeId,
  silentTelemetry,
  type Transport,
  toHash,
  type WriteOperation,
  ZERO_HASH,
} from "#base";
import { type CommitCertificate, createCore, decodeMessage, encodeMessage, type Proposal, type ProposalDraft, VoteGuard } from "#consensus";
import { createVerifier, type Ed25519, loadSodium, nodeHasher } from "#crypto";
import { systemClock, systemTimers } from "#gateway";
import { assembleGenesis, createNodeIdentity, type NodeIdentity, nodeSignerOf } from "#identity";
import { CoreDriver, guardOwner, type ProposalSlot, readGuardCount, WriteAhead } from "#replica";
import { openFileAnchor, openLevelStore } from "#storage";
import { type MemoryNetwork, memoryNetwork } from "#transport";
import type { BenchOptions } from "./bench-cluster.ts";
import { type BenchResult, percentile } from "./measure.ts";

const COMMANDS_IN_BLOCK = 500;
const COMMAND_BYTES = 256;
const TRUST_DOMAIN = "dev.bench";

/** What all replicas of one measurement share. */
interface Bench {
  readonly folder: string;
  readonly ed25519: Ed25519;
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly network: MemoryNetwork;
  /** Commands that are proposed again and again: nobody looks into them. */
  readonly batch: readonly Uint8Array[];
}

interface BenchReplica {
  readonly decided: () => number;
  readonly stop: () => Promise<void>;
}

/**
 * The consensus path alone, in one process: PBFT cores with their drivers, write-ahead logs, vote guards, anchors and stores on disk, real
 * signatures, and links in memory. Commands are opaque: no signature, state or log of theirs is looked at.
 */
export async function consensusSuite(options: BenchOptions): Promise<BenchResult[]> {
  options.note(`consensus: ${options.runs} runs of ${options.seconds} s`);
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-bench-"));
  try {
    const { bench, identities } = await prepare(folder, options.nodes);
    const replicas = await Promise.all(identities.map((identity) => startReplica(bench, identity)));
    const decided = (): number => Math.min(...replicas.map((replica) => replica.decided()));
    const runs: number[] = [];
    await pause(1_000);
    for (let run = 0; run < options.runs; run++) {
      const [before, started] = [decided(), performance.now()];
      await pause(options.seconds * 1_000);
      runs.push(Math.round(((decided() - before) * COMMANDS_IN_BLOCK * 1_000) / (performance.now() - started)));
    }
    await Promise.all(replicas.map((replica) => replica.stop()));
    const parameters = { nodes: options.nodes, processes: 1, commandsInBlock: COMMANDS_IN_BLOCK, commandBytes: COMMAND_BYTES };
    return [{ name: "consensus", parameters, unit: "commands/s", median: percentile(runs, 0.5), runs }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function prepare(folder: string, nodes: number): Promise<{ bench: Bench; identities: readonly NodeIdentity[] }> {
  const ed25519 = await loadSodium();
  const nowMs = Date.now();
  const identities = Array.from({ length: nodes }, (_, index) =>
    createNodeIdentity(ed25519, {
      nodeId: parseNodeId(`node-${index + 1}`),
      trustDomain: TRUST_DOMAIN,
      weight: 1,
      peerAddress: `127.0.0.1:${7_501 + index}`,
      httpUrl: `http://127.0.0.1:${7_401 + index}`,
      nowMs,
      development: true,
    }),
  );
  const genesisBytes = assembleGenesis(ed25519, {
    environment: "development",
    trustDomain: TRUST_DOMAIN,
    nodeFiles: identities.map((identity) => identity.nodeFile),
    operators: [],
    issuers: [],
    timeUs: nowMs * 1_000,
  });
  const batch = Array.from({ length: COMMANDS_IN_BLOCK }, (_, index) => new Uint8Array(COMMAND_BYTES).fill(index));
  const genesis = parseGenesis(genesisBytes);
  return { bench: { folder, ed25519, genesis, genesisBytes, network: memoryNetwork(), batch }, identities };
}

async function startReplica(bench: Bench, identity: NodeIdentity): Promise<BenchReplica> {
  const { ed25519, genesis, genesisBytes } = bench;
  const { membership, timeUs } = genesis;
  const self = identity.member.id;
  const store = await openLevelStore(join(bench.folder, self), silentTelemetry);
  const anchor = openFileAnchor(join(bench.folder, `${self}.anchor`));
  const transport = bench.network.transportFor(self);
  const cluster = clusterIdOf(nodeHasher, genesisBytes);
  const owner = guardOwner(nodeHasher, { cluster, self });
  const writeAhead = new WriteAhead({ store, anchor, count: readGuardCount({ store, anchor }, owner), onFailure: fail, onFault: fail });
  const tip = { height: 0, digest: ZERO_HASH, timeUs, view: 0 };
  const common = { cluster, self, membership, protocol: 1, window: genesis.window, hasher: nodeHasher, tip, seed: 1 };
  const core = createCore("pbft", { ...common, restored: { records: [], guard: [] } });
  const others = membership.members.map(({ id }) => id).filter((id) => id !== self);
  const broadcast = (frame: Uint8Array): void => {
    for (const peer of others) transport.send(peer, frame);
  };
  let decided = 0;
  const decide = (operations: readonly WriteOperation[], height: number): void =>
    writeAhead.append([...operations, ...driver.expired(height)], () => {
      decided = height;
      driver.step({ type: "applied", height });
    });
  const driver: CoreDriver = new CoreDriver(
    core,
    {
      writeAhead,
      signer: nodeSignerOf(ed25519, identity),
      verifier: createVerifier(ed25519),
      timers: systemTimers,
      guard: new VoteGuard(),
      send: (to, message) => transport.send(to, encodeMessage(message)),
      broadcast: (message) => broadcast(encodeMessage(message)),
      validate: (proposal, _check, done) => done(toHash(rootOf(proposal.batch)) === proposal.header.commandsRoot),
      wantProposal: (slot) => systemTimers.after(0, () => driver.step({ type: "propose", draft: draft(bench, slot) })),
      decide: (proposal, certificate) => decide([blockOperation(proposal, certificate)], proposal.header.height),
      sendBlock: fail,
      requestSync: () => undefined,
      evidence: fail,
      readAt: fail,
      halt: fail,
    },
    [],
  );
  await begin(driver, transport);
  const stop = async (): Promise<void> => {
    driver.stop();
    await new Promise<void>((resolve) => transport.stop(resolve));
    await new Promise<void>((resolve) => store.close(() => resolve()));
    anchor.close();
  };
  return { decided: () => decided, stop };
}

async function begin(driver: CoreDriver, transport: Transport): Promise<void> {
  await new Promise<void>((resolve) =>
    transport.start(
      {
        onFrame: (from: NodeId, frame) => driver.step({ type: "message", from, message: decodeMessage(frame) }),
        onPeerUp: () => undefined,
        onPeerDown: () => undefined,
      },
      () => resolve(),
    ),
  );
  for (const input of [{ type: "start" }, { type: "participate", above: 0 }, { type: "pending", pending: true }] as const)
    driver.step(input);
}

function draft({ batch }: Bench, slot: ProposalSlot): ProposalDraft {
  return {
    height: slot.height,
    view: slot.view,
    timeUs: Math.max(slot.timeAfterUs + 1, systemClock.nowUs()),
    commandsRoot: toHash(rootOf(batch)),
    certified: { height: slot.height - 1, size: slot.height - 1, root: ZERO_HASH },
    certifiedProof: new Uint8Array(0),
    batch,
  };
}

function blockOperation(proposal: Proposal, certificate: CommitCertificate): WriteOperation {
  const { headerBytes, batch, header } = proposal;
  return { key: `b/${header.height}`, value: encodeMessage({ type: "block", headerBytes, batch, certificate }) };
}

function rootOf(batch: readonly Uint8Array[]): Uint8Array {
  return merkleRoot(
    nodeHasher,
    batch.map((command) => hashLeaf(nodeHasher, command)),
  );
}

/** Nothing of this happens while all replicas run; a measurement in which it does means nothing. */
function fail(cause: unknown): never {
  throw new Error(`the measurement failed: ${String(cause)}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
