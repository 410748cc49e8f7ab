import { parseArgs } from "node:util";
import { errorCode, QuorumgateError } from "#base";
import { readConfig } from "./config.ts";
import { loggerOf, startDaemon } from "./daemon.ts";

/** After this a stop that hangs ends the process all the same. */
const STOP_TIMEOUT_MS = 8_000;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: "string" } } });
  if (values.config === undefined) throw new QuorumgateError("CONFIG_INVALID", "usage: --config FILE");
  const config = readConfig(values.config);
  const logger = loggerOf(config);
  const daemon = await startDaemon(config, logger);
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

main().catch((error: unknown) => {
  const code = errorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${JSON.stringify({ code, message })}\n`);
  if (process.send === undefined) process.exit(1);
  process.send({ type: "failed", code, message });
  setTimeout(() => process.exit(1), 100);
});
