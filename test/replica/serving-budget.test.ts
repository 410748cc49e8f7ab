import { expect } from "chai";
import { type Clock, LIMITS, type NodeId, parseNodeId, silentTelemetry, type Telemetry, type TransportEvents } from "#base";
import { createVerifier, loadSodium, nodeHasher } from "#crypto";
import { systemTimers } from "#gateway";
import { assembleGenesis, createNodeIdentity, createServiceKey, nodeSignerOf } from "#identity";
import { decodeFrame, encodeFrame, type Frame, type GuardAnchor, initializeGuard, Replica } from "#replica";
import { MemoryStore } from "#storage";

const ASKED = 1_000;
const ANSWERS_AT_ONCE = LIMITS.peerServedBytesMax / LIMITS.peerServedAnswerBytesMin;
const [ASKER, OTHER] = ["node-2", "node-3"].map(parseNodeId) as [NodeId, NodeId];

/** A replica alone with its links in the test's hands: frames go in by `hear`, and out into `said`. */
interface Alone {
  readonly replica: Replica;
  readonly said: { readonly to: NodeId; readonly frame: Frame }[];
  readonly complaints: string[];
  hear(from: NodeId, frame: Frame): void;
  passSeconds(seconds: number): void;
}

async function replicaAlone(): Promise<Alone> {
  const sodium = await loadSodium();
  let nowUs = 1_800_000_000_000_000;
  const identities = [1, 2, 3, 4].map((node) =>
    createNodeIdentity(sodium, {
      nodeId: parseNodeId(`node-${node}`),
      trustDomain: "dev.local",
      weight: 1,
      peerAddress: `127.0.0.1:${node}`,
      httpUrl: `http://127.0.0.1:${node}`,
      nowMs: nowUs / 1_000,
      development: true,
    }),
  );
  const [operator, issuer] = [createServiceKey(sodium, "operator-1"), createServiceKey(sodium, "issuer-1")];
  const genesisBytes = assembleGenesis(sodium, {
    environment: "development",
    trustDomain: "dev.local",
    nodeFiles: identities.map(({ nodeFile }) => nodeFile),
    operators: [{ id: operator.id, key: operator.publicKey, roles: ["operator"] }],
    issuers: [{ id: issuer.id, key: issuer.publicKey }],
    timeUs: nowUs,
  });
  const [identity] = identities;
  if (identity === undefined) throw new Error("no identity");
  let kept: Uint8Array | undefined;
  const anchor: GuardAnchor = {
    read: () => kept,
    write: (next, done) => {
      kept = next;
      setImmediate(done);
    },
  };
  const store = new MemoryStore();
  await new Promise<void>((resolve) => initializeGuard({ store, anchor }, () => resolve()));
  const [said, complaints]: [Alone["said"], string[]] = [[], []];
  const clock: Clock = { nowUs: () => nowUs };
  const telemetry: Telemetry = {
    ...silentTelemetry,
    count: (name, _amount, labels) =>
      void (name === "quorumgate_peer_invalid_total" && complaints.push(`${labels?.["peer"]} ${labels?.["code"]}`)),
  };
  let events: TransportEvents | undefined;
  const replica = await new Promise<Replica>((resolve, reject) =>
    Replica.open(
      {
        self: identity.member.id,
        genesisBytes,
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
      },
      (error, made) => (made === undefined ? reject(error ?? new Error("no replica")) : resolve(made)),
    ),
  );
  await new Promise<void>((resolve) => replica.start(() => resolve()));
  return {
    replica,
    said,
    complaints,
    hear: (from, frame) => events?.onFrame(from, encodeFrame(frame)),
    passSeconds: (seconds) => {
      nowUs += seconds * 1_000_000;
    },
  };
}

describe("a peer that asks for everything", () => {
  let node: Alone;
  const answers = (kind: Frame["kind"], to: NodeId): number =>
    node.said.filter((item) => item.frame.kind === kind && item.to === to).length;

  beforeEach(async () => {
    node = await replicaAlone();
  });
  afterEach(() => new Promise<void>((resolve) => node.replica.stop(resolve)));

  const questions: readonly Frame[] = [
    { kind: "sync-request", fromHeight: 1 },
    { kind: "probe", nonce: new Uint8Array(32) },
    { kind: "handover-request", epoch: 1 },
  ];
  for (const question of questions) {
    it(`gets no more than its share of answers to ${question.kind}, and the rest is counted against it`, () => {
      const answer = ({ "sync-request": "sync-response", probe: "probe-reply", "handover-request": "handover" } as const)[
        question.kind as "sync-request" | "probe" | "handover-request"
      ];
      for (let asked = 0; asked < ASKED; asked++) node.hear(ASKER, question);
      expect(answers(answer, ASKER)).to.be.within(1, ANSWERS_AT_ONCE);
      expect(node.complaints.filter((complaint) => complaint === `${ASKER} REQUEST_RATE_LIMITED`).length).to.be.at.least(
        ASKED - ANSWERS_AT_ONCE,
      );
      node.hear(OTHER, question);
      expect(answers(answer, OTHER), "of another peer").to.equal(1);
      const before = answers(answer, ASKER);
      node.passSeconds(1);
      node.hear(ASKER, question);
      expect(answers(answer, ASKER), "a second later").to.equal(before + 1);
    });
  }
});
