import { expect } from "chai";
import { encodeGenesis, encodeHeader, errorCode } from "#base";
import { Ledger } from "#replica";
import { MemoryStore } from "#storage";
import { hasher, LedgerKit, SECOND } from "../state/ledger-kit.ts";

const HEAD = "log/head";

describe("replica: the log that a ledger begins with", () => {
  const kit = new LedgerKit();
  const load = (store: MemoryStore): Promise<Ledger> =>
    new Promise((resolve, reject) =>
      Ledger.load({ genesisBytes: encodeGenesis(kit.genesis), hasher, store }, (error, ledger) =>
        ledger === undefined ? reject(error ?? new Error("no ledger")) : resolve(ledger),
      ),
    );

  async function decide(ledger: Ledger, store: MemoryStore): Promise<void> {
    const { header, digest } = kit.block([], SECOND);
    kit.apply([], SECOND);
    const proposal = { header, digest, headerBytes: encodeHeader(header), batch: [], certifiedProof: new Uint8Array(0) };
    const certificate = { epoch: 0, height: header.height, view: 0, digest, votes: [] };
    const { operations } = ledger.apply({ proposal, certificate, commands: [] });
    await new Promise<void>((resolve, reject) => store.write(operations, (error) => (error === undefined ? resolve() : reject(error))));
  }

  it("ends with the tip's block: a head that is lost, or stands as it was before, is found before anything is cosigned", async () => {
    const store = new MemoryStore();
    const ledger = await load(store);
    await decide(ledger, store);
    const earlier = store.get(HEAD);
    await decide(ledger, store);
    expect((await load(store)).log.point).to.deep.equal(ledger.log.point);
    for (const value of [earlier, undefined]) {
      const damaged = store.clone();
      await new Promise<void>((resolve) => damaged.write([value === undefined ? { key: HEAD } : { key: HEAD, value }], () => resolve()));
      expect(await load(damaged).catch(errorCode)).to.equal("STORAGE_CORRUPT");
    }
  });
});
