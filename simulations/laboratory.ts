import { type Hash, type Hasher, type Membership, type NodeId, parseGenesis, SeededRandom } from "#base";
import { ACTORS } from "./byzantine/actors.ts";
import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import type { Fault, Laboratory } from "./faults/fault.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { KeyMill, SimulatedKey } from "./keys.ts";
import type { Coverage } from "./marks.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Workload } from "./workload.ts";

/** Enough frames to fill any buffer that is not bounded, few enough to simulate. */
const SIMULATED_FLOOD = { framesMax: 600, perSecond: 0 };

/** What a run lends to its faults. */
export interface LaboratoryParts {
  readonly seed: number;
  readonly hasher: Hasher;
  readonly keys: KeyMill;
  readonly cluster: SimulatedCluster;
  readonly clusterId: Hash;
  /** Of genesis. */
  readonly membership: Membership;
  readonly scheduler: Scheduler;
  readonly workload: Workload;
  readonly frames: FrameReader;
  readonly spent: ReadonlySet<NodeId>;
  readonly coverage: Coverage;
  /** How often each kind took effect. */
  readonly hits: Map<string, number>;
}

/** What the faults of a run act upon. */
export function laboratoryOf(parts: LaboratoryParts): Laboratory {
  const { seed, cluster, workload, frames, scheduler, spent, coverage, hits } = parts;
  const { network, nodes } = cluster;
  const later = (delayMs: number, run: () => void): void => void scheduler.after(delayMs * 1_000, run);
  const at = (index: number): SimulatedNode => (nodes[index] ?? nodes[0]) as SimulatedNode;
  return {
    seed,
    cluster,
    network,
    clients: workload,
    frames,
    at,
    id: (index) => at(index).id,
    later,
    randomOf: (fault) => new SeededRandom(seed, JSON.stringify(fault)),
    down: (downMs, ids, kill) => {
      for (const id of ids) {
        kill(id);
        later(downMs, () => cluster.start(id));
      }
    },
    mendAfter: (forMs, mend) => later(forMs, mend),
    spent,
    mark: (name) => coverage.sometimes(name),
    hit: (kind) => void hits.set(kind, (hits.get(kind) ?? 0) + 1),
    corrupt: (kind, fault) => corrupt(parts, { kind, fault, node: at(fault.node ?? 0).id }),
  };
}

/** Makes a node lie, from the beginning. */
function corrupt(
  parts: LaboratoryParts,
  { kind, fault, node }: { readonly kind: string; readonly fault: Fault; readonly node: NodeId },
): void {
  const row = ACTORS.find((candidate) => candidate.kind === kind);
  if (row === undefined) return;
  const { seed, cluster, clusterId, membership, hasher, keys, frames, scheduler, workload, hits } = parts;
  const { network, nodes } = cluster;
  const mouth = row.actor({
    node,
    peers: nodes.map(({ id }) => id).filter((id) => id !== node),
    membership,
    trustDomain: parseGenesis(cluster.genesisBytes).trustDomain,
    cluster: clusterId,
    hasher,
    keys: { keyOf: (name) => (name === `${node}/gateway` ? reporting(workload, node, keys.keyOf(name)) : keys.keyOf(name)) },
    random: new SeededRandom(seed, JSON.stringify(fault)),
    frames,
    flood: SIMULATED_FLOOD,
    nowUs: () => scheduler.nowUs(),
    later: (delayMs, run) => void scheduler.after(delayMs * 1_000, run),
    send: (to, frame) => network.inject(node, to, frame),
    deviates: () => void hits.set(kind, 1),
  });
  network.addMouth(node, mouth);
}

/** A key whose commands are known to be a node's reports. */
function reporting(workload: Workload, node: NodeId, key: SimulatedKey): SimulatedKey {
  const sign = (message: Uint8Array): Uint8Array => {
    workload.noteReport(node, message);
    return key.sign(message);
  };
  return { publicKey: key.publicKey, sign };
}
