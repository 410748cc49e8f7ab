import { expect } from "chai";
import type { KeyValueStore, WriteOperation } from "#base";
import { LocalBackend } from "#gateway";
import { MemoryStore } from "#storage";
import { expectCodeLater } from "../refusals.ts";
import { LiveCluster, newDisk, stopped, until } from "../replica/live-cluster.ts";

/** A disk that stands still while it is told to: what is written meanwhile can be read, as from any store, and is not durable. */
class HaltingDisk implements KeyValueStore {
  readonly #inner = new MemoryStore();
  readonly #held: ((error?: Error) => void)[] = [];
  #holds = false;

  hold(): void {
    this.#holds = true;
  }

  /** Writes that were begun and stand still. */
  get held(): number {
    return this.#held.length;
  }

  release(failure?: Error): void {
    this.#holds = false;
    for (const done of this.#held.splice(0)) done(failure);
  }

  get(key: string): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    this.#inner.write(operations, (error) => {
      if (this.#holds) this.#held.push((failure) => done(failure ?? error));
      else done(error);
    });
  }

  scan(...[range, visit, done]: Parameters<KeyValueStore["scan"]>): void {
    this.#inner.scan(range, visit, done);
  }

  close(done: (error?: Error) => void): void {
    this.#inner.close(done);
  }
}

describe("a decision that is not on the disk yet", () => {
  it("is told to nobody who looks it up, until it is", async () => {
    const disk = new HaltingDisk();
    const cluster = await LiveCluster.make({ engine: "pbft", nodes: 1 });
    const replica = await cluster.start(1, await newDisk(disk));
    const backend = new LocalBackend({ replica, genesis: cluster.genesis });
    const signed = await cluster.command(replica);
    disk.hold();
    const answer = backend.submit(signed, 5_000);
    await until(() => replica.status().tip.height > 0);
    expect(await backend.decision(signed.hash)).to.equal("pending");
    disk.release();
    expect(await answer).to.have.nested.property("outcome.decisionId", signed.hash);
    expect(await backend.decision(signed.hash)).to.include({ decisionId: signed.hash, height: 1 });
    await stopped(replica);
  });

  it("shows in no look at services, members or the log before it is", async () => {
    const disk = new HaltingDisk();
    const cluster = await LiveCluster.make({ engine: "pbft", nodes: 1 });
    const replica = await cluster.start(1, await newDisk(disk));
    const backend = new LocalBackend({ replica, genesis: cluster.genesis });
    const first = await backend.submit(await cluster.command(replica), 5_000);
    const told = await backend.entries({ from: 0, to: 100 });
    const before = replica.status().tip.height;
    disk.hold();
    const answer = backend.submit(await cluster.command(replica), 5_000);
    await until(() => replica.status().tip.height > before);
    const seen: string[] = [];
    const looks = Promise.all([
      backend.services({ limit: 10 }).then(() => seen.push("services")),
      backend.service("service-1").then(() => seen.push("service")),
      backend.members().then(() => seen.push("members")),
    ]);
    const { shard } = (await backend.proof(0)) ?? { shard: "" };
    const bundle = (width: number): Promise<Uint8Array | undefined> => backend.logFile(`${shard}/tile/entries/000.p/${width}`);
    expect(await backend.entries({ from: 0, to: 100 })).to.deep.equal(told);
    expect(await bundle(told.length)).to.not.equal(undefined);
    expect(await bundle(told.length + 1)).to.equal(undefined);
    expect(seen).to.deep.equal([]);
    disk.release();
    expect([first, await answer].map(({ kind }) => kind)).to.deep.equal(["ordered", "ordered"]);
    await looks;
    expect(seen.sort()).to.deep.equal(["members", "service", "services"]);
    expect(await bundle(told.length + 1)).to.not.equal(undefined);
    await stopped(replica);
  });

  it("is seen by nobody when the disk refuses it: the node halts, and says that it cannot tell", async () => {
    const disk = new HaltingDisk();
    const cluster = await LiveCluster.make({ engine: "pbft", nodes: 1 });
    const replica = await cluster.start(1, await newDisk(disk));
    const backend = new LocalBackend({ replica, genesis: cluster.genesis });
    disk.hold();
    const answer = backend.submit(await cluster.command(replica), 5_000);
    await until(() => replica.status().tip.height > 0 && disk.held > 0);
    const early = expectCodeLater("QUORUM_UNAVAILABLE", () => backend.services({ limit: 10 }));
    disk.release(new Error("no space left"));
    await until(() => replica.status().mode === "halted");
    await early;
    await expectCodeLater("QUORUM_UNAVAILABLE", () => backend.members());
    expect((await answer).kind).to.equal("unavailable");
    await stopped(replica);
  });
});
