import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { type NodeId, parseNodeId, QuorumgateError } from "#base";

const LINE_BYTES_MAX = 4_096;

/** What the socket of a development node can do to it. */
export interface ControlHooks {
  blockPeers(peers: readonly NodeId[]): void;
  /** Absent on a node that cannot lie. */
  readonly lie?: LieControl | undefined;
}

/** Lets a node lie in a way that has a name, or in none. Returns how often the way before was used. @throws {QuorumgateError} DEV_COMMAND_FAILED */
export type LieControl = (kind: string) => number;

/**
 * A local socket through which the development cluster cuts and mends links: one JSON line in, one JSON line out. Mode 0600, and only on nodes of
 * development clusters.
 */
export function openControlSocket(path: string, hooks: ControlHooks): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => serve(socket, hooks));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
    });
  });
}

function serve(socket: Socket, hooks: ControlHooks): void {
  let received = "";
  socket.setEncoding("utf8");
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: string) => {
    received += chunk;
    const end = received.indexOf("\n");
    if (end < 0 && received.length <= LINE_BYTES_MAX) return;
    socket.end(`${JSON.stringify(answer(received.slice(0, Math.max(end, 0)), hooks))}\n`);
  });
}

function answer(line: string, hooks: ControlHooks): { ok: boolean; code?: string; message?: string } {
  try {
    const request = JSON.parse(line) as { command?: unknown; block?: unknown; kind?: unknown };
    if (request.command === "heal") hooks.blockPeers([]);
    else if (request.command === "partition" && Array.isArray(request.block))
      hooks.blockPeers(request.block.map((id) => parseNodeId(String(id))));
    else if (request.command === "lie") return { ok: true, message: lie(request.kind, hooks) };
    else throw new QuorumgateError("DEV_COMMAND_FAILED", "the command is partition, heal or lie");
    return { ok: true };
  } catch (error) {
    return { ok: false, code: "DEV_COMMAND_FAILED", message: error instanceof Error ? error.message : "unknown" };
  }
}

function lie(kind: unknown, hooks: ControlHooks): string {
  if (hooks.lie === undefined) throw new QuorumgateError("DEV_COMMAND_FAILED", "this process cannot lie; `dev lie` starts one that can");
  return String(hooks.lie(String(kind)));
}
