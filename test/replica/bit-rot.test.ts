import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Level } from "level";
import {
  type Accusation,
  accusationName,
  accusationToCanonical,
  encodeCanonical,
  errorCode,
  parseHash,
  parseNodeId,
  parsePublicKey,
  silentTelemetry,
  toBase64Url,
  VOTE_TYPE,
  type VoteStatement,
} from "#base";
import type { Replica } from "#replica";
import { memoryAnchor, openLevelStore } from "#storage";
import { closed, scanned, written } from "../contracts/store.contract.ts";
import { LiveCluster, newDisk, stopped, submitted, until } from "./live-cluster.ts";

/** Nothing is known of who stands behind it: only its bytes matter here. */
function evidence(height: number): { readonly key: string; readonly value: Uint8Array } {
  const vote = (digit: string): VoteStatement => ({
    type: VOTE_TYPE.pbftPrepare,
    height,
    view: 0,
    digest: parseHash(digit.repeat(64)),
    validRound: -1,
    signature: new Uint8Array(64).fill(1),
  });
  const key = parsePublicKey(toBase64Url(new Uint8Array(32).fill(3)));
  const node = parseNodeId("node-9");
  const accusation: Accusation = { kind: "double-vote", epoch: 0, node, key, first: vote("a"), second: vote("b") };
  return { key: `x/${accusationName(accusation)}`, value: encodeCanonical(accusationToCanonical(accusation)) };
}

describe("a node whose disk damaged one stored record", function () {
  this.timeout(20_000);
  const folders: string[] = [];
  const notes: string[] = [];
  let cluster: LiveCluster;
  let anchor: Uint8Array | undefined;

  /** Of a node that ordered five commands; every second height is a stable one. */
  before(async () => {
    cluster = await LiveCluster.make({ engine: "pbft", nodes: 1, checkpointInterval: 2 });
    const folder = await freshFolder();
    const disk = await newDisk(await openLevelStore(folder, silentTelemetry));
    const replica = await cluster.start(1, disk);
    for (let n = 0; n < 5; n++) expect(await submitted(replica, await cluster.command(replica))).to.equal("ordered");
    await stopped(replica);
    const handover = { key: "e/0000000000000001", value: Uint8Array.of(1) };
    await written(disk.store, [evidence(4), evidence(5), { key: "x/of-a-later-version", value: Uint8Array.of(1) }, handover]);
    await closed(disk.store);
    anchor = disk.anchor.read();
    cluster.telemetry = {
      ...silentTelemetry,
      log: (level, event, fields) => void (level === "error" && notes.push(`${event}: ${String(fields?.["key"])}`)),
      count: (name, amount = 1, labels = {}) =>
        void (name === "quorumgate_storage_set_aside_total" && notes.push(`${labels["kind"]} ${amount}`)),
    };
  });

  after(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  async function freshFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "quorumgate-rot-"));
    folders.push(folder);
    return folder;
  }

  /** A copy of the folder in which one bit of the newest record with this prefix differs. */
  async function damaged(prefix: string): Promise<{ folder: string; key: string }> {
    const folder = await freshFolder();
    await cp(folders[0] as string, folder, { recursive: true });
    const raw = new Level<string, Uint8Array>(folder, { keyEncoding: "utf8", valueEncoding: "view" });
    const [key = ""] = await raw.keys({ gte: prefix, lt: `${prefix}\u007f`, reverse: true, limit: 1 }).all();
    const value = Uint8Array.from((await raw.get(key)) ?? []);
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    await raw.put(key, value);
    await raw.close();
    return { folder, key };
  }

  async function startOver(folder: string, use: (replica: Replica) => Promise<void>): Promise<void> {
    const disk = { store: await openLevelStore(folder, silentTelemetry), anchor: memoryAnchor() };
    await new Promise<void>((resolve) => disk.anchor.write(anchor as Uint8Array, () => resolve()));
    try {
      const replica = await cluster.start(1, disk);
      try {
        await use(replica);
      } finally {
        await stopped(replica);
      }
    } finally {
      await closed(disk.store);
    }
  }

  for (const [prefix, kind] of [
    ["e/", "handover"],
    ["h/", "stable-state"],
    ["p/0000000000000004", "point"],
    [evidence(5).key, "evidence"],
  ] as const) {
    it(`goes on without it, says so once and trusts nothing of it: ${prefix}`, async () => {
      notes.length = 0;
      const { folder, key } = await damaged(prefix);
      await startOver(folder, async (replica) => {
        expect(await submitted(replica, await cluster.command(replica))).to.equal("ordered");
        expect(replica.status()).to.include({ mode: "participating", evidenceHeld: kind === "evidence" ? 1 : 2 });
        for (let times = 0; times < 2; times++) expect(replica.reader.handover(1) === undefined).to.equal(kind === "handover");
      });
      expect(notes.filter((note) => note.endsWith(`: ${key}`))).to.have.lengthOf(1);
      expect(notes).to.include(`stored record set aside: it is damaged: ${key}`).and.to.include(`${kind} 1`);
    });
  }

  it("drops the evidence that it set aside", async () => {
    notes.length = 0;
    const { folder } = await damaged(evidence(5).key);
    await startOver(folder, async (replica) => {
      await until(() => notes.length > 0);
      expect(await submitted(replica, await cluster.command(replica))).to.equal("ordered");
    });
    const store = await openLevelStore(folder, silentTelemetry);
    expect((await scanned(store, "x/", "x0")).map(([key]) => key)).to.deep.equal([evidence(4).key]);
    await closed(store);
  });

  for (const prefix of ["b/", "g/", "log/entry/", "log/head", "log/shards", "m/certified", "m/stable", "m/tip", "s/", "t/", "w/", "~link/"])
    it(`does not start without what it agreed to or promised, and says what to do: ${prefix}`, async () => {
      const { folder } = await damaged(prefix);
      const failure = await startOver(folder, () => Promise.resolve()).catch((error: unknown) => error);
      expect(errorCode(failure)).to.equal("STORAGE_CORRUPT");
      expect(failure).to.have.property("hint").that.includes("move it away");
    });
});
