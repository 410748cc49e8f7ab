import {
  encodeGenesis,
  encodeHeader,
  encodeSignedCommand,
  type Genesis,
  hashLeaf,
  headerDigest,
  merkleRoot,
  type NodeId,
  parseNodeId,
  type SignatureClaim,
  type SignedCommand,
  silentTelemetry,
  type Timers,
  toHash,
} from "#base";
import { encodeCosignatures, type Frame, Ledger, Supply, Transfer } from "#replica";
import { MemoryStore } from "#storage";
import { hasher, LedgerKit, makeGenesis } from "../state/ledger-kit.ts";

export const PEERS: readonly [NodeId, NodeId, NodeId] = [parseNodeId("node-1"), parseNodeId("node-2"), parseNodeId("node-3")];
export const SYNC_TIMEOUT_MS = 1_000;
const INTERVAL = 4;
const SIGNATURE = new Uint8Array(64);

type SupplyOptions = ConstructorParameters<typeof Supply>[0];
type SupplyParts = ConstructorParameters<typeof Supply>[1];

async function opened(genesis: Genesis, store: MemoryStore): Promise<Ledger> {
  return new Promise((resolve, reject) =>
    Ledger.load({ genesisBytes: encodeGenesis(genesis), hasher, store }, (error, ledger) =>
      ledger === undefined ? reject(error ?? new Error("no ledger")) : resolve(ledger),
    ),
  );
}

/** A node with a ledger of its own, every height of it certified; signatures are looked at by nobody. */
export class Source {
  readonly kit: LedgerKit;
  readonly ledger: Ledger;
  readonly store: MemoryStore;
  readonly supply: Supply;
  /** Snapshots that it made. */
  snapshots = 0;
  nowUs = 1;
  /** How long a snapshot takes. */
  snapshotUs = 0;
  #said: Frame[] = [];

  static async open(): Promise<Source> {
    const genesis = { ...makeGenesis(), checkpointInterval: INTERVAL };
    const store = new MemoryStore();
    return new Source(new LedgerKit("pbft", genesis), await opened(genesis, store), store);
  }

  private constructor(kit: LedgerKit, ledger: Ledger, store: MemoryStore) {
    this.kit = kit;
    this.ledger = ledger;
    this.store = store;
    const takes = ledger.stable.snapshot.bind(ledger.stable);
    ledger.stable.snapshot = (...of) => {
      this.snapshots += 1;
      this.nowUs += this.snapshotUs;
      return takes(...of);
    };
    const options = { hasher, store, telemetry: silentTelemetry, clock: { nowUs: () => this.nowUs } };
    const parts = {
      ledger,
      certifier: this.#certifier(),
      serving: { spend: () => undefined },
      peers: { send: (_to: NodeId, frame: Frame) => this.#said.push(frame) },
    };
    this.supply = new Supply(options as unknown as SupplyOptions, parts as unknown as SupplyParts);
  }

  #certifier(): object {
    const { ledger } = this;
    const cosignature = { size: 0, root: toHash(new Uint8Array(32)), seconds: 0, logSignature: SIGNATURE, witnessSignature: SIGNATURE };
    const proof = encodeCosignatures(PEERS.map((node) => ({ node, ...cosignature })));
    return {
      get certifiedHeight() {
        return ledger.tip.height;
      },
      get certified() {
        return { point: { height: ledger.tip.height }, proof };
      },
      point: () => ledger.log.point,
    };
  }

  /** Decides blocks of these commands each. */
  decide(...blocks: readonly (readonly SignedCommand[])[]): this {
    for (const commands of blocks) {
      const batch = commands.map(encodeSignedCommand);
      const root = toHash(
        merkleRoot(
          hasher,
          batch.map((encoded) => hashLeaf(hasher, encoded)),
        ),
      );
      const header = { ...this.kit.block(commands).header, commandsRoot: root };
      const headerBytes = encodeHeader(header);
      const digest = headerDigest(hasher, headerBytes);
      this.kit.apply(commands);
      const votes = PEERS.map((node) => ({ node, signature: SIGNATURE }));
      const certificate = { epoch: 0, height: header.height, view: 0, digest, votes };
      const proposal = { header, digest, headerBytes, batch, certifiedProof: new Uint8Array(0) };
      const { operations } = this.ledger.apply({ proposal, certificate, commands });
      this.store.write([...operations, ...this.ledger.stable.drop(this.ledger.tip.height)], () => undefined);
    }
    return this;
  }

  /** A stable checkpoint over so many services. */
  grow(services: number): this {
    const blocks: SignedCommand[][] = Array.from({ length: INTERVAL - (this.ledger.tip.height % INTERVAL) }, () => []);
    const from = this.kit.state.serviceCount;
    blocks[0]?.push(...Array.from({ length: services }, (_, at) => this.kit.register(`service-${from + at}`)));
    return this.decide(...blocks);
  }

