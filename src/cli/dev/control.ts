import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { isErrorCode, type JsonValue, QuorumgateError } from "#base";
import { describeFailure } from "../failure.ts";

/** One JSON line asks, one JSON line answers; both are short. */
const LINE_BYTES_MAX = 65_536;
/** Starting a node takes the longest. */
const ANSWER_MS = 40_000;

/** A request to a socket of the development cluster. */
export interface ControlRequest {
  readonly command: string;
  readonly [argument: string]: JsonValue;
}

/** What such a request did, in words; or why it was refused. */
export type ControlAnswer =
  | { readonly ok: true; readonly message?: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** Listens for commands. The folder (0700) and the socket (0600) let nobody else in. @throws {QuorumgateError} DEV_COMMAND_FAILED */
export async function listenForCommands(path: string, handle: (request: ControlRequest) => Promise<string>): Promise<Server> {
  if (await answers(path)) throw new QuorumgateError("DEV_COMMAND_FAILED", "a development cluster is running from this folder already");
  rmSync(path, { force: true });
  const server = createServer((socket) => serve(socket, handle));
  // What a socket file allows follows from the mask at the moment of its making.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((settle, refuse) => server.once("error", refuse).listen(path, () => settle()));
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
  return server;
}

/** Sends one request. @throws {QuorumgateError} DEV_COMMAND_FAILED when nobody listens; the code with which the request is refused */
export async function sendCommand(path: string, request: ControlRequest): Promise<string> {
  const answer = await exchange(path, request);
  if (!answer.ok) throw new QuorumgateError(isErrorCode(answer.code) ? answer.code : "DEV_COMMAND_FAILED", answer.message);
  return answer.message ?? "done";
}

function exchange(path: string, request: ControlRequest): Promise<ControlAnswer> {
  return new Promise((settle, refuse) => {
    const fail = (message: string, cause?: unknown): void => refuse(new QuorumgateError("DEV_COMMAND_FAILED", message, { cause }));
    const socket = connect(path, () => socket.write(`${JSON.stringify(request)}\n`));
    let received = "";
    socket.setEncoding("utf8").setTimeout(ANSWER_MS, () => socket.destroy(new Error("no answer in time")));
    socket.on("data", (chunk: string) => {
      received += chunk;
    });
    socket.once("error", (cause) => fail(`no development cluster answers on ${path}`, cause));
    socket.once("close", () => {
      const answer = readAnswer(received);
      if (answer === undefined) fail("the development cluster ended before it answered");
      else settle(answer);
    });
  });
}

function readAnswer(line: string): ControlAnswer | undefined {
  try {
    return JSON.parse(line) as ControlAnswer;
  } catch {
    return undefined;
  }
}

function serve(socket: Socket, handle: (request: ControlRequest) => Promise<string>): void {
  let received = "";
  socket.setEncoding("utf8");
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: string) => {
    const isComplete = received.includes("\n");
    received += chunk;
    if (isComplete) return;
    if (received.length > LINE_BYTES_MAX) socket.destroy();
    else if (received.includes("\n")) void answer(received, handle).then((line) => socket.end(line));
  });
}

async function answer(line: string, handle: (request: ControlRequest) => Promise<string>): Promise<string> {
  return `${JSON.stringify(await outcome(line, handle))}\n`;
}

async function outcome(line: string, handle: (request: ControlRequest) => Promise<string>): Promise<ControlAnswer> {
  try {
    return { ok: true, message: await handle(readRequest(line)) };
  } catch (error) {
    const { code, message } = describeFailure(error);
    return { ok: false, code, message };
  }
}

function readRequest(line: string): ControlRequest {
  const request: unknown = JSON.parse(line);
  const isRequest = typeof request === "object" && request !== null && "command" in request && typeof request.command === "string";
  if (!isRequest) throw new QuorumgateError("DEV_COMMAND_FAILED", "a request has a command");
  return request as ControlRequest;
}

/** True when a process listens there: a file left by a crash refuses the connection. */
function answers(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(path, () => {
      socket.destroy();
      settle(true);
    });
    socket.once("error", () => settle(false));
  });
}
