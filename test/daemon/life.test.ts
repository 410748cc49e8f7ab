import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadSodium, type Signer } from "#crypto";
import { SecurityGateway } from "#gateway";
import { serviceSignerOf } from "#identity";
import { type DevelopmentGenesis, developmentGenesis, developmentNodes, writeNodeFolder } from "../development-cluster.ts";
import { askOf, enroll } from "../enroll.ts";
import { addressOf, type DaemonProcess, freePorts, startDaemonProcess } from "./daemon-process.ts";

const DAY_MS = 86_400_000;
const QUESTION = askOf("service-1", { riskLevel: "safe", resources: ["market-data"] });

describe("a node's process", function () {
  this.timeout(60_000);
  const running: DaemonProcess[] = [];
  const folders: string[] = [];

  function start(config: string): DaemonProcess {
    const daemon = startDaemonProcess(["--config", config]);
    running.push(daemon);
    return daemon;
  }
  afterEach(async () => {
    for (const { child } of running) child.kill("SIGKILL");
    await Promise.all(running.splice(0).map(({ ended }) => ended));
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  /** Configurations of a cluster's nodes. @param ageDays how long ago the node of that number got its certificate; the cluster is as old as node 1 */
  async function cluster(
    nodes: number,
    ageDays: (node: number) => number = () => 0,
  ): Promise<{ readonly configs: readonly string[]; readonly genesis: DevelopmentGenesis; readonly signers: Map<string, Signer> }> {
    const sodium = await loadSodium();
    const ports = await freePorts(nodes);
    const agoMs = (node: number): number => Date.now() - ageDays(node) * DAY_MS;
    const identities = developmentNodes(sodium, nodes, (node) => ({ peerAddress: `127.0.0.1:${ports[node - 1]}`, nowMs: agoMs(node) }));
    const genesis = developmentGenesis(sodium, identities, { nowMs: agoMs(1) });
    const folder = mkdtempSync(join(tmpdir(), "quorumgate-daemon-"));
    folders.push(folder);
    const configs: string[] = [];
    for (const [at, identity] of identities.entries()) {
      mkdirSync(join(folder, identity.member.id));
      const listen = { peer: `127.0.0.1:${ports[at]}`, http: "127.0.0.1:0" };
      configs.push(await writeNodeFolder(join(folder, identity.member.id), identity, genesis, { listen, logLevel: "warn" }));
    }
    return { configs, genesis, signers: new Map([["operator-1", serviceSignerOf(sodium, genesis.operator)]]) };
  }

  async function ready(url: string): Promise<{ readonly status: number; readonly code?: string }> {
    const response = await fetch(`${url}/health/ready`);
    const { code } = (await response.json()) as { code?: string };
    return { status: response.status, ...(code === undefined ? {} : { code }) };
  }

  /** Waits until a node's readiness is as wanted; a test that hangs ends by its own time. */
  async function becomes(url: string, status: number): Promise<void> {
    while ((await ready(url)).status !== status) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  it("is not ready before a quorum votes, is when it does, and is no more when that one is gone", async () => {
    const { configs } = await cluster(2);
    const [first, second] = configs as [string, string];
    const url = await addressOf(start(first));
    expect(await ready(url)).to.deep.equal({ status: 503, code: "QUORUM_NODE_RECOVERING" });
    const other = start(second);
    await becomes(await addressOf(other), 200);
    await becomes(url, 200);
    other.child.kill("SIGKILL");
    await becomes(url, 503);
    expect(await ready(url)).to.deep.equal({ status: 503, code: "QUORUM_UNAVAILABLE" });
  });

  it("stops under load with exit code 0, and has everything that it acknowledged when it is started again", async () => {
    const { configs, genesis, signers } = await cluster(1);
    const [config = ""] = configs;
    const sodium = await loadSodium();
    const access = { id: "operator-1", signer: serviceSignerOf(sodium, genesis.operator) };
    const connect = (url: string): Promise<SecurityGateway> =>
      SecurityGateway.connect({ urls: [url], cluster: genesis.cluster, signers, access, timeoutMs: 2_000 });
    const daemon = start(config);
    const url = await addressOf(daemon);
    await becomes(url, 200);
    const gateway = await connect(url);
    const issuer = { id: genesis.issuer.id, signer: serviceSignerOf(sodium, genesis.issuer) };
    await enroll(gateway, { id: "service-1", cluster: genesis.cluster, issuer, signers, resources: ["market-data"] });

    const acknowledged: string[] = [];
    const outcomes = new Set<string>();
    const ask = async (): Promise<void> => {
      while (!outcomes.has("unavailable")) {
        const { outcome, consensusId } = await gateway.authorizeOperation(QUESTION);
        outcomes.add(outcome);
        if (outcome !== "allowed") continue;
        acknowledged.push(consensusId);
        // Once: a second signal ends a process that is stopping.
        if (acknowledged.length === 40) daemon.child.kill("SIGTERM");
      }
    };
    await Promise.all(Array.from({ length: 8 }, ask));
    expect(await daemon.ended).to.equal(0);
    expect([...outcomes]).to.have.members(["allowed", "unavailable"]);
    await gateway.stop();

    const again = await connect(await addressOf(start(config)));
    for (const id of acknowledged) expect(await again.decision(id), id).to.include({ outcome: "allowed" });
    await again.stop();
  });

  it("ends with the process that started it", async () => {
    const { configs } = await cluster(1);
    const daemon = start(configs[0] ?? "");
    await addressOf(daemon);
    daemon.child.disconnect();
    expect(await daemon.ended).to.equal(0);
  });

  it("leaves a folder that another one has to that one", async () => {
    const { configs } = await cluster(1);
    const [config = ""] = configs;
    const url = await addressOf(start(config));
    const second = start(config);
    expect(await second.told).to.include({ type: "failed", code: "STORAGE_LOCKED" });
    expect(await second.ended).to.equal(1);
    await becomes(url, 200);
  });

  it("says at its start that its certificate runs out, or has; the others refuse it then", async () => {
    const { configs } = await cluster(2, (node) => (node === 2 ? 366 : 364));
    const [first = "", second = ""] = configs;
    const refusing = start(first);
    const url = await addressOf(refusing);
    const expired = start(second);
    await addressOf(expired);
    expect(expired.log()).to.include("certificate expired");
    while (!/certificate has expired.*transport\.peer-refused/.test(refusing.log())) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(refusing.log()).to.include("certificate expires");
    expect(await ready(url)).to.include({ status: 503 });
  });
});
