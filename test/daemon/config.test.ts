import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { readConfig } from "#daemon";
import { startDaemonProcess } from "./daemon-process.ts";

const WHOLE = {
  node: "node-1",
  genesis: "genesis.json",
  genesisHash: "0".repeat(64),
  keys: ".",
  data: "data",
  anchor: "guard/anchor",
  listen: { peer: "127.0.0.1:0", http: "127.0.0.1:0" },
};

describe("a node's configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-config-"));
  const file = join(folder, "config.json");
  after(() => rmSync(folder, { recursive: true, force: true }));

  const complaint = (content: string): string => {
    writeFileSync(file, content);
    try {
      readConfig(file);
      return "it reads";
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      return `${code}: ${message}`;
    }
  };

  it("gives paths from the folder of its file, and defaults", () => {
    expect(complaint(JSON.stringify(WHOLE))).to.equal("it reads");
    expect(readConfig(file)).to.include({ data: join(folder, "data"), anchor: join(folder, "guard/anchor"), logLevel: "info" });
  });

  it("is refused with the name of what is wrong in it", () => {
    const wrong: readonly (readonly [change: object, complaint: RegExp])[] = [
      [{ genesisHash: "abc" }, /genesisHash must be the cluster id/],
      [{ listen: { peer: "nowhere", http: "127.0.0.1:0" } }, /listen\.peer must be host:port/],
      [{ peers: { "node-2": "127.0.0.1" } }, /peers\.node-2 must be host:port/],
      [{ node: undefined }, /node /],
      [{ colour: "blue" }, /"colour"/],
      [{ requestTimeoutMs: 1 }, /requestTimeoutMs /],
      [{ logLevel: "loud" }, /logLevel /],
      [{ anchor: "data/anchor" }, /the anchor stands outside the data folder/],
    ];
    for (const [change, text] of wrong)
      expect(complaint(JSON.stringify({ ...WHOLE, ...change })))
        .to.match(/^CONFIG_INVALID/)
        .and.match(text);
    for (const text of ["", "{", "[]", "null"]) expect(complaint(text)).to.match(/^CONFIG_INVALID/);
  });

  it("ends a process that is given none, or one that cannot be read, with its code on one line", async () => {
    const processes = [[], ["--config", join(folder, "nowhere.json")], ["--confg", file]].map((words) => startDaemonProcess(words));
    for (const { ended, told, log } of processes) {
      expect(await told).to.include({ type: "failed" });
      expect(await ended).to.equal(1);
      expect(log()).to.match(/^\{"code":"[A-Z_]+","message":.*\}\n$/);
    }
  }).timeout(20_000);
});
