import { expect } from "chai";
import { type Hash, type KeyValueStore, type NodeId, toHash, type WriteOperation } from "#base";
import { nodeHasher } from "#crypto";
import type { GuardAnchor } from "#replica";
import { guardOwner, initializeGuard, isGuardCurrent, readGuardCount, WriteAhead } from "#replica";
import { expectCode } from "../refusals.ts";

/** A store and an anchor whose writes end when the test says so, in order. */
class SlowDisk implements KeyValueStore, GuardAnchor {
  readonly content = new Map<string, Uint8Array>();
  readonly writes: (() => void)[] = [];
  readonly anchorWrites: (() => void)[] = [];
  failing = false;
  anchored: Uint8Array | undefined;

  get(key: string): Uint8Array | undefined {
    return this.content.get(key);
  }

  write(operations: readonly WriteOperation[] | Uint8Array, done: (error?: Error) => void): void {
    if (operations instanceof Uint8Array) {
      this.anchorWrites.push(() => {
        this.anchored = operations;
        done();
      });
      return;
    }
    this.writes.push(() => {
      if (this.failing) return done(new Error("no space left"));
      for (const { key, value } of operations) if (value !== undefined) this.content.set(key, value);
      return done();
    });
  }

  read(): Uint8Array | undefined {
    return this.anchored;
  }

  scan(_range: { readonly from: string; readonly to: string }, _visit: (key: string, value: Uint8Array) => void, done: () => void): void {
    done();
  }

  close(done: () => void): void {
    done();
  }
}

const owner = new Uint8Array(32).fill(1);

const onFault = (cause: unknown): never => {
  throw cause;
};

function makeLog(disk: SlowDisk): { log: WriteAhead; out: string[]; failures: string[] } {
  const [out, failures]: [string[], string[]] = [[], []];
  const log = new WriteAhead({
    store: disk,
    anchor: disk,
    count: { votes: 0, anchored: 0, owner },
    onFailure: (error) => failures.push(error.message),
    onFault,
  });
  return { log, out, failures };
}

describe("the write-ahead log", () => {
  it("lets nothing out before what was appended earlier is durable", () => {
    const disk = new SlowDisk();
    const { log, out } = makeLog(disk);
    log.append([{ key: "a", value: Uint8Array.of(1) }]);
    log.output(() => out.push("one"));
    log.append([{ key: "b", value: Uint8Array.of(2) }]);
    log.output(() => out.push("two"));
    expect(out).to.deep.equal([]);
    disk.writes.shift()?.();
    expect(out).to.deep.equal(["one"]);
    disk.writes.shift()?.();
    expect(out).to.deep.equal(["one", "two"]);
  });

  it("lets an output pass at once when everything is durable", () => {
    const { log, out } = makeLog(new SlowDisk());
    log.output(() => out.push("at once"));
    expect(out).to.deep.equal(["at once"]);
  });

  it("lets no vote out before it is counted outside the folder", () => {
    const disk = new SlowDisk();
    const { log, out } = makeLog(disk);
    log.appendVote({ key: "g/vote", value: Uint8Array.of(1) });
    log.output(() => out.push("vote"));
    disk.writes.shift()?.();
    expect(out, "durable in the folder only").to.deep.equal([]);
    expect(disk.anchorWrites).to.have.length(1);
    disk.anchorWrites.shift()?.();
    expect(out).to.deep.equal(["vote"]);
  });

  it("counts votes that become durable together by one write of the anchor", () => {
    const disk = new SlowDisk();
    const { log, out } = makeLog(disk);
    for (const name of ["first", "second", "third"]) {
      log.appendVote({ key: `g/${name}`, value: Uint8Array.of(1) });
      log.output(() => out.push(name));
    }
    for (const write of disk.writes.splice(0)) write();
    disk.anchorWrites.shift()?.();
    expect(out).to.deep.equal(["first"]);
    expect(disk.anchorWrites).to.have.length(1);
    disk.anchorWrites.shift()?.();
    expect(out).to.deep.equal(["first", "second", "third"]);
  });

  it("counts outside the folder, before anything leaves, the votes that a crash left counted in the folder alone", () => {
    const disk = new SlowDisk();
    const out: string[] = [];
    const log = new WriteAhead({ store: disk, anchor: disk, count: { votes: 5, anchored: 3, owner }, onFailure: () => {}, onFault });
    log.output(() => out.push("the fifth vote again"));
    expect(out, "an older copy of the folder would still pass for the newest").to.deep.equal([]);
    disk.anchorWrites.shift()?.();
    expect(out).to.deep.equal(["the fifth vote again"]);
    expect(readGuardCount({ store: new SlowDisk(), anchor: disk }, owner).votes).to.equal(5);
  });

  it("counts in the anchor again once a node that lost it has its floor, before it votes: stopped in between it would have forgotten again", () => {
    const disk = new SlowDisk();
    const out: string[] = [];
    const count = { votes: 5, anchored: 0, owner };
    const log = new WriteAhead({ store: disk, anchor: disk, count, counts: false, onFailure: () => {}, onFault });
    log.output(() => out.push("what does not depend on it"));
    log.appendFloor([{ key: "t/floor", value: Uint8Array.of(1) }], () => out.push("floor"));
    disk.writes.shift()?.();
    log.output(() => out.push("takes part"));
    expect(out).to.deep.equal(["what does not depend on it", "floor"]);
    disk.anchorWrites.shift()?.();
    expect(out.at(-1)).to.equal("takes part");
    expect(isGuardCurrent({ store: disk, anchor: disk })).to.equal(true);
  });

  it("ends, and tells of it, when what follows from a write throws: nobody else would catch it", () => {
    const disk = new SlowDisk();
    const [faults, out]: [unknown[], string[]] = [[], []];
    const count = { votes: 0, anchored: 0, owner };
    const log = new WriteAhead({ store: disk, anchor: disk, count, onFailure: () => {}, onFault: (cause) => faults.push(cause) });
    const fault = new Error("a record does not read");
    log.append([{ key: "a", value: Uint8Array.of(1) }], () => {
      throw fault;
    });
    log.output(() => out.push("what depends on it"));
    disk.writes.shift()?.();
    expect({ faults, out }).to.deep.equal({ faults: [fault], out: [] });
  });

  it("lets nothing out any more after a write failed", () => {
    const disk = new SlowDisk();
    const { log, out, failures } = makeLog(disk);
    disk.failing = true;
    log.append([{ key: "a", value: Uint8Array.of(1) }], () => out.push("done"));
    log.output(() => out.push("one"));
    disk.writes.shift()?.();
    log.output(() => out.push("two"));
    expect({ out, failures }).to.deep.equal({ out: [], failures: ["no space left"] });
  });
});

