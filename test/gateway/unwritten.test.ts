import { expect } from "chai";
import type { KeyValueStore, WriteOperation } from "#base";
import { LocalBackend } from "#gateway";
import { MemoryStore } from "#storage";
import { LiveCluster, newDisk, stopped, until } from "../replica/live-cluster.ts";

/** A disk that stands still while it is told to: what is written meanwhile can be read, as from any store, and is not durable. */
class HaltingDisk implements KeyValueStore {
  readonly #inner = new MemoryStore();
  readonly #held: (() => void)[] = [];
  #holds = false;

  hold(): void {
    this.#holds = true;
  }

  release(): void {
    this.#holds = false;
    for (const done of this.#held.splice(0)) done();
  }

  get(key: string): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    this.#inner.write(operations, (error) => {
      if (this.#holds) this.#held.push(() => done(error));
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
});
