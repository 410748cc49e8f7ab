import { expect } from "chai";
import { encodeEntry } from "#audit";
import { LIMITS, silentTelemetry, ZERO_HASH } from "#base";
import type { Input } from "#consensus";
import { nodeHasher } from "#crypto";
import { Epochs, type Frame, Supply } from "#replica";
import { StateSnapshot } from "#state";
import { MEMBERSHIP, NODES } from "./four-members.ts";

const [SELF, PEER] = NODES;
const HEIGHT = 128;

type Options = ConstructorParameters<typeof Supply>[0];
type Parts = ConstructorParameters<typeof Supply>[1];
type EpochHandlers = ConstructorParameters<typeof Epochs>[2];

/** The entry that a certified log has of a state. */
function sealOf({ root }: StateSnapshot): Uint8Array {
  const draft = { kind: "block.sealed", provenance: "cluster", actor: "cluster", subject: "block", reason: "OK", delegation: [] } as const;
  const block = { height: HEIGHT, timeUs: 1_800_000_000_000_000, proposer: PEER, digest: ZERO_HASH, originView: 0, algorithm: "pbft" };
  return encodeEntry({ ...draft, content: { stateRoot: root } }, block, { seq: 0, previousHash: ZERO_HASH });
}

/** A supply over a state of so many keys, with what it says and what it charges for it. */
function supplyOf(keys: number, valueBytes: number): { readonly supply: Supply; readonly said: Frame[]; readonly charged: number[] } {
  const [said, charged]: [Frame[], number[]] = [[], []];
  const block = new Uint8Array(8);
  const options = {
    hasher: nodeHasher,
    clock: { nowUs: () => 1 },
    telemetry: silentTelemetry,
    store: { get: () => block },
  };
  const items = Array.from({ length: keys }, (_, at) => ({ key: `key/${at}`, value: new Uint8Array(valueBytes) }));
  const snapshot = new StateSnapshot(nodeHasher, items);
  const parts = {
    ledger: {
      stable: { stableAt: () => ({ height: HEIGHT, seq: 0 }), snapshot: () => snapshot },
      log: { locate: () => ({ shard: "2026h2", index: 0 }), entry: () => sealOf(snapshot) },
    },
    certifier: { certifiedHeight: HEIGHT, certified: undefined },
    serving: { spend: (_peer: unknown, bytes: number) => charged.push(bytes) },
    peers: { send: (_to: unknown, frame: Frame) => said.push(frame) },
  };
  const supply = new Supply(options as unknown as Options, parts as unknown as Parts);
  supply.offerFor(PEER, 1);
  return { supply, said, charged };
}

describe("giving out a state", () => {
  it("charges a peer for what a part takes, not for the few bytes that asked for it", () => {
    const { supply, said, charged } = supplyOf(50, 10_000);
    supply.onStateRequest(PEER, { height: HEIGHT, path: new Uint8Array(0) });
    expect(said).to.have.length(1);
    expect(charged.reduce((sum, bytes) => sum + bytes, 0)).to.be.within(500_000, LIMITS.statePartBytesMax);
  });
});

describe("a core that takes another one's place in the same epoch", () => {
  it("hears of the epoch's end, which the one before knew already", () => {
    const steps: Input[] = [];
    const change = { lastHeight: 9, next: { ...MEMBERSHIP, epoch: 1 } };
    const state = {
      pendingChange: () => change,
      learners: () => [],
      epochFirstHeight: () => 1,
      membershipAt: () => MEMBERSHIP,
    };
    const parts = {
      ledger: { state, membership: MEMBERSHIP },
      driver: { step: (input: Input) => steps.push(input) },
      certifier: { certifiedHeight: 5 },
      peers: { setOthers: () => undefined },
    };
    const options = { self: SELF, transport: { setPeers: () => undefined }, telemetry: silentTelemetry };
    const handlers = { participation: { isParticipating: true }, proposer: { onWork: () => undefined } };
    const epochs = new Epochs(options as unknown as Options, parts as unknown as Parts, handlers as unknown as EpochHandlers);
    epochs.begin();
    epochs.begin();
    const told = steps.filter(({ type }) => type === "last-height");
    expect(told).to.deep.equal([1, 2].map(() => ({ type: "last-height", height: 9, next: change.next })));
  });
});
