import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { policyOf, policyText, shardAt } from "#audit";
import { type EngineName, type Hash, parseGenesis } from "#base";
import { type Ed25519, loadSodium, nodeHasher, type Signer } from "#crypto";
import { initializeNodeData } from "#daemon";
import { type AuthorizationQuestion, type NodeStatus, SecurityGateway } from "#gateway";
import { loadNodeIdentity, type NodeIdentity, renewNodeIdentity, saveNodeIdentity, saveRenewal, serviceSignerOf } from "#identity";
import { developmentGenesis, developmentNode } from "../development-cluster.ts";
import { askOf, enroll } from "../enroll.ts";
import { REPOSITORY } from "../repository.ts";

const START_TIMEOUT_MS = 20_000;
const PRLIMIT = "/usr/bin/prlimit";
const CLOCK_SHIFT = pathToFileURL(join(REPOSITORY, "dist/test/campaigns/clock-shift.js")).href;

/** When nodes prune; as usual when absent. */
export interface Pruning {
  readonly checkpointInterval: number;
  readonly blocksKept: number;
}

/** A cluster of daemon processes over mutual TLS and LevelDB, in a temporary folder. */
export class ProcessCluster {
  readonly folder: string = mkdtempSync(join(tmpdir(), "quorumgate-"));
  readonly urls: string[];
  readonly signers: Map<string, Signer> = new Map();
  #cluster: Hash | undefined;
  readonly #basePort: number;
  readonly #processes = new Map<number, ChildProcess>();
  #operator: Signer | undefined;

  readonly #left = new Set<number>();
  readonly #engine: EngineName;
  readonly #pruning: Pruning | undefined;

  constructor(options: { readonly nodes: number; readonly basePort: number; readonly engine?: EngineName; readonly pruning?: Pruning }) {
    this.#pruning = options.pruning;
    this.#engine = options.engine ?? "pbft";
    this.#basePort = options.basePort;
    this.urls = Array.from({ length: options.nodes }, (_, index) => `http://127.0.0.1:${options.basePort + index + 1}`);
  }

