import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { commandOf } from "../cli/command-line.ts";

/** What a daemon tells the process that started it. */
export type Told =
  | { readonly type: "ready"; readonly node: string; readonly http: string }
  | { readonly type: "failed"; readonly code: string; readonly message: string };

/** A daemon as a process of its own. */
export interface DaemonProcess {
  readonly child: ChildProcess;
  /** Ready, or why not. */
  readonly told: Promise<Told>;
  readonly ended: Promise<number | null>;
  /** Its log until now. */
  log(): string;
}

/** Starts a daemon with these words, `--config FILE` as a rule. */
export function startDaemonProcess(words: readonly string[]): DaemonProcess {
  const [program, ...main] = commandOf("daemon/main");
  const child = spawn(program, [...main, ...words], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  // Not `close`: it does not come where this side has given up the channel.
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const told = new Promise<Told>((resolve, reject) => {
    child.once("message", (message) => resolve(message as Told));
    void ended.then((code) => reject(new Error(`ended with ${code}: ${log}`)));
  });
  // Whoever only waits for the end needs no handler.
  told.catch(() => undefined);
  return { child, told, ended, log: () => log };
}

/** The address of a daemon's HTTP API, once it is ready. */
export async function addressOf({ told }: DaemonProcess): Promise<string> {
  const message = await told;
  if (message.type === "failed") throw new Error(`${message.code}: ${message.message}`);
  return message.http;
}

/** Ports that nobody listened on a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
