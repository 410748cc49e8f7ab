import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isErrorCode, QuorumgateError } from "#base";
import type { DevNode } from "./folder.ts";

/** What the orchestrator knows of a node's process. */
export type NodeState = "running" | "paused" | "stopped";

/** A started node has this long to say that it is ready: it may have a long log to open. */
const READY_MS = 30_000;
/** After this a node that does not stop is killed. */
const STOP_MS = 6_000;

/** The process of one node of the development cluster: started, killed, paused. */
export class NodeProcess {
  readonly node: DevNode;
  readonly #configFile: string;
  #child: ChildProcess | undefined;
  #state: NodeState = "stopped";
  #canLie = false;
  readonly #onExit: (node: DevNode, how: string) => void;

  constructor(node: DevNode, options: { readonly configFile: string; readonly onExit: (node: DevNode, how: string) => void }) {
    this.node = node;
    this.#configFile = options.configFile;
    this.#onExit = options.onExit;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** True for a process that `dev lie` started, whatever it does now. */
  get canLie(): boolean {
    return this.#state === "running" && this.#canLie;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Where the node writes its log. */
  get logFile(): string {
    return join(this.node.folder, "node.log");
  }

  /**
   * Starts the process and waits until it serves.
   * @param options.ableToLie honest until it is told otherwise
   * @throws {QuorumgateError} DEV_COMMAND_FAILED or what the node says
   */
  async start({ ableToLie = false }: { readonly ableToLie?: boolean } = {}): Promise<void> {
    if (this.#child !== undefined) {
      const how = this.#state === "paused" ? `paused; \`quorumgate dev resume ${this.node.number}\` lets it go on` : "running already";
      throw new QuorumgateError("DEV_COMMAND_FAILED", `${this.node.id} is ${how}`);
    }
    const log = openSync(this.logFile, "a", 0o600);
    // The same Node and flags as this process, so that it runs from source and from the build.
    const entry = entryOf(ableToLie ? "./liar" : "../../daemon/main");
    const child = fork(entry, ["--config", this.#configFile], { stdio: ["ignore", log, log, "ipc"] });
    closeSync(log);
    this.#child = child;
    this.#state = "running";
    this.#canLie = ableToLie;
    child.once("exit", (code, signal) => {
      if (this.#child === child) this.#child = undefined;
      this.#state = "stopped";
      this.#onExit(this.node, signal ?? `exit ${code}`);
    });
    await whenReady(child, this);
  }

  /** SIGKILL: nothing is flushed, as when power fails. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGTERM, and SIGKILL when that takes too long. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    if (this.#state === "paused") child.kill("SIGCONT");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await this.#end("SIGTERM");
    clearTimeout(timer);
  }

  /** SIGSTOP: the process stays, and answers nobody. @throws {QuorumgateError} DEV_COMMAND_FAILED for one that is paused or stopped */
  pause(): void {
    const child = this.#running();
    if (this.#state === "paused") throw new QuorumgateError("DEV_COMMAND_FAILED", `${this.node.id} is paused already`);
    child.kill("SIGSTOP");
    this.#state = "paused";
  }

  /** SIGCONT. @throws {QuorumgateError} DEV_COMMAND_FAILED for one that is not paused */
  resume(): void {
    const child = this.#running();
    if (this.#state !== "paused") throw new QuorumgateError("DEV_COMMAND_FAILED", `${this.node.id} is not paused`);
    child.kill("SIGCONT");
    this.#state = "running";
  }

  /** For the very end of this process, where nothing can be awaited. */
  killNow(): void {
    this.#child?.kill("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#running();
    const gone = new Promise<void>((settle) => child.once("exit", () => settle()));
    child.kill(signal);
    await gone;
  }

  #running(): ChildProcess {
    if (this.#child === undefined) throw new QuorumgateError("DEV_COMMAND_FAILED", `${this.node.id} is not running`);
    return this.#child;
  }
}

function whenReady(child: ChildProcess, { node, logFile }: NodeProcess): Promise<void> {
  return new Promise((settle, refuse) => {
    const finish = (error?: QuorumgateError): void => {
      clearTimeout(timer);
      child.off("message", onMessage).off("exit", onExit).off("error", onError);
      if (error === undefined) settle();
      else refuse(error);
    };
    const onMessage = (message: unknown): void => {
      const { type, code, reason } = readMessage(message);
      if (type === "ready") finish();
      if (type === "failed") finish(new QuorumgateError(code, `${node.id} did not start: ${reason}`, { data: { log: logFile } }));
    };
    const failed = (how: string): void =>
      finish(new QuorumgateError("DEV_COMMAND_FAILED", `${node.id} ${how}`, { data: { log: logFile } }));
    const onExit = (code: number | null, signal: string | null): void => failed(`ended before it was ready (${signal ?? `exit ${code}`})`);
    const onError = (error: Error): void => failed(`could not be started: ${error.message}`);
    const timer = setTimeout(() => failed("was not ready in time"), READY_MS);
    child.on("message", onMessage).on("exit", onExit).on("error", onError);
  });
}

function readMessage(message: unknown): { readonly type: string; readonly code: QuorumgateError["code"]; readonly reason: string } {
  const { type, code, message: reason } = (typeof message === "object" && message !== null ? message : {}) as Record<string, unknown>;
  const known = typeof code === "string" && isErrorCode(code) ? code : "DEV_COMMAND_FAILED";
  return { type: String(type), code: known, reason: String(reason) };
}

/** An entry by its place beside this file: TypeScript from source, JavaScript from the build. */
function entryOf(path: string): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`${path}.${extension}`, import.meta.url));
}