describe("the count of votes", () => {
  /** A disk whose folder counts so many votes, and whose anchor so many. */
  function counted(votes: number, anchored: number): SlowDisk {
    const disk = new SlowDisk();
    initializeGuard({ store: disk, anchor: disk }, () => {});
    disk.writes.shift()?.();
    disk.anchorWrites.shift()?.();
    const { log } = makeLog(disk);
    for (let vote = 1; vote <= votes; vote++) log.appendVote({ key: `g/${vote}`, value: Uint8Array.of(1) });
    for (const write of disk.writes.splice(0)) write();
    for (let vote = 1; vote <= anchored; vote++) disk.anchorWrites.shift()?.();
    return disk;
  }

  it("is current for a new node, and for one that crashed between folder and anchor", () => {
    for (const disk of [counted(0, 0), counted(3, 0), counted(3, 2)]) expect(isGuardCurrent({ store: disk, anchor: disk })).to.equal(true);
  });

  it("is not current for an older copy, for an empty folder, or without the anchor", () => {
    const disk = counted(3, 2);
    const older = counted(1, 1);
    expect(isGuardCurrent({ store: older, anchor: disk }), "older copy").to.equal(false);
    expect(isGuardCurrent({ store: new SlowDisk(), anchor: disk }), "empty folder").to.equal(false);
    expect(isGuardCurrent({ store: disk, anchor: new SlowDisk() }), "no anchor").to.equal(false);
  });

  it("refuses the folder or the anchor of another node or cluster, and takes one that nobody voted with", () => {
    const [mine, fresh] = [counted(3, 3), counted(0, 0)];
    const foreign = new Uint8Array(32).fill(2);
    for (const ports of [
      { store: mine, anchor: fresh },
      { store: fresh, anchor: mine },
    ]) {
      expect(readGuardCount(ports, owner)).to.deep.equal({ votes: 3, anchored: ports.anchor === mine ? 3 : 0, owner });
      expectCode("STORAGE_FOREIGN", () => readGuardCount(ports, foreign));
    }
  });

  it("is of one node of one cluster", () => {
    const nodes = [
      { cluster: "a".repeat(64) as Hash, self: "n1" as NodeId },
      { cluster: "a".repeat(64) as Hash, self: "n2" as NodeId },
      { cluster: "b".repeat(64) as Hash, self: "n1" as NodeId },
    ];
    expect(new Set(nodes.map((node) => toHash(guardOwner(nodeHasher, node))))).to.have.property("size", 3);
  });

  it("does not read from bytes of another length", () => {
    const disk = new SlowDisk();
    disk.anchored = new Uint8Array(9);
    expectCode("STORAGE_CORRUPT", () => readGuardCount({ store: new SlowDisk(), anchor: disk }, owner));
  });
});
