import { join } from "node:path";
import { expect } from "chai";
import type { EngineName } from "#base";
import { listenForCommands } from "../../src/cli/dev/control.ts";
import { openDevFolder } from "../../src/cli/dev/create.ts";
import { devPaths, socketPath } from "../../src/cli/dev/folder.ts";
import { basePort, quorumgate, type Ran, temporaryFolder } from "./command-line.ts";

describe("dev lie", function () {
  this.timeout(60_000);

  /** What the command says where a cluster of this kind does what it is told. */
  async function told(shape: { readonly engine: EngineName; readonly count: number }, ...words: string[]): Promise<Ran> {
    const { folder, remove } = temporaryFolder();
    const data = join(folder, "dev");
    await openDevFolder({ ...shape, folder: data, basePort: basePort(6) });
    const server = await listenForCommands(socketPath(devPaths(data).socket), async () => "node-3 is now: something");
    try {
      return await quorumgate(["dev", "lie", ...words, "--data", data]);
    } finally {
      server.close();
      remove();
    }
  }

  it("warns that Raft tolerates crashes only, as text and in --json, and not of an honest node", async () => {
    const raft = { engine: "raft", count: 4 } as const;
    const [text, json, honest] = await Promise.all([
      told(raft, "3", "equivocate"),
      told(raft, "3", "silent", "--json"),
      told(raft, "3", "honest"),
    ]);
    expect(text).to.include({ code: 0, stdout: "node-3 is now: something\n" });
    expect(text.stderr).to.match(/^warning: raft tolerates crashes only: .*\n$/);
    expect(json.stderr).to.equal("");
    expect(JSON.parse(json.stdout).warning).to.match(/^raft tolerates crashes only/);
    expect(honest.stderr).to.equal("");
  });

  it("warns where the nodes are too few to tolerate a liar, and not where they are enough", async () => {
    const [three, four] = await Promise.all([
      told({ engine: "pbft", count: 3 }, "3"),
      told({ engine: "tendermint", count: 4 }, "3", "equivocate", "--json"),
    ]);
    expect(three.stderr).to.match(/^warning: 3 nodes tolerate no liar/);
    expect(JSON.parse(four.stdout)).not.to.have.property("warning");
  });
});
