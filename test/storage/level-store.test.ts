import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Level } from "level";
import { errorCode, type KeyValueStore, silentTelemetry, type Telemetry } from "#base";
import { openLevelStore, sealValue } from "#storage";
import { closed, scanned, storeContract, written } from "../contracts/store.contract.ts";

const folders: string[] = [];

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "quorumgate-store-"));
  folders.push(folder);
  return folder;
}

after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

storeContract("LevelStore", async () => openLevelStore(await freshFolder(), silentTelemetry));

describe("LevelStore", () => {
  it("keeps what was written over a close", async () => {
    const folder = await freshFolder();
    const first = await openLevelStore(folder, silentTelemetry);
    await written(first, [{ key: "a", value: Uint8Array.of(1, 2, 3) }]);
    await closed(first);
    const second = await openLevelStore(folder, silentTelemetry);
    expect([...(second.get("a") ?? [])]).to.deep.equal([1, 2, 3]);
    await closed(second);
  });

  it("makes its folder for its owner alone", async () => {
    const folder = join(await freshFolder(), "deep", "store");
    await closed(await openLevelStore(folder, silentTelemetry));
    expect((await stat(folder)).mode & 0o777).to.equal(0o700);
  });

  it("refuses a folder that another store has open", async () => {
    const folder = await freshFolder();
    const store = await openLevelStore(folder, silentTelemetry);
    expect(await openLevelStore(folder, silentTelemetry).catch(errorCode)).to.equal("STORAGE_LOCKED");
    await closed(store);
  });

  it("refuses a folder that it cannot make", async () => {
    const file = join(await freshFolder(), "file");
    await writeFile(file, "");
    expect(await openLevelStore(join(file, "store"), silentTelemetry).catch(errorCode)).to.equal("STORAGE_FAILED");
  });

  it("calls a broken manifest corrupt, with a hint", async () => {
    const folder = await freshFolder();
    await closed(await openLevelStore(folder, silentTelemetry));
    for (const name of await readdir(folder)) {
      if (name.startsWith("MANIFEST")) await writeFile(join(folder, name), Buffer.alloc(64, 0xab));
    }
    const failure = await openLevelStore(folder, silentTelemetry).catch((error: unknown) => error);
    expect(failure).to.have.property("code", "STORAGE_CORRUPT");
    expect(failure).to.have.property("hint").that.includes("recovers from its peers");
  });

  it("finds each of its files that is gone, cut or empty, says which, and touches none of the others", async () => {
    const folder = await freshFolder();
    for (const key of ["a", "b", "c"]) {
      const store = await openLevelStore(folder, silentTelemetry);
      await written(store, [{ key, value: new Uint8Array(2_000) }]);
      await closed(store);
    }
    const files = await readdir(folder);
    for (const name of files.filter((file) => /^(?:CURRENT|MANIFEST-.*|.*\.ldb)$/.test(file))) {
      for (const how of ["gone", "cut", "empty"]) {
        const copy = join(await freshFolder(), "copy");
        await cp(folder, copy, { recursive: true });
        const size = (await stat(join(copy, name))).size;
        if (how === "gone") await rm(join(copy, name));
        else await truncate(join(copy, name), how === "cut" ? Math.floor(size / 2) : 0);
        const failure = await openLevelStore(copy, silentTelemetry).catch((error: unknown) => error);
        expect(failure, `${name} ${how}`).to.deep.include({ code: "STORAGE_CORRUPT", data: { folder: copy } });
        expect(failure).to.have.property("message").that.has.length.greaterThan("the store could not be opened".length);
        const kept = await readdir(copy);
        expect(kept, `${name} ${how}`).to.include.members(files.filter((file) => file !== name && file.endsWith(".ldb")));
      }
    }
  });

  it("finds a flipped bit in a stored value", async () => {
    const folder = await freshFolder();
    const marker = Buffer.from("a value that stands in the file as it is");
    // Opened and closed twice: the second opening moves the log into a table file.
    const store = await openLevelStore(folder, silentTelemetry);
    await written(store, [{ key: "a", value: marker }]);
    await closed(store);
    await closed(await openLevelStore(folder, silentTelemetry));
    await flipByteOf(folder, marker);
    const reopened = await openLevelStore(folder, silentTelemetry);
    expect(() => reopened.get("a"))
      .to.throw()
      .with.property("code", "STORAGE_CORRUPT");
    expect(await scanned(reopened, "a", "b").catch(errorCode)).to.equal("STORAGE_CORRUPT");
    await closed(reopened);
  });

  it("finds that batches in the middle of its log are gone, also at the second try", async () => {
    const folder = await freshFolder();
    const store = await openLevelStore(folder, silentTelemetry);
    for (let batch = 0; batch < 20; batch++) {
      await written(store, [
        { key: `b/${batch}`, value: new Uint8Array(4_000) },
        { key: "last", value: Buffer.from(`mark ${batch}.`) },
      ]);
    }
    await closed(store);
    // LevelDB itself skips the damaged part of its log and goes on with the batches behind it.
    await flipByteOf(folder, Buffer.from("mark 0."), ".log");
    expect(await openLevelStore(folder, silentTelemetry).catch(errorCode)).to.equal("STORAGE_CORRUPT");
    expect(await openLevelStore(folder, silentTelemetry).catch(errorCode)).to.equal("STORAGE_CORRUPT");
  });

  it("opens where the end of its log is torn, and goes on from there", async () => {
    const folder = await freshFolder();
    const store = await openLevelStore(folder, silentTelemetry);
    for (let batch = 0; batch < 5; batch++) await written(store, [{ key: `g/${batch}`, value: Buffer.from(`mark ${batch}.`) }]);
    await closed(store);
    await flipByteOf(folder, Buffer.from("mark 4."), ".log");
    for (const there of [4, 5]) {
      const reopened = await openLevelStore(folder, silentTelemetry);
      expect(await scanned(reopened, "g/", "g0")).to.have.length(there);
      await written(reopened, [{ key: `g/again${there}`, value: Uint8Array.of(1) }, { key: "g/again5" }]);
      await closed(reopened);
    }
  });

  it("finds that a record which is read at a start is gone, or stands as it was before", async () => {
    const folder = await freshFolder();
    const store = await openLevelStore(folder, silentTelemetry);
    await written(store, [{ key: "g/vote", value: Uint8Array.of(1) }]);
    await written(store, [{ key: "s/grant", value: Uint8Array.of(1) }]);
    await written(store, [{ key: "s/grant", value: Uint8Array.of(2) }]);
    await closed(store);
    for (const damage of [{ key: "g/vote" }, { key: "s/grant" }, { key: "s/grant", value: sealValue("s/grant", Uint8Array.of(1)) }]) {
      const copy = join(await freshFolder(), "copy");
      await cp(folder, copy, { recursive: true });
      const database = new Level<string, Uint8Array>(copy, { keyEncoding: "utf8", valueEncoding: "view" });
      if (damage.value === undefined) await database.del(damage.key);
      else await database.put(damage.key, damage.value);
      await database.close();
      expect(await openLevelStore(copy, silentTelemetry).catch(errorCode)).to.equal("STORAGE_CORRUPT");
    }
  });

  it("finds that records with one value are gone which LevelDB keeps together", async () => {
    const folder = await freshFolder();
    const keys = Array.from({ length: 16 }, (_, i) => `s/used/${String(i).padStart(3, "0")}`);
    const store = await openLevelStore(folder, silentTelemetry);
    await written(
      store,
      keys.map((key) => ({ key, value: Uint8Array.of(1) })),
    );
    await closed(store);
    const database = new Level<string, Uint8Array>(folder, { keyEncoding: "utf8", valueEncoding: "view" });
    for (const key of keys) await database.del(key);
    await database.close();
    expect(await openLevelStore(folder, silentTelemetry).catch(errorCode)).to.equal("STORAGE_CORRUPT");
  });

  it("opens with whatever keys its caller wrote", async () => {
    const folder = await freshFolder();
    const keys = ["s/", "s/\u007f", "s/\u00e9", "s/\uffee", "s/\u{1f512}", "s0"];
    const store = await openLevelStore(folder, silentTelemetry);
    for (const key of keys) await written(store, [{ key, value: Uint8Array.of(1) }]);
    await closed(store);
    const reopened = await openLevelStore(folder, silentTelemetry);
    for (const key of keys) expect(reopened.get(key), key).to.have.length(1);
    await closed(reopened);
  });

  it("shares one synced batch among the writes that come while another is on its way", async () => {
    let batches = 0;
    const telemetry: Telemetry = { ...silentTelemetry, observe: () => void batches++ };
    const store = await openLevelStore(await freshFolder(), telemetry);
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => written(store, [{ key: `k${i}`, value: Uint8Array.of(i) }]).then(() => order.push(i))),
    );
    expect(batches).to.be.within(1, 2);
    expect(order).to.deep.equal(Array.from({ length: 50 }, (_, i) => i));
    await closed(store);
  });

  it("stops for good at the first failed write", async () => {
    const child = startNode("level-full-disk.ts", await freshFolder(), { fileBlocksMax: 8_192 });
    const [line] = await Promise.all([firstLineOf(child), exitOf(child)]);
    expect(JSON.parse(line)).to.deep.equal({
      before: "done",
      large: "STORAGE_FAILED",
      waiting: "STORAGE_FAILED",
      later: "STORAGE_FAILED",
      why: "a write failed: File too large",
      get: "STORAGE_FAILED",
      scan: "STORAGE_FAILED",
      close: "done",
    });
  });

  it("loses nothing acknowledged to kill -9, and no half of a write", async () => {
    const folder = await freshFolder();
    let acknowledged = -1;
    for (let round = 0; round < 2; round++) {
      acknowledged = await writeUntilKilled(join(folder, String(round)), 150 + 250 * round);
      expect(acknowledged).to.be.greaterThan(100);
      await expectWholeWrites(join(folder, String(round)), acknowledged);
    }
  });
});

