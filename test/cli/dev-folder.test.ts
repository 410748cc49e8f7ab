import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { fullMessage } from "#base";
import { openDevFolder } from "../../src/cli/dev/create.ts";
import { temporaryFolder } from "./command-line.ts";

describe("the folder of a development cluster", function () {
  this.timeout(20_000);

  it("is refused, with what is wrong, where it is another cluster's than the options ask for, or a node's part of it is gone", async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const options = { folder: join(folder, "dev"), count: 4, basePort: 20_000 };
      const complaint = (change: object): Promise<string> => openDevFolder({ ...options, ...change }).then(() => "opened", fullMessage);
      expect((await openDevFolder(options)).isNew).to.equal(true);
      expect((await openDevFolder(options)).isNew).to.equal(false);
      expect(await complaint({ count: 7 })).to.include("has 4 nodes, not 7");
      expect(await complaint({ engine: "raft" })).to.include("runs pbft, not raft");
      rmSync(join(options.folder, "nodes", "node-2"), { recursive: true });
      expect(await complaint({}))
        .to.include("the folder of node-2 is gone")
        .and.include(options.folder);
    } finally {
      remove();
    }
  });
});
