import type { ChildProcess } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { basePort, endCommand, eventually, quorumgate, startCommand, temporaryFolder } from "./command-line.ts";

const NODES = ["bank-a", "bank-b", "exchange", "clearing"];

/** Each institution makes its own keys; what they share is public. */
describe("a cluster of four institutions", function () {
  this.timeout(120_000);
  const { folder, remove } = temporaryFolder();
  const at = (...parts: string[]): string => join(folder, ...parts);
  const port = basePort(2);
  const running: ChildProcess[] = [];
  let cluster: string;

  const json = async (...words: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await quorumgate([...words, "--json"]);
    expect(code, stderr).to.equal(0);
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  after(async () => {
    await Promise.all(running.map(endCommand));
    remove();
  });

  it("makes each node's keys in a folder of its own, and never replaces them", async () => {
    const initOf = (id: string, index: number): string[] => [
      ...["node", "init", "--id", id, "--trust-domain", "gate.example", "--out", at(id)],
      ...["--peer-address", `127.0.0.1:${port + 10 + index}`, "--http-url", `http://127.0.0.1:${port + index}`],
    ];
    await Promise.all(NODES.map((id, index) => json(...initOf(id, index))));
    expect((await quorumgate(initOf("bank-a", 0))).code).to.equal(2);
  });

  it("gives everybody with the same files the same genesis", async () => {
    await Promise.all(["operator-1", "auditor-1", "issuer-1", "pricing"].map((id) => json("identity", "new", id, "--out", at(id))));
    const time = new Date().toISOString();
    const genesisOf = (ids: readonly string[], out: string): Promise<Record<string, unknown>> =>
      json(
        ...["cluster", "genesis", ...ids.flatMap((id) => ["--member", at(id, "node.json")]), "--time", time],
        ...["--operator", at("operator-1", "identity.json"), "--auditor", at("auditor-1", "identity.json")],
        ...["--issuer", at("issuer-1", "identity.json"), "--out", at(out)],
      );
    const [first, second] = await Promise.all([genesisOf(NODES, "genesis.json"), genesisOf([...NODES].reverse(), "other.json")]);
    expect(second["cluster"]).to.equal(first["cluster"]);
    cluster = String(first["cluster"]);
  });

  it("starts no node before the cluster id is set, then all, and decides over HTTP by explicit addresses", async () => {
    const refused = await quorumgate(["node", "start", "--config", at("bank-a", "config.json")]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include("CONFIG_INVALID");
    for (const id of NODES) {
      copyFileSync(at("genesis.json"), at(id, "genesis.json"));
      const config = at(id, "config.json");
      writeFileSync(config, readFileSync(config, "utf8").replace("SET-THIS-TO-THE-CLUSTER-ID", cluster));
      running.push(startCommand(["node", "start", "--config", config]));
    }
    const target = ["--url", `http://127.0.0.1:${port}`, "--url", `http://127.0.0.1:${port + 1}`, "--cluster", cluster];
    const reader = [...target, "--identity", at("auditor-1")];
    await eventually("a quorum", async () => (await quorumgate(["status", ...reader])).code === 0, 20_000);
    const { nodes } = await json("status", ...reader);
    expect((nodes as { id: string }[]).map(({ id }) => id).sort()).to.deep.equal([...NODES].sort());
    await json("service", "register", "pricing", ...target, "--identity", at("pricing"), "--issuer", at("issuer-1"));
    await json("grant", "--service", "pricing", "--capability", "data:read", "--resource", "a", ...target, "--identity", at("operator-1"));
    const receipt = at("receipt");
    const asked = ["--service", "pricing", "--capability", "data:read", "--resource", "a", ...target, "--identity", at("pricing")];
    expect(await json("authorize", ...asked, "--receipt", receipt)).to.include({ outcome: "allowed" });
    const verified = await quorumgate(["verify", receipt, "--policy", at("genesis.json.policy")]);
    expect(verified.stdout)
      .to.match(/^VALID/)
      .and.not.to.include("DEVELOPMENT");
    const stranger = await quorumgate(["status", ...target, "--identity", at("issuer-1")]);
    expect(stranger.code).to.equal(1);
  });
});