/** Starts a TypeScript file beside this one in a process of its own, with a limit on the size of the files that it writes. */
function startNode(file: string, folder: string, limits: { readonly fileBlocksMax?: number } = {}): ChildProcess {
  const script = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? file : file.replace(/\.ts$/, ".js"), import.meta.url));
  const limit = limits.fileBlocksMax === undefined ? "unlimited" : String(limits.fileBlocksMax);
  // `exec` makes the process that is killed the one that writes.
  const command = `ulimit -f ${limit} && exec "$0" "$@"`;
  const options = ["--conditions=quorumgate-source", "--import=tsx", script, folder];
  return spawn("/bin/sh", ["-c", command, process.execPath, ...options], { stdio: ["ignore", "pipe", "inherit"] });
}

function linesOf(child: ChildProcess): Interface {
  if (child.stdout === null) throw new Error("the child has no output");
  return createInterface({ input: child.stdout });
}

function firstLineOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => linesOf(child).once("line", resolve));
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

/** Runs the writer, kills it without warning some time after its first acknowledgement, and gives the last acknowledged number. */
async function writeUntilKilled(folder: string, delayMs: number): Promise<number> {
  const child = startNode("level-writer.ts", folder);
  const exited = exitOf(child);
  let last = -1;
  const lines = linesOf(child);
  lines.once("line", () => setTimeout(() => child.kill("SIGKILL"), delayMs));
  for await (const line of lines) last = Math.max(last, Number(line));
  await exited;
  return last;
}

async function expectWholeWrites(folder: string, acknowledged: number): Promise<void> {
  const store: KeyValueStore = await openLevelStore(folder, silentTelemetry);
  for (let number = 0; number <= acknowledged; number++) {
    expect(store.get(`left/${number}`)?.[0], `left/${number}`).to.equal(number & 0xff);
  }
  const numbers = (entries: [string, Uint8Array][]): string[] => entries.map(([key]) => key.split("/")[1] ?? "");
  expect(numbers(await scanned(store, "left/", "left0"))).to.deep.equal(numbers(await scanned(store, "right/", "right0")));
  await closed(store);
}

/** Changes one byte of the text where it stands in a table file of the folder, or in another kind. */
async function flipByteOf(folder: string, text: Buffer, kind = ".ldb"): Promise<void> {
  for (const name of await readdir(folder)) {
    const at = name.endsWith(kind) ? (await readFile(join(folder, name))).indexOf(text) : -1;
    if (at < 0) continue;
    const file = await open(join(folder, name), "r+");
    await file.write(Buffer.from([(text[0] ?? 0) ^ 1]), 0, 1, at);
    await file.close();
    return;
  }
  throw new Error("the text is in no such file");
}
