import { expect } from "chai";
import { encodeGenesis, encodeHeader, type SignedCommand, type WriteOperation } from "#base";
import { Ledger, type OrderedRecord } from "#replica";
import { MemoryStore } from "#storage";
import { hasher, LedgerKit } from "../state/ledger-kit.ts";

describe("replica: the first answer to a command", () => {
  let kit: LedgerKit;
  let store: MemoryStore;
  let ledger: Ledger;
  beforeEach(async () => {
    kit = new LedgerKit();
    store = new MemoryStore();
    ledger = await new Promise<Ledger>((resolve, reject) =>
      Ledger.load({ genesisBytes: encodeGenesis(kit.genesis), hasher, store }, (error, loaded) =>
        loaded === undefined ? reject(error ?? new Error("no ledger")) : resolve(loaded),
      ),
    );
  });

  /** Applies and writes the next block. @param without commands whose records stay away, as where a transferred state took the block's place */
  async function decide(commands: readonly SignedCommand[], without: readonly SignedCommand[] = []): Promise<readonly OrderedRecord[]> {
    const { header, digest } = kit.block(commands);
    kit.apply(commands);
    const proposal = { header, digest, headerBytes: encodeHeader(header), batch: [], certifiedProof: new Uint8Array(0) };
    const certificate = { epoch: 0, height: header.height, view: 0, digest, votes: [] };
    const { operations, records } = ledger.apply({ proposal, certificate, commands });
    const missing = new Set(without.map(({ hash }) => `r/${hash}`));
    await write(operations.filter(({ key }) => !missing.has(key)));
    return records;
  }

  function write(operations: readonly WriteOperation[]): Promise<void> {
    return new Promise((resolve, reject) => store.write(operations, (error) => (error === undefined ? resolve() : reject(error))));
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
    await decide([early], [early]);
    expect(await decide([early])).to.deep.equal([]);
    expect(ledger.find(early.hash)).to.equal(undefined);
  });

  it("is a later refusal for a node that skipped the first one, which had no entry", async () => {
    await decide([kit.register("trader"), kit.grant("trader")]);
    const command = kit.authorize("trader");
    const other = kit.authorize("trader", { scope: "user" }, { id: command.command.id });
    await decide([command, other], [other]);
    const [refused] = await decide([other]);
    expect(refused).to.include({ height: 3, outcome: "refused", code: "COMMAND_REPLAYED" }).and.not.to.have.property("seq");
    expect(ledger.find(other.hash)).to.deep.equal(refused);
  });
});
