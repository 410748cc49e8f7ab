import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect } from "chai";
import { errorCode, fullMessage } from "#base";
import { loadSodium } from "#crypto";
import { loggerOf, readConfig, startDaemon } from "#daemon";
import { developmentGenesis, developmentNode, writeNodeFolder } from "../development-cluster.ts";
import { startDaemonProcess } from "./daemon-process.ts";

/** What may be said of a file that is damaged; what is said of one that is gone is among them. */
const CODES = ["CONFIG_INVALID", "GENESIS_INVALID", "IDENTITY_FOLDER_INVALID", "SECRET_FILE_UNREADABLE"];

describe("a node one of whose files is gone, cut in half or empty", function () {
  this.timeout(20_000);
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-files-"));
  const whole = join(folder, "whole");
  let copies = 0;

  before(async () => {
    const sodium = await loadSodium();
    const identity = developmentNode(sodium, "node-1");
    mkdirSync(whole);
    await writeNodeFolder(whole, identity, developmentGenesis(sodium, [identity]));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const damages: Readonly<Record<string, (file: string) => void>> = {
    gone: (file) => rmSync(file),
    "cut in half": (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
    empty: (file) => truncateSync(file, 0),
  };

  /** A copy of the node's folder with that damage; gives the damaged file. */
  function damaged(name: string, how: string): { readonly config: string; readonly file: string } {
    const copy = join(folder, String(copies++));
    cpSync(whole, copy, { recursive: true });
    const file = join(copy, name);
    damages[how]?.(file);
    return { config: join(copy, "config.json"), file };
  }

  it("says which, with a code that says what to do", async () => {
    const keys = readdirSync(join(whole, "keys")).map((name) => join("keys", name));
    expect(keys).to.have.length(6);
    for (const name of ["node.json", "genesis.json", "config.json", ...keys]) {
      for (const how of Object.keys(damages)) {
        const { config, file } = damaged(name, how);
        const start = async (): Promise<unknown> => startDaemon(readConfig(config), loggerOf(readConfig(config)));
        const failure = await start().catch((error: unknown) => error);
        expect(CODES, `${name} ${how}`).to.include(errorCode(failure));
        expect(fullMessage(failure), `${name} ${how}`).to.include(file);
      }
    }
  });

  it("names the folder as the operator did, also to the process that started it", async () => {
    const { config, file } = damaged("node.json", "cut in half");
    const { told, ended, log } = startDaemonProcess(["--config", relative(process.cwd(), config)]);
    const message = await told;
    expect(message).to.include({ type: "failed", code: "IDENTITY_FOLDER_INVALID" });
    expect(message).to.have.property("message").that.includes(file);
    expect(await ended).to.equal(1);
    expect(JSON.parse(log())).to.deep.include({ code: "IDENTITY_FOLDER_INVALID", data: { path: file } });
  });
});
