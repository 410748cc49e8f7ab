import { expect } from "chai";
import { AuditLog, objectsOf } from "#audit";
import {
  type CanonicalObject,
  encodeGenesis,
  encodeHeader,
  type Hash,
  LIMITS,
  parseHash,
  parseNodeId,
  type SignedCommand,
  type WriteOperation,
} from "#base";
import { Ledger, LogAdoption, type OrderedRecord } from "#replica";
import { itemsOf } from "#state";
import { MemoryStore } from "#storage";
import { draftOf, sealedDraft } from "../audit/log-kit.ts";
import { hasher, LedgerKit, SECOND } from "../state/ledger-kit.ts";

type Reader = Pick<MemoryStore, "get">;

describe("replica: the first answer to a command", () => {
  let kit: LedgerKit;
  let store: MemoryStore;
  let ledger: Ledger;
  beforeEach(async () => {
    kit = new LedgerKit();
    [store, ledger] = await opened();
  });

  /** What stands in the store, or a new one. */
  async function opened(at: MemoryStore = new MemoryStore()): Promise<[MemoryStore, Ledger]> {
    const loaded = await new Promise<Ledger>((resolve, reject) =>
      Ledger.load({ genesisBytes: encodeGenesis(kit.genesis), hasher, store: at }, (error, result) =>
        result === undefined ? reject(error ?? new Error("no ledger")) : resolve(result),
      ),
    );
    return [at, loaded];
  }

  /** Applies and writes the next block. */
  async function decide(commands: readonly SignedCommand[], laterUs: number = SECOND): Promise<readonly OrderedRecord[]> {
    const { header, digest } = kit.block(commands, laterUs);
    kit.apply(commands, laterUs);
    const proposal = { header, digest, headerBytes: encodeHeader(header), batch: [], certifiedProof: new Uint8Array(0) };
    const certificate = { epoch: 0, height: header.height, view: 0, digest, votes: [] };
    const { operations, records } = ledger.apply({ proposal, certificate, commands });
    await write(operations);
    return records;
  }

  function write(operations: readonly WriteOperation[]): Promise<void> {
    return new Promise((resolve, reject) => store.write(operations, (error) => (error === undefined ? resolve() : reject(error))));
  }

  /** A node without blocks takes over the state as it is, with the log of the node before or another one. */
  async function transferred(log: AuditLog = ledger.log, from: Reader = store, into: MemoryStore = new MemoryStore()): Promise<void> {
    const { tip, state } = ledger;
    const block = ledger.encodedBlock(tip.height) ?? new Uint8Array(0);
    [store, ledger] = await opened(into);
    const read = (key: string): Uint8Array | undefined => from.get(key);
    const seq = log.nextSeq - 1;
    const { shard, size, root } = log.point;
    const seal = { seq, entry: log.entry(seq, read) };
    const trees = new Map([[shard, { size, root: parseHash(root) }]]);
    const offer = { tip, block, seal, trees, stateHash: state.stateHash, stateRoot: state.stateRoot(), handovers: [], claims: [] };
    const adoption = new LogAdoption(ledger.logOptions, store);
    const first = ledger.log.nextSeq;
    const entries = Array.from({ length: size - first }, (_, at) => log.entry(first + at, read));
    const objects = entries.flatMap((entry) => objectsOf(entry, read));
    expect(adoption.next(offer)).to.deep.equal({ seq: first, last: seq, size });
    await write(adoption.accept(offer, { entries, objects, proof: [] }).writes);
    await write(ledger.install(offer, { items: [...itemsOf(state)], adoption }));
  }

  /** A log in which a command's entry had no room for all, as no kind of command of today brings one about. */
  function logOf(command: Hash, explanation: CanonicalObject): [AuditLog, Reader] {
    const log = AuditLog.empty(ledger.logOptions);
    const { height, timeUs, digest } = ledger.tip;
    const block = { height, timeUs, proposer: parseNodeId("node-1"), digest, originView: 0, algorithm: "pbft" };
    const content = { action: "authorize", explanation };
    const { writes } = log.append(block, [draftOf("large", { command, content }), sealedDraft(height, timeUs)]);
    return [log, new Map(writes.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value] as const])))];
  }

  it("stays the answer when the command is ordered again", async () => {
    const early = kit.authorize("latecomer");
    const [first] = await decide([early]);
    expect(first).to.include({ height: 1, outcome: "refused", code: "IDENTITY_UNKNOWN" });
    expect(await decide([early])).to.deep.equal([first]);
    expect(ledger.find(early.hash)).to.deep.equal(first);
  });

  it("is never that there was one before: a node that skipped it says nothing", async () => {
    const early = kit.authorize("latecomer");
    await decide([early]);
    await transferred();
    expect(await decide([early])).to.deep.equal([]);
    expect(ledger.find(early.hash)).to.equal(undefined);
  });

  /** A command whose id another one has spent, so that it is refused without an entry; valid for two minutes. */
  async function spent(): Promise<SignedCommand> {
    const command = kit.authorize("trader");
    const other = kit.authorize("trader", { scope: "user" }, { id: command.command.id });
    await decide([kit.register("trader"), kit.grant("trader"), command]);
    return other;
  }

  it("is no refusal without an entry where there may have been an earlier one in a block that this node skipped", async () => {
    const command = await spent();
    const [first] = await decide([command]);
    expect(first).to.include({ height: 2, code: "COMMAND_REPLAYED" }).and.not.to.have.property("seq");
    await transferred();
    expect(await decide([command])).to.deep.equal([]);
    [store, ledger] = await opened(store);
    expect(await decide([command], 3_600 * SECOND)).to.deep.equal([]);
    expect(ledger.find(command.hash)).to.equal(undefined);
  });

  it("is a refusal without an entry again for commands that were issued after what was skipped", async () => {
    await spent();
    await transferred();
    await decide([], LIMITS.clockSkewMaxUs + 1);
    const first = kit.authorize("trader");
    const second = kit.authorize("trader", { scope: "user" }, { id: first.command.id });
    const [, refused] = await decide([first, second]);
    expect(refused).to.include({ height: 3, code: "COMMAND_REPLAYED" }).and.not.to.have.property("seq");
    expect(ledger.find(second.hash)).to.deep.equal(refused);
    expect(await decide([second])).to.deep.equal([refused]);
  });

  it("is not that a command came before its time: it may be allowed in its time", async () => {
    await spent();
    const early = kit.authorize("trader", {}, { issuedAtUs: kit.state.timeUs + LIMITS.clockSkewMaxUs + 60 * SECOND });
    expect(await decide([early])).to.deep.equal([]);
    expect(ledger.find(early.hash)).to.equal(undefined);
    const [answer] = await decide([early], 60 * SECOND);
    expect(answer).to.include({ height: 3, outcome: "allowed" });
  });

  it("is that its id is spent, though the other command of the id expires before it does", async () => {
    const command = kit.revokeGrant("00".repeat(32), "trader");
    const other = kit.authorize("trader", {}, { id: command.command.id, expiresAtUs: kit.state.timeUs + 2 * SECOND });
    await decide([kit.register("trader"), other, command]);
    const answer = ledger.find(command.hash);
    expect(answer).to.include({ height: 1, code: "COMMAND_REPLAYED" }).and.not.to.have.property("seq");
    expect(await decide([command], 10 * SECOND)).to.deep.equal([answer]);
    expect(ledger.find(command.hash)).to.deep.equal(answer);
  });

  it("is the same after a transfer, and when the command is ordered once more there, even where it has expired since", async () => {
    await decide([kit.register("trader"), kit.grant("trader")]);
    const command = kit.authorize("trader");
    const [first] = await decide([command]);
    await transferred();
    expect(ledger.find(command.hash)).to.deep.equal(first);
    expect(await decide([command])).to.deep.equal([first]);
    expect(await decide([command], 3_600 * SECOND)).to.deep.equal([first]);
    expect(ledger.find(command.hash)).to.deep.equal(first);
  });

  it("is all that stays of heights that were passed over: their points go from the disk, but for those that proposals may still name", async () => {
    const command = kit.authorize("trader");
    await decide([kit.register("trader"), command]);
    for (let block = 0; block < 9; block++) await decide([]);
    const behind = store.clone();
    for (let block = 0; block < 30; block++) await decide([]);
    await transferred(ledger.log, store, behind);
    const kept: string[] = [];
    await new Promise<void>((resolve) =>
      store.scan(
        { from: "p/", to: "p0" },
        (key) => kept.push(key),
        () => resolve(),
      ),
    );
    expect(kept.map((key) => Number(key.slice(2)))).to.deep.equal(Array.from({ length: 32 }, (_, at) => 9 + at));
    expect(ledger.recentPoints().map(({ height }) => height)).to.deep.equal(Array.from({ length: 32 }, (_, at) => 9 + at));
    expect(ledger.find(command.hash)).to.include({ height: 1, outcome: "denied" });
  });

  it("is whole after a transfer for a command whose entry had no room for it", async () => {
    const command = kit.authorize("trader");
    await decide([]);
    const reason = "x".repeat(LIMITS.entryBytesMax);
    await transferred(...logOf(command.hash, { reason }));
    expect(ledger.find(command.hash)).to.deep.include({ height: 1, seq: 1, outcome: "allowed" });
    expect(ledger.find(command.hash)?.answer["reason"]).to.equal(reason);
    expect((await decide([command], 3_600 * SECOND))[0]).to.deep.include({ height: 1, seq: 1, outcome: "allowed" });
  });
});