  /** Numbers of all nodes but those that left. */
  get nodes(): readonly number[] {
    return this.urls.map((_, index) => index + 1).filter((node) => !this.#left.has(node));
  }

  get cluster(): Hash {
    if (this.#cluster === undefined) throw new Error("the cluster has not begun");
    return this.#cluster;
  }

  /** Makes keys, genesis and folders, and starts every node. */
  async begin(): Promise<void> {
    const sodium = await loadSodium();
    const identities = this.urls.map((_, index) => this.#identity(sodium, index + 1));
    const { bytes, cluster, operator, issuer } = developmentGenesis(sodium, identities, {
      engine: this.#engine,
      ...(this.#pruning === undefined ? {} : { checkpointInterval: this.#pruning.checkpointInterval }),
    });
    this.#cluster = cluster;
    this.#operator = serviceSignerOf(sodium, operator);
    this.signers.set("operator-1", this.#operator);
    writeFileSync(join(this.folder, "genesis.json"), bytes);
    for (const [index, identity] of identities.entries()) await this.#prepare(index + 1, identity);
    await Promise.all(identities.map((_, index) => this.start(index + 1)));
    await this.#enroll({ id: issuer.id, signer: serviceSignerOf(sodium, issuer) });
  }

  /** Makes keys and folder of one more node, which is not started and not known to the others yet. Gives its number and node file. */
  async addNode(): Promise<{ readonly node: number; readonly nodeFile: Uint8Array }> {
    const node = this.urls.length + 1;
    this.urls.push(`http://127.0.0.1:${this.#basePort + node}`);
    const identity = this.#identity(await loadSodium(), node);
    // The members now: of those in genesis none may be left.
    const gateway = await this.connect(this.nodes.filter((member) => member !== node));
    const contacts = JSON.stringify(await gateway.members());
    await gateway.stop();
    await this.#prepare(node, identity, contacts);
    return { node, nodeFile: identity.nodeFile };
  }

  /** Makes new keys for a node's checkpoints in its folder, as `node renew` does, while it runs. Gives its new node file. */
  async renew(node: number): Promise<Uint8Array> {
    const sodium = await loadSodium();
    const folder = this.nodeFolder(node);
    const renewed = renewNodeIdentity(sodium, loadNodeIdentity(sodium, folder), { nowMs: Date.now() });
    saveRenewal(folder, renewed);
    return renewed.nodeFile;
  }

  /** Whether a renewal of the node's keys is under way. */
  isRenewing(node: number): boolean {
    return existsSync(join(this.nodeFolder(node), "renewal"));
  }

  /** From now on nothing is expected of the node. */
  forget(node: number): void {
    this.#left.add(node);
  }

  /** What an auditor pinned who was there from the beginning. */
  firstPolicy(): string {
    const genesis = parseGenesis(new Uint8Array(readFileSync(join(this.folder, "genesis.json"))));
    return policyText(policyOf({ genesis, cluster: this.cluster }), shardAt(genesis.timeUs), nodeHasher);
  }

  nodeFolder(node: number): string {
    return join(this.folder, `node-${node}`);
  }

  /** A client of some nodes, all by default. */
  connect(nodes: readonly number[] = this.nodes, timeoutMs = 5_000): Promise<SecurityGateway> {
    const urls = nodes.flatMap((node) => this.urls[node - 1] ?? []);
    const access = this.#operator === undefined ? {} : { access: { id: "operator-1", signer: this.#operator } };
    return SecurityGateway.connect({ urls, cluster: this.cluster, signers: this.signers, timeoutMs, ...access });
  }

  /** Where a node stands; undefined when it does not answer. */
  async status(node: number): Promise<NodeStatus | undefined> {
    const gateway = await this.connect([node]);
    try {
      return await gateway.status();
    } catch {
      return undefined;
    } finally {
      await gateway.stop();
    }
  }

  /** Where everything stands that the node's processes said: lines of its log, and what Node or the system add. */
  logFile(node: number): string {
    return `${this.nodeFolder(node)}.log`;
  }

  /** The node's process; undefined where none runs. */
  pid(node: number): number | undefined {
    const child = this.#processes.get(node);
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
  }

  start(node: number): Promise<void> {
    const main = join(REPOSITORY, "dist/src/daemon/main.js");
    const log = openSync(this.logFile(node), "a");
    const command = ["--import", CLOCK_SHIFT, main, "--config", join(this.nodeFolder(node), "config.json")];
    const child = spawn(process.execPath, command, { stdio: ["ignore", "ignore", log, "ipc"] });
    closeSync(log);
    this.#processes.set(node, child);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`node-${node} did not start`)), START_TIMEOUT_MS);
      child.once("message", (message: { type: string; code?: string }) => {
        clearTimeout(timer);
        if (message.type === "ready") resolve();
        else reject(new Error(`node-${node}: ${message.code}`));
      });
    });
  }

  /** Sends a signal and, for one that ends the process, waits for its end. */
  async signal(node: number, signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    const child = this.#processes.get(node);
    if (child === undefined) return;
    if (signal === "SIGSTOP" || signal === "SIGCONT") return void child.kill(signal);
    if (child.exitCode !== null || child.signalCode !== null) return void this.#processes.delete(node);
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
    this.#processes.delete(node);
  }

  /** Lets a node run only part of the time, until something has happened: a slow machine. */
  async slow(node: number, until: Promise<unknown>): Promise<void> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    void until.then(over, over);
    while (!isOver) {
      await this.signal(node, "SIGSTOP");
      await sleep(60);
      await this.signal(node, "SIGCONT");
      await sleep(30);
    }
  }

  /** Sets a running node's wall clock: by how much it differs from the machine's from now on. */
  setClock(node: number, clockOffsetMs: number): void {
    this.#processes.get(node)?.send({ clockOffsetMs });
  }

  /**
   * Leaves a node no descriptor for another file or socket; gives what ends it. Linux only: undefined where the limits of a process cannot be set.
   * What the node has open stays open.
   */
  exhaustDescriptors(node: number): (() => void) | undefined {
    const pid = this.#processes.get(node)?.pid;
    const folder = `/proc/${pid}/fd`;
    if (pid === undefined || !existsSync(folder) || !existsSync(PRLIMIT)) return undefined;
    const open = new Set(readdirSync(folder).map(Number));
    let free = 0;
    while (open.has(free)) free += 1;
    const [, usual = "1024"] = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8")) ?? [];
    const limit = (count: number | string): void => void execFileSync(PRLIMIT, ["--pid", `${pid}`, `--nofile=${count}:`]);
    limit(free);
    return () => limit(usual);
  }

  /**
   * Leaves a running node little room: once its store's log has grown by so much, every write to it fails, as on a full disk. For as long as the
   * process lives. Linux only: false where the limits of a process cannot be set.
   */
  fillDisk(node: number, roomBytes: number): boolean {
    const pid = this.pid(node);
    if (pid === undefined || !existsSync(PRLIMIT)) return false;
    const data = join(this.nodeFolder(node), "data");
    const log = readdirSync(data)
      .filter((name) => name.endsWith(".log"))
      .sort()
      .at(-1);
    const bytes = log === undefined ? 0 : statSync(join(data, log)).size;
    execFileSync(PRLIMIT, ["--pid", `${pid}`, `--fsize=${bytes + roomBytes}:`]);
    return true;
  }

  /** Cuts the links between one side and the other, on both sides. */
  async partition(side: readonly number[]): Promise<void> {
    const all = this.nodes;
    const other = all.filter((node) => !side.includes(node));
    await Promise.all(all.map((node) => this.#control(node, { command: "partition", block: names(side.includes(node) ? other : side) })));
  }

  async heal(): Promise<void> {
    await Promise.all(this.urls.map((_, index) => this.#control(index + 1, { command: "heal" })));
  }

  loseData(node: number): void {
    rmSync(join(this.nodeFolder(node), "data"), { recursive: true });
  }

  copyData(node: number): void {
    cpSync(join(this.nodeFolder(node), "data"), join(this.nodeFolder(node), "copy"), { recursive: true });
  }

  restoreCopy(node: number): void {
    this.loseData(node);
    cpSync(join(this.nodeFolder(node), "copy"), join(this.nodeFolder(node), "data"), { recursive: true });
    rmSync(join(this.nodeFolder(node), "data", "LOCK"), { force: true });
  }

  /** Copies everything that the node remembers, its anchor too, which no backup ought to hold. */
  copyMachine(node: number): void {
    cpSync(this.nodeFolder(node), `${this.nodeFolder(node)}-copy`, { recursive: true, filter: (path) => !path.endsWith(".sock") });
  }

  /** Puts the copy in the node's place: for the node nothing has happened since. */
  restoreMachine(node: number): void {
    rmSync(this.nodeFolder(node), { recursive: true });
    renameSync(`${this.nodeFolder(node)}-copy`, this.nodeFolder(node));
  }

  async end(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((node) => this.signal(node, "SIGKILL")));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #identity(sodium: Ed25519, node: number): NodeIdentity {
    const addresses = { peerAddress: `127.0.0.1:${this.#basePort + 100 + node}`, httpUrl: this.urls[node - 1] ?? "" };
    return developmentNode(sodium, `node-${node}`, addresses);
  }

  async #prepare(node: number, identity: NodeIdentity, contacts?: string): Promise<void> {
    const folder = this.nodeFolder(node);
    mkdirSync(folder);
    saveNodeIdentity(folder, identity);
    await initializeNodeData({ data: join(folder, "data"), anchor: join(folder, "guard", "anchor") });
    if (contacts !== undefined) writeFileSync(join(folder, "contacts.json"), contacts);
    const config = { ...this.#config(node), ...(contacts === undefined ? {} : { contacts: "contacts.json" }) };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  }

  async #enroll(issuer: { readonly id: string; readonly signer: Signer }): Promise<void> {
    const gateway = await this.connect();
    await enroll(gateway, { id: "service-1", cluster: this.cluster, issuer, signers: this.signers, resources: ["market-data"] });
    await gateway.stop();
  }

  #config(node: number): object {
    return {
      node: `node-${node}`,
      genesis: "../genesis.json",
      genesisHash: this.cluster,
      ...(this.#pruning === undefined ? {} : { blocksKept: this.#pruning.blocksKept }),
      keys: ".",
      data: "data",
      anchor: "guard/anchor",
      listen: { peer: `127.0.0.1:${this.#basePort + 100 + node}`, http: `127.0.0.1:${this.#basePort + node}` },
      logLevel: "warn",
      controlSocket: "control.sock",
    };
  }

  #control(node: number, command: object): Promise<void> {
    if (!this.#processes.has(node)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.nodeFolder(node), "control.sock"), () => socket.write(`${JSON.stringify(command)}\n`));
      socket.once("data", () => resolve());
      socket.once("error", reject);
    });
  }
}

/** The question that the campaign's service may ask. */
export const QUESTION: AuthorizationQuestion = askOf("service-1", { riskLevel: "elevated", resources: ["market-data"] });

function names(nodes: readonly number[]): string[] {
  return nodes.map((node) => `node-${node}`);
}
