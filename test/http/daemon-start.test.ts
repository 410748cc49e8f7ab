import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { loggerOf, type NodeConfig, readConfig, startDaemon } from "#daemon";
import { expectCodeLater } from "../refusals.ts";
import { ServedNode } from "./served-node.ts";

describe("a daemon that is configured wrongly", () => {
  const served = new ServedNode();
  let config: NodeConfig;
  const start = (changed: Partial<NodeConfig>): ReturnType<typeof startDaemon> => startDaemon({ ...config, ...changed }, loggerOf(config));

  before(async () => {
    await served.begin();
    config = readConfig(join(served.folder, "config.json"));
    await served.daemon.stop();
  });
  const taken = createServer();
  after(async () => {
    taken.close();
    await served.end();
  });

  it("touches nothing: not with another node's keys, nor with HTTP in the open", async () => {
    const untouched = join(served.folder, "never-made");
    await expectCodeLater("CONFIG_INVALID", () => start({ node: "node-2", data: untouched }));
    await expectCodeLater("CONFIG_INVALID", () => start({ listen: { ...config.listen, http: "0.0.0.0:0" }, data: untouched }));
    await expectCodeLater("GENESIS_INVALID", () => start({ genesisHash: "0".repeat(64), data: untouched }));
    expect(() => readConfig(join(untouched, "CURRENT"))).to.throw();
  });

  it("meets the same error when it starts again, and starts when that is mended", async () => {
    taken.listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as { port: number };
    const http = { listen: { ...config.listen, http: `127.0.0.1:${port}` } };
    const peer = { listen: { ...config.listen, peer: `127.0.0.1:${port}` } };
    for (const settings of [http, http, peer, peer]) {
      const refusal = await start(settings).then(
        () => "it started",
        (error: Error) => `${error.message} ${(error as { code?: string }).code}`,
      );
      expect(refusal).to.not.include("STORAGE_LOCKED").and.not.include("it started");
    }
    taken.close();
    const daemon = await start({});
    await daemon.stop();
  });
});
