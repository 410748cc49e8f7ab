import { existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { parseEntry, parseReceipt } from "#audit";
import { type CanonicalValue, describeError, isErrorCode, QuorumgateError } from "#base";
import type { CommandOutcome } from "#gateway";
import { addCommand, perform } from "../command.ts";
import { addReadOptions, type Connection, consistencyOf, type ReadOptions, withConnection } from "../connection.ts";
import { AUDITOR } from "../dev/demo.ts";
import { devPaths } from "../dev/folder.ts";
import { formatExplanation } from "../explanation.ts";
import { EXIT, UsageError } from "../failure.ts";
import type { Output } from "../output.ts";

/** How many of the newest entries are searched for a decision by the beginning of its id. */
const SEARCHED = 2_000;
const PAGE = 500;

/** `explain`: what a code means, or why a decision was made. */
export function addExplainCommand(program: Command): void {
  const text = {
    summary:
      "explain a decision by its id, its beginning or `last` (the newest of `authorize` in the development cluster), or an error by its code",
    examples: ["explain AUTHZ_NO_GRANT", "explain last", "explain 7f3a91c2"],
  };
  const command = addCommand(program, "explain <what>", text);
  addReadOptions(command).action((what: string, options: ReadOptions) =>
    perform(options, async (output) => (isErrorCode(what) ? explainCode(what, output) : explainDecision(what, { options, output }))),
  );
}

function explainCode(code: Parameters<typeof describeError>[0], output: Output): undefined {
  const { title, hint, status } = describeError(code);
  output.result(
    { code, title, hint, status },
    () => `${output.style.strong(code)} (HTTP ${status})\n${title}.\n${output.style.faint("hint:")} ${hint}`,
  );
}

function explainDecision(what: string, context: { readonly options: ReadOptions; readonly output: Output }): Promise<number> {
  const { options, output } = context;
  if (what !== "last" && !/^[0-9a-f]{4,64}$/.test(what)) throw new UsageError(`neither a decision's id nor a code that is known: ${what}`);
  return withConnection(options, { output, usual: AUDITOR }, async (connection) => {
    const id = await findDecision(what, connection);
    const outcome = await connection.gateway.decision(id, consistencyOf(options));
    if (outcome === undefined) throw new QuorumgateError("COMMAND_UNKNOWN", "no decision with this id is recorded");
    if (outcome === "pending") {
      output.result({ decisionId: id, outcome }, () => `decision ${id} is not decided yet`);
      return EXIT.done;
    }
    show(outcome, output);
    return EXIT.done;
  });
}

function show(outcome: CommandOutcome, output: Output): void {
  const { decisionId, code, height, timeMs, answer, seq } = outcome;
  const value = {
    decisionId,
    outcome: outcome.outcome,
    reason: code,
    height,
    timeMs,
    explanation: answer,
    ...(seq === undefined ? {} : { seq }),
  };
  output.result(value, () => {
    const when = `decision ${decisionId} · height ${height} · ${new Date(timeMs).toISOString()}`;
    return `${formatExplanation({ outcome: outcome.outcome, reason: code, explanation: answer as CanonicalValue }, output)}\n${when}`;
  });
}

/** The whole id of a decision. @throws {QuorumgateError} COMMAND_UNKNOWN */
async function findDecision(what: string, connection: Connection): Promise<string> {
  if (what === "last") return lastDecision(connection);
  if (what.length === 64) return what;
  const { gateway } = connection;
  const { logSize } = await gateway.status();
  for (let to = logSize; to > Math.max(0, logSize - SEARCHED); to -= PAGE) {
    const entries = await gateway.backend.entries({ from: Math.max(0, to - PAGE), to });
    const found = entries.map(commandOf).findLast((command) => command.startsWith(what));
    if (found !== undefined) return found;
  }
  throw new QuorumgateError("COMMAND_UNKNOWN", `none of the newest ${SEARCHED} entries is of a decision that begins with ${what}`);
}

/** The newest decision that `dev` or `authorize` had of the development cluster: its receipt is kept. */
function lastDecision({ dev }: Connection): string {
  const file = dev === undefined ? undefined : devPaths(dev.folder).receipt;
  if (file === undefined || !existsSync(file))
    throw new UsageError("`last` is the newest decision of `quorumgate authorize` in a development cluster");
  return commandOf(parseReceipt(readFileSync(file, "utf8")).entry);
}

function commandOf(entry: Uint8Array): string {
  return parseEntry(entry).command ?? "";
}
