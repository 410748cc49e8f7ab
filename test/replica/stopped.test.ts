import { expect } from "chai";
import { nodeHasher } from "#crypto";
import { Installer } from "#replica";
import { replicaAlone } from "./replica-alone.ts";

type Options = ConstructorParameters<typeof Installer>[0];
type Parts = ConstructorParameters<typeof Installer>[1];
type Handlers = ConstructorParameters<typeof Installer>[2];
type Fetched = Parameters<Installer["install"]>[0];

/** Until everything that waits for its turn has had it. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a node that was stopped", () => {
  it("does not halt when what it was reading at that moment cannot be read any more", async () => {
    const { replica, store, halted } = await replicaAlone();
    // The store may end a scan that is under way with an error when it is closed.
    const held: (() => void)[] = [];
    store.scan = (_range, _visit, done) => void held.push(() => done(new Error("the store is closed")));
    await new Promise<void>((resolve) => replica.start(() => resolve()));
    expect(held.length).to.be.greaterThan(0);
    await new Promise<void>((resolve) => replica.stop(resolve));
    for (const end of held) end();
    await settled();
    expect(halted).to.deep.equal([]);
    expect(replica.status().mode).to.equal("stopped");
  });

  /** An installation that waits for the records of the core when the node stops. */
  function stoppedWhileReading(): { readonly done: string[]; read(error?: Error): void } {
    const done: string[] = [];
    const scans: ((error?: Error) => void)[] = [];
    let isOver = false;
    const options = {
      hasher: nodeHasher,
      store: { scan: (_range: unknown, _visit: unknown, end: (error?: Error) => void) => scans.push(end) },
    };
    const parts = {
      ledger: { tip: { height: 1 }, install: () => [], membership: { epoch: 0 } },
      driver: { suspend: () => undefined, expired: () => [], resume: () => done.push("resumed") },
      writeAhead: { append: (_operations: unknown, then: () => void) => then() },
      newCore: () => ({}),
      guardCurrent: true,
    };
    const handlers = { participation: { above: 0 }, isOver: () => isOver, halt: () => done.push("halted") };
    const installer = new Installer(options as unknown as Options, parts as unknown as Parts, handlers as unknown as Handlers);
    installer.install({ offer: { tip: { height: 128 } } } as unknown as Fetched);
    isOver = true;
    return {
      done,
      read: (error) => {
        for (let scan = scans.shift(); scan !== undefined; scan = scans.shift()) scan(error);
      },
    };
  }

  it("neither halts nor goes on when it stops between the batch that installs a state and the records that it goes on from", () => {
    for (const error of [undefined, new Error("the store is closed")]) {
      const { done, read } = stoppedWhileReading();
      read(error);
      expect(done).to.deep.equal([]);
    }
  });
});
