import { errorCode, fullMessage, QuorumgateError } from "#base";
import { readConfig } from "./config.ts";
import { type LyingMouth, loggerOf, startDaemon } from "./daemon.ts";

/** After this a stop that hangs ends the process all the same. */
const STOP_TIMEOUT_MS = 8_000;

/** What a node's process was told when it was started. */
export interface NodeArguments {
  /** The configuration file. */
  readonly config?: string | undefined;
  /** For a node of a development cluster that can lie. */
  readonly mouth?: LyingMouth;
}

/** Runs a node as this process: tells a parent that it is ready, and stops on SIGTERM, SIGINT, or when the parent is gone. */
export async function runNodeProcess(readArguments: () => NodeArguments): Promise<void> {
  await run(readArguments).catch(fail);
}

async function run(readArguments: () => NodeArguments): Promise<void> {
  const { config: file, mouth } = readArguments();
  if (file === undefined) throw new QuorumgateError("CONFIG_INVALID", "usage: --config FILE");
  const config = readConfig(file);
  const logger = loggerOf(config);
  const daemon = await startDaemon(config, logger, mouth);
  let stopping = false;
  const stop = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ reason }, "node.stopping");
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    daemon.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGINT", () => stop("SIGINT"));
  // A development node ends with the process that started it.
  if (process.channel !== undefined) process.once("disconnect", () => stop("parent is gone"));
  process.send?.({ type: "ready", node: daemon.node.id, http: daemon.httpUrl });
}

function fail(error: unknown): void {
  const code = errorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const more = error instanceof QuorumgateError ? { data: error.data, hint: error.hint } : {};
  process.stderr.write(`${JSON.stringify({ code, message, ...more })}\n`);
  if (process.send === undefined) process.exit(1);
  process.send({ type: "failed", code, message: fullMessage(error) });
  setTimeout(() => process.exit(1), 100);
}