  /** What it says to a request. */
  answer(request: Frame, from: NodeId = parseNodeId("node-4")): Frame {
    this.#said = [];
    if (request.kind === "state-request") this.supply.onStateRequest(from, request);
    if (request.kind === "log-request") this.supply.onLogRequest(from, request);
    const [answer] = this.#said;
    if (answer === undefined) throw new Error(`nothing is said to ${request.kind}`);
    return answer;
  }

  offer(fromHeight = 1, to: NodeId = parseNodeId("node-4")): Uint8Array {
    const offer = this.supply.offerFor(to, fromHeight);
    if (offer === undefined) throw new Error("there is no offer");
    return offer;
  }
}

/** Timers and a clock in the test's hands. */
class ManualTimers implements Timers {
  nowUs = 1_800_000_000_000_000;
  #waiting: { readonly atUs: number; readonly run: () => void }[] = [];

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { atUs: this.nowUs + delayMs * 1_000, run };
    this.#waiting.push(timer);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== timer);
      },
    };
  }

  pass(ms: number): void {
    const untilUs = this.nowUs + ms * 1_000;
    for (;;) {
      const [next] = this.#waiting.filter(({ atUs }) => atUs <= untilUs).sort((left, right) => left.atUs - right.atUs);
      if (next === undefined) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.nowUs = next.atUs;
      next.run();
    }
    this.nowUs = untilUs;
  }
}

type TransferOptions = ConstructorParameters<typeof Transfer>[0];
type TransferParts = ConstructorParameters<typeof Transfer>[1];
type Fetched = Parameters<ConstructorParameters<typeof Transfer>[2]["onFetched"]>[0];

/** A node without blocks that takes over a state. */
export class Receiver {
  readonly transfer: Transfer;
  readonly ledger: Ledger;
  readonly store: MemoryStore;
  readonly timers = new ManualTimers();
  /** What it asked for, oldest first. */
  readonly asked: { readonly to: NodeId; readonly frame: Frame }[] = [];
  readonly complaints: string[] = [];
  readonly fetched: Fetched[] = [];
  readonly halted: string[] = [];
  /** How often another peer was to be asked. */
  resumed = 0;
  /** Claims that were handed over, and what answers them; nothing does while it is undefined. */
  readonly verified: (readonly SignatureClaim[])[] = [];
  readonly verifications: ((good: boolean) => void)[] = [];
  verifiesLater = false;
  isGood: (claim: SignatureClaim) => boolean = () => true;

  static async of(source: Source): Promise<Receiver> {
    const store = new MemoryStore();
    return new Receiver(await opened(source.kit.genesis, store), store);
  }

  private constructor(ledger: Ledger, store: MemoryStore) {
    this.ledger = ledger;
    this.store = store;
    const { timers } = this;
    const verify = (claims: readonly SignatureClaim[], done: (verdicts: readonly boolean[]) => void): void => {
      this.verified.push(claims);
      if (this.verifiesLater) this.verifications.push((good) => done(claims.map(() => good)));
      else done(claims.map((claim) => this.isGood(claim)));
    };
    const options = { hasher, store, verifier: { verify }, timers, telemetry: silentTelemetry, clock: { nowUs: () => timers.nowUs } };
    const parts = {
      ledger,
      catchUp: { resume: () => (this.resumed += 1) },
      peers: {
        connected: () => [],
        send: (to: NodeId, frame: Frame) => this.asked.push({ to, frame }),
        misbehaved: (peer: NodeId, code: string) => this.complaints.push(`${peer} ${code}`),
      },
      writeAhead: {
        append: (operations: Parameters<MemoryStore["write"]>[0], done: () => void) => {
          store.write(operations, () => undefined);
          done();
        },
      },
      timing: { syncTimeoutMs: SYNC_TIMEOUT_MS },
    };
    const handlers = { onFetched: (fetched: Fetched) => this.fetched.push(fetched), halt: (reason: string) => this.halted.push(reason) };
    this.transfer = new Transfer(options as unknown as TransferOptions, parts as unknown as TransferParts, handlers);
  }

  hear(from: NodeId, frame: Frame): void {
    if (frame.kind === "state-part") this.transfer.onStatePart(from, frame);
    else if (frame.kind === "log-part") this.transfer.onLogPart(from, frame);
    else throw new Error(`not an answer: ${frame.kind}`);
  }

  /** Has the peer answer what it is asked, until it says nothing or is asked no more. @returns the answers */
  serve(from: NodeId, answer: (request: Frame, at: number) => Frame | undefined): number {
    for (let at = 0; ; at++) {
      const [request] = this.asked;
      const said = request?.to === from ? answer(request.frame, at) : undefined;
      if (said === undefined) return at;
      this.asked.shift();
      this.hear(from, said);
    }
  }
}
