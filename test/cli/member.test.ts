import type { ChildProcess } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { basePort, endCommand, eventually, quorumgate, type Ran, startCommand, temporaryFolder } from "./command-line.ts";

/** A cluster of one node, which decides as every other does, with three operators of whom two have to approve. */
describe("the member commands", function () {
  this.timeout(120_000);
  const { folder, remove } = temporaryFolder();
  const at = (...parts: string[]): string => join(folder, ...parts);
  const port = basePort(4);
  const running: ChildProcess[] = [];
  let cluster = "";

  const json = async (...words: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await quorumgate([...words, "--json"]);
    expect(code, stderr).to.equal(0);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const refused = async (code: number, said: string | RegExp, ...words: string[]): Promise<void> => {
    const ran = await quorumgate(words);
    expect(ran.code, `${words.join(" ")}: ${ran.stdout}${ran.stderr}`).to.equal(code);
    expect(ran.stderr + ran.stdout).to.match(new RegExp(said));
  };
  const as = (identity: string): string[] => [
    ...["--url", `http://127.0.0.1:${port}`, "--cluster", cluster],
    ...["--identity", at(identity)],
  ];
  const approve = (file: string, operator: string, forCluster = cluster): Promise<Ran> =>
    quorumgate(["member", "approve", at(file), "--identity", at(operator), "--cluster", forCluster]);

  const configure = (id: string, settings: object = {}): void => {
    copyFileSync(at("genesis.json"), at(id, "genesis.json"));
    const config = JSON.parse(readFileSync(at(id, "config.json"), "utf8")) as object;
    writeFileSync(at(id, "config.json"), JSON.stringify({ ...config, genesisHash: cluster, ...settings }));
  };

  before(async () => {
    const initOf = (id: string, offset: number): string[] => [
      ...["node", "init", "--id", id, "--trust-domain", "gate.example", "--out", at(id)],
      ...["--peer-address", `127.0.0.1:${port + 10 + offset}`, "--http-url", `http://127.0.0.1:${port + offset}`],
    ];
    const people = ["operator-1", "operator-2", "operator-3", "auditor-1", "issuer-1"];
    await Promise.all([
      json(...initOf("bank-a", 0)),
      json(...initOf("bank-b", 1)),
      ...people.map((id) => json("identity", "new", id, "--out", at(id))),
    ]);
    const operators = [1, 2, 3].flatMap((number) => ["--operator", at(`operator-${number}`, "identity.json")]);
    const made = await json(
      ...["cluster", "genesis", "--member", at("bank-a", "node.json"), ...operators],
      ...["--auditor", at("auditor-1", "identity.json"), "--issuer", at("issuer-1", "identity.json"), "--out", at("genesis.json")],
    );
    cluster = String(made["cluster"]);
    configure("bank-a");
    running.push(startCommand(["node", "start", "--config", at("bank-a", "config.json")]));
    await eventually("the node decides", async () => (await quorumgate(["status", ...as("auditor-1")])).code === 0, 20_000);
  });

  after(async () => {
    await Promise.all(running.map(endCommand));
    remove();
  });

  it("write a change to a file that is never replaced, and refuse what is no single change", async () => {
    const file = ["--out", at("learner.json"), ...as("operator-1")];
    const proposed = await json("member", "propose", "--learner", at("bank-b", "node.json"), ...file);
    expect(proposed).to.include({ file: at("learner.json"), kind: "learner.add" });
    const other = ["--out", at("other.json"), ...as("operator-1")];
    await Promise.all([
      refused(2, "is there already", "member", "propose", "--remove", "bank-a", ...file),
      refused(2, "a change is one of", "member", "propose", ...other),
      refused(2, "a change is one of", "member", "propose", "--remove", "bank-a", "--drop-learner", "bank-b", ...other),
      refused(2, "--reweight", "member", "propose", "--reweight", "bank-a=0", ...other),
      refused(2, "there is no file", "member", "propose", "--learner", at("nobody.json"), ...other),
      refused(2, "there is no file", "member", "submit", at("nobody.json"), ...as("operator-1")),
    ]);
    expect(existsSync(at("other.json"))).to.equal(false);
  });

  it("refuse a change that too few approved, offline approvals for another cluster, and files that were touched", async () => {
    const text = readFileSync(at("learner.json"), "utf8");
    writeFileSync(at("touched.json"), text.replace("bank-b", "bank-x"));
    const [otherCluster, byAuditor, touched] = await Promise.all([
      approve("learner.json", "operator-2", "ab".repeat(32)),
      quorumgate(["member", "submit", at("learner.json"), ...as("auditor-1")]),
      approve("touched.json", "operator-2"),
      refused(1, "MEMBERSHIP_APPROVALS", "member", "submit", at("learner.json"), ...as("operator-1")),
    ]);
    expect([otherCluster.code, byAuditor.code, touched.code]).to.deep.equal([2, 1, 1]);
    expect(otherCluster.stderr).to.include("another cluster");
    expect(readFileSync(at("learner.json"), "utf8"), "nothing was added").to.equal(text);
  });

  it("admit a learner that more than half of the operators approved, once, and list it", async () => {
    const shown = await approve("learner.json", "operator-2");
    expect(shown.code, shown.stderr).to.equal(0);
    expect(shown.stdout)
      .to.include("approved by operator-2")
      .and.to.match(/node\.json sha256 [0-9a-f]{64}/);
    expect(await json("member", "submit", at("learner.json"), ...as("operator-1"))).to.include({ outcome: "applied" });
    const [members, text, status] = await Promise.all([
      json("member", "list", ...as("auditor-1")),
      quorumgate(["member", "list", ...as("auditor-1")]),
      quorumgate(["status", ...as("auditor-1")]),
      refused(1, "IDENTITY_EXISTS", "member", "submit", at("learner.json"), ...as("operator-3")),
    ]);
    expect((members["learners"] as { id: string }[]).map(({ id }) => id)).to.deep.equal(["bank-b"]);
    expect(status.stdout).to.include("epoch 0 since height 1: bank-a (1)\nlearners: bank-b\n");
    expect(text.stdout).to.match(/epoch 0.*bank-a +weight 1.*bank-b +learner/s);
  });

  it("begin a new epoch with other weights, after which the same approvals are stale", async () => {
    await json("member", "propose", "--reweight", "bank-a=3", "--out", at("weights.json"), ...as("operator-3"));
    expect((await approve("weights.json", "operator-1")).code).to.equal(0);
    expect((await approve("weights.json", "operator-1")).code, "approving again changes nothing").to.equal(0);
    expect((JSON.parse(readFileSync(at("weights.json"), "utf8")) as { approvals: unknown[] }).approvals).to.have.length(1);
    expect(await json("member", "submit", at("weights.json"), ...as("operator-3"))).to.include({ outcome: "applied" });
    await eventually("epoch 1", async () => (await json("member", "list", ...as("auditor-1")))["epoch"] === 1);
    await refused(1, "MEMBERSHIP_STALE", "member", "submit", at("weights.json"), ...as("operator-2"));
  });

  /** New keys for the node while it runs: made in its folder, named by a change, and put in the place of the old ones by the node. */
  const renewKeys = async (): Promise<void> => {
    const secret = (): string => readFileSync(at("bank-a", "keys", "log.key"), "utf8");
    const [before, old] = [secret(), readFileSync(at("bank-a", "node.json"))];
    const made = await json("node", "renew", "--dir", at("bank-a"));
    expect(secret(), "nothing changes before the change is active").to.equal(before);
    const file = ["member", "propose", "--renew", String(made["nodeFile"]), "--out", at("renewal.json"), ...as("operator-1")];
    const [proposed] = await Promise.all([quorumgate(file), refused(1, "IDENTITY_FOLDER_INVALID", "node", "renew", "--dir", at("bank-a"))]);
    expect(proposed.stdout)
      .to.include(`renew {"id":"bank-a"`)
      .and.to.include(`node.json sha256 ${String(made["sha256"])}`);
    expect((await approve("renewal.json", "operator-2")).code).to.equal(0);
    expect(await json("member", "submit", at("renewal.json"), ...as("operator-1"))).to.include({ outcome: "applied" });
    // One more block, of the new epoch: an idle cluster takes its time for it.
    await eventually("the change is active", async () => (await json("member", "list", ...as("auditor-1")))["epoch"] === 2);
    await refused(1, "MEMBERSHIP_STALE", "member", "submit", at("renewal.json"), ...as("operator-1"));
    await eventually("the keys are in their place", () => !existsSync(at("bank-a", "renewal")));
    expect(secret()).not.to.equal(before);
    expect(readFileSync(at("bank-a", "node.json")).equals(old)).to.equal(false);
  };

  it("leave a log whose export leads an auditor from the first members to the present ones", async () => {
    await renewKeys();
    await Promise.all([
      json("audit", "export", at("export"), ...as("auditor-1")),
      json("audit", "prove", "1", "--out", at("receipt"), "--epochs", at("epochs"), ...as("auditor-1")),
    ]);
    const policy = ["--policy", at("genesis.json.policy")];
    const handover = at("export", "epochs", "2");
    const whole = readFileSync(handover);
    expect(readFileSync(at("epochs", "2")).equals(whole)).to.equal(true);
    expect(readFileSync(at("export", "MANIFEST"), "utf8"))
      .to.include("  epochs/1\n")
      .and.to.include("  epochs/2\n");
    const [bundle, receipt] = await Promise.all([
      quorumgate(["verify", at("export"), ...policy]),
      quorumgate(["verify", at("receipt"), ...policy, "--epochs", at("epochs")]),
      refused(13, "NOT VALID", "verify", at("receipt"), ...policy),
    ]);
    expect([bundle.code, receipt.code], bundle.stdout + receipt.stdout).to.deep.equal([0, 0]);
    expect(bundle.stdout).to.include("handed over, step by step, to those of epoch 2");
    const altered = Uint8Array.from(whole);
    altered[400] = (altered[400] ?? 0) ^ 1;
    writeFileSync(handover, altered);
    expect((await quorumgate(["verify", at("export"), ...policy])).code).to.be.oneOf([10, 12, 13, 17]);
  });

  it("give a learner's node the contacts by which it finds the cluster", async () => {
    const { stdout } = await quorumgate(["member", "list", ...as("auditor-1"), "--json"]);
    writeFileSync(at("members.json"), stdout);
    writeFileSync(at("nobody.json"), "{}");
    configure("bank-b", { contacts: "../nobody.json" });
    await refused(1, "CONFIG_INVALID", "node", "start", "--config", at("bank-b", "config.json"));
    configure("bank-b", { contacts: "../members.json" });
    running.push(startCommand(["node", "start", "--config", at("bank-b", "config.json")]));
    await eventually("the learner follows", async () => {
      const ran = await quorumgate(["status", ...as("auditor-1"), "--json"]);
      const { nodes } = JSON.parse(ran.stdout) as { nodes: { id: string; status?: { mode: string; epoch: number } }[] };
      const learner = nodes.find(({ id }) => id === "bank-b")?.status;
      return learner?.mode === "following" && learner.epoch === 2;
    });
    expect((await quorumgate(["doctor", ...as("auditor-1")])).stdout).to.include("every node that answers votes");
  });
});
