import { type Clock, type EngineName, type NodeId, type NodeSigner, silentTelemetry, type Telemetry, type TransportEvents } from "#base";
import { createVerifier, loadSodium, nodeHasher } from "#crypto";
import { systemTimers } from "#gateway";
import { nodeSignerOf, type ServiceKey } from "#identity";
import { decodeFrame, encodeFrame, type Frame, initializeGuard, Replica } from "#replica";
import { MemoryStore, memoryAnchor } from "#storage";
import { developmentGenesis, developmentNodes } from "../development-cluster.ts";

/** A replica alone with its links in the test's hands: frames go in by `hear`, and out into `said`. */
export interface Alone {
  readonly replica: Replica;
  readonly said: { readonly to: NodeId; readonly frame: Frame }[];
  readonly complaints: string[];
  /** Sums of all counters, by name and code. */
  readonly counts: Map<string, number>;
  readonly store: MemoryStore;
  readonly operator: ServiceKey;
  /** Why it halted. */
  readonly halted: string[];
  /** The four members in order, with their keys. */
  readonly members: readonly { readonly id: NodeId; readonly signer: NodeSigner }[];
  hear(from: NodeId, frame: Frame): void;
  passSeconds(seconds: number): void;
}

/** Started, with no link up. */
export async function replicaAlone(engine: EngineName = "pbft"): Promise<Alone> {
  const sodium = await loadSodium();
  let nowUs = 1_800_000_000_000_000;
  const nowMs = nowUs / 1_000;
  const identities = developmentNodes(sodium, 4, () => ({ nowMs }));
  const [identity] = identities;
  const genesis = developmentGenesis(sodium, identities, { nowMs, engine });
  const anchor = memoryAnchor();
  const store = new MemoryStore();
  await new Promise<void>((resolve) => initializeGuard({ store, anchor }, () => resolve()));
  const [said, complaints, halted]: [Alone["said"], string[], string[]] = [[], [], []];
  const counts: Alone["counts"] = new Map();
  const clock: Clock = { nowUs: () => nowUs };
  const telemetry: Telemetry = {
    ...silentTelemetry,
    count: (name, amount = 1, labels) => {
      const counted = `${name} ${labels?.["code"]}`;
      counts.set(counted, (counts.get(counted) ?? 0) + amount);
      if (name === "quorumgate_peer_invalid_total") complaints.push(`${labels?.["peer"]} ${labels?.["code"]}`);
    },
  };
  let events: TransportEvents | undefined;
  const replica = await new Promise<Replica>((resolve, reject) =>
    Replica.open(
      {
        self: identity.member.id,
        genesisBytes: genesis.bytes,
        hasher: nodeHasher,
        signer: nodeSignerOf(sodium, identity),
        verifier: createVerifier(sodium),
        store,
        anchor,
        transport: {
          start: (listener, done) => {
            events = listener;
            done();
          },
          send: (to, frame) => void said.push({ to, frame: decodeFrame(frame) }),
          setPeers: () => {},
          connectedPeers: () => [],
          stop: (done) => done(),
        },
        clock,
        timers: systemTimers,
        entropy: { bytes: (length) => new Uint8Array(length) },
        telemetry,
        events: { onHalted: (reason) => void halted.push(reason) },
      },
      (error, made) => (made === undefined ? reject(error ?? new Error("no replica")) : resolve(made)),
    ),
  );
  await new Promise<void>((resolve) => replica.start(() => resolve()));
  return {
    replica,
    said,
    complaints,
    counts,
    operator: genesis.operator,
    store,
    halted,
    members: identities.map((each) => ({ id: each.member.id, signer: nodeSignerOf(sodium, each) })),
    hear: (from, frame) => events?.onFrame(from, encodeFrame(frame)),
    passSeconds: (seconds) => {
      nowUs += seconds * 1_000_000;
    },
  };
}
