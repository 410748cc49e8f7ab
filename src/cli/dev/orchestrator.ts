import { rmSync } from "node:fs";
import type { Server } from "node:net";
import { type JsonValue, QuorumgateError } from "#base";
import { type ControlRequest, listenForCommands, sendCommand } from "./control.ts";
import { checkPorts, checkSocketPaths, configFileOf, nodeSocket, writeAddresses } from "./create.ts";
import { type DevFolder, type DevNode, devPaths, socketPath } from "./folder.ts";
import { NodeProcess } from "./node-process.ts";

/** Told of what happens to nodes while the cluster runs. */
export type Happening = (text: string) => void;

/** The processes of a development cluster, and the socket through which `quorumgate dev kill|start|…` reaches them. */
export class Orchestrator {
  readonly cluster: DevFolder;
  readonly processes: readonly NodeProcess[];
  readonly #happening: Happening;
  readonly #expected = new Set<string>();
  #control: Server | undefined;
  #isStopping = false;
  #partition: readonly (readonly number[])[] = [];

  constructor(cluster: DevFolder, happening: Happening) {
    this.cluster = cluster;
    this.#happening = happening;
    this.processes = cluster.nodes.map(
      (node) => new NodeProcess(node, { configFile: configFileOf(node), onExit: (gone, how) => this.#onExit(gone, how) }),
    );
    // Whatever ends this process, no node outlives it. (When this process is killed, the nodes notice that their channel is gone.)
    process.once("exit", this.#killAll);
  }

  /** Opens the control socket, which also keeps a second process from the same folder, and only then writes there. */
  async open(): Promise<void> {
    checkSocketPaths(this.cluster);
    this.#control = await listenForCommands(this.#socket, (request) => this.#perform(request));
    await checkPorts(this.cluster.nodes);
    writeAddresses(this.cluster);
  }

  /**
   * Starts all nodes at once.
   * @param options.ableToLie as processes that can lie, and are honest until they are told
   * @throws {QuorumgateError} of the first that fails
   */
  async startNodes(options: { readonly ableToLie?: boolean } = {}): Promise<void> {
    if (this.#isStopping) throw stopping();
    await Promise.all(this.processes.map((process) => process.start(options)));
  }

  /** Stops all nodes, each in its time, and closes the socket. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { node } of this.processes) this.#expected.add(node.id);
    await Promise.all(this.processes.map((process) => process.stop()));
    process.off("exit", this.#killAll);
    if (this.#control === undefined) return;
    this.#control.close();
    rmSync(this.#socket, { force: true });
  }

  readonly #killAll = (): void => {
    for (const process of this.processes) process.killNow();
  };

  get #socket(): string {
    return socketPath(devPaths(this.cluster.folder).socket);
  }

  #onExit(node: DevNode, how: string): void {
    if (!this.#expected.delete(node.id))
      this.#happening(`${node.id} ended by itself (${how}); its log is ${this.#process(node.number).logFile}`);
  }

  async #perform(request: ControlRequest): Promise<string> {
    const message = await this.#run(request);
    this.#happening(message);
    return message;
  }

  async #run(request: ControlRequest): Promise<string> {
    switch (request.command) {
      case "kill":
        return this.#kill(this.#processOf(request));
      case "start":
        return this.#start(this.#processOf(request));
      case "pause":
        return this.#pause(this.#processOf(request));
      case "resume":
        return this.#resume(this.#processOf(request));
      case "lie":
        return this.#lie(this.#processOf(request), request["kind"]);
      case "partition":
        return this.#divide(readGroups(request["groups"]));
      case "heal":
        return this.#heal();
      default:
        throw new QuorumgateError("DEV_COMMAND_FAILED", `the cluster does not know ${request.command}`);
    }
  }

  async #kill(process: NodeProcess): Promise<string> {
    this.#expected.add(process.node.id);
    await process.kill();
    return `${process.node.id} was killed; \`quorumgate dev start ${process.node.number}\` starts it again`;
  }

  async #start(process: NodeProcess): Promise<string> {
    if (this.#isStopping) throw stopping();
    await process.start();
    await this.#cut(process);
    return `${process.node.id} runs again and catches up`;
  }

  #pause(process: NodeProcess): string {
    process.pause();
    return `${process.node.id} is paused: it holds its links and answers nobody`;
  }

  async #resume(process: NodeProcess): Promise<string> {
    process.resume();
    await this.#cut(process);
    return `${process.node.id} goes on`;
  }

  /**
   * Lets a node lie from now on, or speak the truth again (`honest`); a node that cannot is started anew as one that can.
   * Gives how often it deviated before, in the way that ends now. @throws {QuorumgateError} DEV_COMMAND_FAILED for a way that has no name
   */
  async lie(process: NodeProcess, kind: string): Promise<number> {
    (await import("#simulations")).checkLie(kind);
    if (!process.canLie) await this.#startAsLiar(process);
    return Number(await sendCommand(socketPath(nodeSocket(process.node)), { command: "lie", kind }));
  }

  async #startAsLiar(process: NodeProcess): Promise<void> {
    if (this.#isStopping) throw stopping();
    if (process.state !== "stopped") {
      this.#expected.add(process.node.id);
      await process.stop();
    }
    await process.start({ ableToLie: true });
    await this.#cut(process);
  }

  async #lie(process: NodeProcess, kind: JsonValue | undefined): Promise<string> {
    if (typeof kind !== "string") throw new QuorumgateError("DEV_COMMAND_FAILED", "a lie has a kind");
    const deviations = await this.lie(process, kind);
    return `${process.node.id} is now: ${kind}${deviations === 0 ? "" : `; as what it was before, it deviated ${deviations} times`}`;
  }

  /** Cuts the links between the groups. A node in no group is alone. */
  async #divide(groups: readonly (readonly number[])[]): Promise<string> {
    for (const number of groups.flat()) this.#process(number);
    this.#partition = groups;
    await Promise.all(this.processes.map((process) => this.#cut(process)));
    return `links are cut between ${groups.map((group) => `{${group.map((number) => `node-${number}`).join(", ")}}`).join(" and ")}`;
  }

  async #heal(): Promise<string> {
    this.#partition = [];
    await Promise.all(this.processes.map((process) => this.#cut(process)));
    return "all links are whole again";
  }

  /** Tells a node whom not to talk to. One that is down is told when it starts; one that is paused would not answer. */
  async #cut(process: NodeProcess): Promise<void> {
    if (process.state !== "running") return;
    const block = this.#blockedFor(process.node);
    await sendCommand(socketPath(nodeSocket(process.node)), block.length === 0 ? { command: "heal" } : { command: "partition", block });
  }

  #blockedFor(node: DevNode): readonly string[] {
    if (this.#partition.length === 0) return [];
    const own = this.#partition.find((group) => group.includes(node.number)) ?? [node.number];
    return this.cluster.nodes.filter(({ number }) => !own.includes(number)).map(({ id }) => id);
  }

  #processOf(request: ControlRequest): NodeProcess {
    return this.#process(request["node"]);
  }

  #process(number: JsonValue | undefined): NodeProcess {
    const found = this.processes.find(({ node }) => node.number === number);
    if (found === undefined)
      throw new QuorumgateError("DEV_COMMAND_FAILED", `there is no node ${JSON.stringify(number)}; they are 1 to ${this.processes.length}`);
    return found;
  }
}

function stopping(): QuorumgateError {
  return new QuorumgateError("DEV_COMMAND_FAILED", "the cluster is stopping");
}

function readGroups(value: JsonValue | undefined): readonly (readonly number[])[] {
  const isGroups =
    Array.isArray(value) && value.every((group) => Array.isArray(group) && group.every((number) => Number.isSafeInteger(number)));
  const groups = isGroups ? (value as readonly (readonly number[])[]) : [];
  const numbers = groups.flat();
  if (groups.length < 2 || groups.some((group) => group.length === 0) || new Set(numbers).size !== numbers.length) {
    throw new QuorumgateError("DEV_COMMAND_FAILED", "a partition has two or more groups, and each node in at most one");
  }
  return groups;
}
