import type { ChildProcess } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { encodeCanonical, parseHash, signedCommandToJson, toBase64Url } from "#base";
import { loadSodium, signCommand } from "#crypto";
import { loadServiceKey, serviceSignerOf } from "#identity";
import { sendCommand } from "../../src/cli/dev/control.ts";
import { socketPath } from "../../src/cli/dev/folder.ts";
import {
  basePort,
  endCommand,
  eventually,
  firstLine,
  isAlive,
  quorumgate,
  type Ran,
  startCommand,
  temporaryFolder,
} from "./command-line.ts";

interface Started {
  readonly cluster: string;
  readonly nodes: readonly { readonly id: string; readonly url: string; readonly pid: number }[];
  readonly decision: { readonly id: string; readonly outcome: string; readonly seq: number };
  readonly receipt: string;
  readonly policyFile: string;
  readonly elapsedMs: number;
}

/** One cluster of four processes for the whole file: the tests follow each other as a visitor's steps do. */
describe("a development cluster", function () {
  this.timeout(120_000);
  const { folder, remove } = temporaryFolder();
  const data = join(folder, "dev");
  let orchestrator: ChildProcess;
  let started: Started;

  const run = (...words: string[]): Promise<Ran> => quorumgate([...words, "--data", data]);
  const authorize = (...words: string[]): Promise<Ran> => run("authorize", "--service", "trading-service-001", ...words);
  const allowed = async (): Promise<boolean> => (await authorize("--capability", "compute:execute", "--resource", "orders/one")).code === 0;
  const status = async (): Promise<{ canDecide: boolean; summary: string; waitingFor: string[] }> =>
    JSON.parse((await run("status", "--json")).stdout) as { canDecide: boolean; summary: string; waitingFor: string[] };

  before(async () => {
    orchestrator = startCommand(["dev", "--json", "--data", data, "--base-port", String(basePort(0))]);
    started = JSON.parse(await firstLine(orchestrator)) as Started;
  });

  after(async () => {
    await endCommand(orchestrator);
    remove();
  });

  it("shows an allowed, ordered decision with three signatures of each kind", () => {
    expect(started.nodes).to.have.length(4);
    expect(started.decision.outcome).to.equal("allowed");
    expect(started.receipt.split("\n").filter((line) => line.startsWith("— "))).to.have.length(6);
    expect(started.elapsedMs).to.be.greaterThan(0);
  });

  it("gives a receipt that verifies in a folder with nothing but the policy, and names what is wrong after a change", async () => {
    const alone = join(folder, "alone");
    mkdirSync(alone);
    writeFileSync(join(alone, "receipt"), started.receipt);
    copyFileSync(started.policyFile, join(alone, "policy"));
    const valid = await quorumgate(["verify", "receipt", "--policy", "policy", "--json"], { cwd: alone });
    expect(valid.code).to.equal(0);
    expect(JSON.parse(valid.stdout)).to.deep.include({ ok: true, exitCode: 0 });
    writeFileSync(join(alone, "receipt"), started.receipt.replace(/index (\d+)/, "index 1$1"));
    expect((await quorumgate(["verify", "receipt", "--policy", "policy"], { cwd: alone })).code).to.be.oneOf([10, 17]);
  });

  it("lets nobody else at its sockets", () => {
    const modeOf = (path: string): number => statSync(path).mode & 0o777;
    expect([modeOf(join(data, "dev.sock")), modeOf(data)]).to.deep.equal([0o600, 0o700]);
  });

  it("is healthy by status and doctor, and says on stderr that it is the development cluster", async () => {
    const [shown, doctor] = await Promise.all([run("status"), run("doctor")]);
    expect([shown.code, doctor.code], doctor.stdout).to.deep.equal([0, 0]);
    expect(shown.stdout).to.match(/^survives 1 faulty node\n/);
    expect(shown.stderr).to.include(`development cluster ${started.cluster.slice(0, 8)}`);
  });

  it("registers, grants, decides, explains a denial and revokes", async () => {
    expect((await run("service", "register", "pricing", "--role", "pricing")).code).to.equal(0);
    const grant = await run("grant", "--service", "pricing", "--capability", "data:read", "--resource", "prices/*", "--json");
    expect(grant.code, grant.stderr).to.equal(0);
    const ask = (resource: string): Promise<Ran> =>
      run("authorize", "--service", "pricing", "--capability", "data:read", "--resource", resource, "--explain");
    expect((await ask("prices/gold")).code).to.equal(0);
    const denied = await ask("orders/gold");
    expect(denied.code).to.equal(1);
    expect(denied.stdout)
      .to.include("AUTHZ_RESOURCE_DENIED")
      .and.to.match(/resources: +prices\/\*/);
    const { decisionId } = JSON.parse(grant.stdout) as { decisionId: string };
    expect((await run("ungrant", decisionId, "--reason", "done")).code).to.equal(0);
    expect((await run("service", "revoke", "pricing", "--reason", "done")).code).to.equal(0);
    expect((await ask("prices/gold")).stdout).to.include("IDENTITY_REVOKED");
  });

  it("proves an entry and exports the log, and both verify; a changed export does not", async () => {
    const [proof, exported] = [join(folder, "proof"), join(folder, "export")];
    expect((await run("audit", "prove", String(started.decision.seq), "--out", proof)).code).to.equal(0);
    expect((await quorumgate(["verify", proof, "--policy", started.policyFile])).code).to.equal(0);
    const copied = await run("audit", "export", exported, "--json");
    expect(copied.code, copied.stderr).to.equal(0);
    expect((await quorumgate(["verify", exported, "--policy", started.policyFile])).code).to.equal(0);
    const { entries } = JSON.parse(copied.stdout) as { entries: number };
    const tile = join(exported, `tile/entries/000${entries < 256 ? `.p/${entries}` : ""}`);
    const bytes = readFileSync(tile);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(tile, bytes);
    expect((await quorumgate(["verify", exported, "--policy", started.policyFile])).code).to.be.oneOf([10, 17]);
  });

  it("finds a decision by the beginning of its id", async () => {
    const { code, stdout } = await run("explain", started.decision.id.slice(0, 12), "--json");
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.include({ decisionId: started.decision.id, outcome: "allowed" });
  });

  it("keeps `last` for the newest decision", async () => {
    await authorize("--capability", "data:delete");
    const { stdout } = await run("explain", "last", "--json");
    expect(JSON.parse(stdout)).to.include({ outcome: "denied", reason: "AUTHZ_NO_GRANT" });
    expect((await run("verify", "last")).code).to.equal(0);
  });

  it("goes on without one node, says for whom it waits without two, and goes on when they are back", async () => {
    await run("dev", "kill", "1");
    expect(await allowed()).to.equal(true);
    await run("dev", "kill", "3");
    await eventually("no quorum", async () => !(await status()).canDecide);
    const { summary, waitingFor } = await status();
    expect(summary).to.match(/^cannot decide: 2 of 3 needed votes; waiting for node-1, node-3/);
    expect(waitingFor).to.include.members(["node-1", "node-3"]);
    await run("dev", "start", "3");
    const file = join(data, "nodes", "node-1", "node.json");
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, 300));
    const refused = await run("dev", "start", "1", "--json");
    expect(refused.code).to.equal(1);
    const { error } = JSON.parse(refused.stdout) as { error: Record<string, string> };
    expect(error["code"], "why the node did not start, not that the command failed").to.equal("IDENTITY_FOLDER_INVALID");
    expect(error["message"]).to.include(file);
    writeFileSync(file, whole);
    expect((await run("dev", "start", "1")).code).to.equal(0);
    expect(await allowed()).to.equal(true);
  });

  it("has measured that views changed and that blocks were fetched", async () => {
    const sum = async (metric: string): Promise<number> => {
      const values = await Promise.all(
        started.nodes.map(async ({ url }) => {
          const text = await (
            await fetch(`${url}/metrics`, { headers: { authorization: await accessToken(data, started.cluster) } })
          ).text();
          return Number(new RegExp(`^${metric} (\\d+)$`, "m").exec(text)?.[1]);
        }),
      );
      return values.reduce((total, value) => total + value, 0);
    };
    await eventually("a changed view", async () => (await sum("quorumgate_view_changes_total")) > 0);
    await eventually("fetched blocks", async () => (await sum("quorumgate_sync_blocks_total")) > 0);
  });

  it("decides nothing while it is cut in half, and again once it is healed", async () => {
    expect((await run("dev", "partition", "1,2/3,4")).code).to.equal(0);
    await eventually("no quorum", async () => !(await status()).canDecide);
    expect((await run("dev", "heal")).code).to.equal(0);
    await eventually("a quorum", async () => (await status()).canDecide);
    expect(await allowed()).to.equal(true);
  });

  it("answers while a node is paused", async () => {
    await run("dev", "pause", "2");
    expect(await allowed()).to.equal(true);
    expect((await run("dev", "pause", "2")).stderr).to.include("node-2 is paused already");
    expect((await run("dev", "resume", "2")).code).to.equal(0);
    expect((await run("dev", "resume", "2")).stderr).to.include("node-2 is not paused");
  });

  it("goes on beside a node that lies, until it is honest again", async () => {
    const nonsense = await run("dev", "lie", "3", "nonsense");
    expect(nonsense.stderr).to.include("DEV_COMMAND_FAILED").and.to.include("silent, selective");
    // Who is behind for a moment takes no part in the next decision, and has nothing to lie about.
    const lies = (kind: string, next: string): Promise<void> =>
      eventually(`node-3 deviates as ${kind}`, async () => {
        expect((await run("dev", "lie", "3", kind)).stdout).to.match(new RegExp(`^node-3 is now: ${kind}\\b`));
        expect(await allowed()).to.equal(true);
        const { stdout } = await run("dev", "lie", "3", next);
        return new RegExp(`^node-3 is now: ${next}; as what it was before, it deviated [1-9]\\d* times\n$`).test(stdout);
      });
    await lies("equivocate", "forge");
    await lies("forge", "honest");
    expect(await allowed()).to.equal(true);
  });

  it("has the lie on record, and proposes to remove the liar, which is for operators to do", async () => {
    await run("dev", "lie", "3", "equivocate");
    await eventually(
      "evidence is on record",
      async () => {
        expect(await allowed()).to.equal(true);
        return /^evidence: double-(vote|proposal) by node-3, .*, entry \d+$/m.test((await run("status")).stdout);
      },
      30_000,
    );
    expect((await run("dev", "lie", "3", "honest")).code).to.equal(0);
    const file = join(folder, "removal.json");
    const [list, doctor, proposed, nobody] = await Promise.all([
      run("member", "list"),
      run("doctor"),
      run("member", "propose", "--accused", "node-3", "--out", file),
      run("member", "propose", "--accused", "node-1", "--out", join(folder, "other.json")),
    ]);
    expect(list.stdout).to.match(/proposed because of evidence \S+: remove node-3 \(would be refused as it stands: MEMBERSHIP_INVALID\)/);
    expect(doctor.code).to.equal(1);
    expect(doctor.stdout).to.match(/✖ evidence: on record against node-3\n {4}do: /);
    expect(proposed.stdout).to.include('"remove":["node-3"]');
    expect(nobody.stderr).to.include("proposes nothing about node-1");
    const submitted = await run("member", "submit", file);
    expect([submitted.code, submitted.stdout + submitted.stderr]).to.satisfy(
      ([code, said]: [number, string]) => code === 1 && said.includes("MEMBERSHIP_INVALID"),
    );
  });

  it("tells a node that was started honestly in vain to lie", async () => {
    const socket = join(data, "nodes", "node-1", "node.sock");
    const refusal = await sendCommand(socketPath(socket), { command: "lie", kind: "silent" }).catch((error: unknown) => error);
    expect(refusal).to.include({ code: "DEV_COMMAND_FAILED" });
    expect(String(refusal)).to.include("cannot lie");
  });

  it("refuses what cannot be done, and a second process from its folder, which leaves it alone", async () => {
    expect((await run("dev", "kill", "9")).stderr).to.include("DEV_COMMAND_FAILED");
    expect((await run("dev", "start", "2")).stderr).to.include("running already");
    const second = await quorumgate(["dev", "--once", "--data", data, "--base-port", String(basePort(1))]);
    expect(second.code).to.equal(1);
    expect(second.stderr).to.include("running from this folder already");
    expect(await allowed()).to.equal(true);
  });

  it("takes its nodes with it when it is killed, and starts again with its data", async () => {
    const { nodes } = started;
    orchestrator.kill("SIGKILL");
    const pids = nodes.map(({ pid }) => pid);
    await eventually("no node is left", () => !pids.some(isAlive));
    const again = await quorumgate(["dev", "--once", "--json", "--data", data, "--base-port", String(basePort(0))]);
    expect(again.code, again.stderr).to.equal(0);
    const restarted = JSON.parse(again.stdout) as Started;
    expect(restarted.cluster).to.equal(started.cluster);
    expect(restarted.decision.seq).to.be.greaterThan(started.decision.seq);
    expect(restarted.nodes.map(({ pid }) => pid).some(isAlive)).to.equal(false);
  });
});

/** What the auditor's requests carry. */
async function accessToken(data: string, cluster: string): Promise<string> {
  const sodium = await loadSodium();
  const auditor = loadServiceKey(sodium, join(data, "identities", "auditor"));
  const issuedAtUs = Date.now() * 1_000;
  const times = { issuedAtUs, expiresAtUs: issuedAtUs + 60_000_000 };
  const signed = await signCommand(serviceSignerOf(sodium, auditor), {
    cluster: parseHash(cluster),
    kind: "access",
    issuer: auditor.id,
    body: {},
    ...times,
  });
  return `Signed ${toBase64Url(encodeCanonical(signedCommandToJson(signed)))}`;
}
