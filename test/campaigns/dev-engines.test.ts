import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { basePort, endCommand, eventually, firstLine, quorumgate, type Ran, startCommand, temporaryFolder } from "../cli/command-line.ts";

/** What tells the engines apart for whoever asks: raft tolerates crashes only, and says so. */
const ENGINES = [
  { engine: "tendermint", port: 1, survives: /^survives 1 faulty node\n/, critical: /^ALLOWED/, notice: /^VALID/ },
  {
    engine: "raft",
    port: 2,
    survives: /^survives 1 crashed node, none that lies\n/,
    critical: /AUTHZ_ENGINE_TOO_WEAK/,
    notice: /CRASH FAULTS ONLY/,
  },
];

for (const { engine, port, survives, critical, notice } of ENGINES) {
  describe(`a development cluster of ${engine}`, function () {
    this.timeout(120_000);
    const { folder, remove } = temporaryFolder();
    const data = join(folder, "dev");
    let orchestrator: ChildProcess;

    const run = (...words: string[]): Promise<Ran> => quorumgate([...words, "--data", data]);
    const dev = async (...words: string[]): Promise<void> => {
      const { code, stderr } = await run("dev", ...words);
      expect(code, stderr).to.equal(0);
    };
    const authorize = (capability: string, resource: string): Promise<Ran> =>
      run("authorize", "--service", "trading-service-001", "--capability", capability, "--resource", resource, "--explain");
    const decides = async (): Promise<boolean> => (await authorize("data:read", "positions/today")).code === 0;
    const status = async (): Promise<{ canDecide: boolean; waitingFor: string[] }> =>
      JSON.parse((await run("status", "--json")).stdout) as { canDecide: boolean; waitingFor: string[] };

    before(async () => {
      orchestrator = startCommand(["dev", "--json", "--engine", engine, "--data", data, "--base-port", String(basePort(port))]);
      await firstLine(orchestrator);
    });

    after(async () => {
      await endCommand(orchestrator);
      remove();
    });

    it("says what it survives, and gives a receipt that verifies", async () => {
      expect((await run("status")).stdout).to.match(survives);
      const { stdout } = await run("verify", "last");
      expect(stdout)
        .to.match(/^VALID/)
        .and.to.match(notice);
    });

    it("decides what is critical only where no single liar can make it", async () => {
      expect((await authorize("compute:execute", "orders/rebalance")).stdout).to.match(critical);
    });

    it("goes on without one node, not without two, and again with all", async () => {
      await dev("kill", "1");
      expect(await decides()).to.equal(true);
      await dev("kill", "3");
      await eventually("no quorum", async () => !(await status()).canDecide);
      expect((await status()).waitingFor).to.include.members(["node-1", "node-3"]);
      for (const node of ["1", "3"]) await dev("start", node);
      expect(await decides()).to.equal(true);
    });

    it("answers while a node is paused, and says at once whom it waits for", async () => {
      await dev("pause", "2");
      expect((await status()).waitingFor).to.deep.equal(["node-2"]);
      expect((await run("dev", "start", "2")).stderr).to.match(/node-2 is paused; `quorumgate dev resume 2`/);
      expect(await decides()).to.equal(true);
      await dev("resume", "2");
    });

    it("decides nothing while it is cut in half, and again once it is healed", async () => {
      await dev("partition", "1,2/3,4");
      await eventually("no quorum", async () => !(await status()).canDecide);
      expect(await decides()).to.equal(false);
      await dev("heal");
      await eventually("a quorum", async () => (await status()).canDecide);
      expect(await decides()).to.equal(true);
    });
  });
}
