import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import type { CanonicalValue, JsonValue } from "#base";
import type { AuthorizationResponse } from "#gateway";
import { addCapabilityOptions, type CapabilityOptions, readCapabilityOptions, readPairs } from "../capability-options.ts";
import { addCommand, gather, perform } from "../command.ts";
import { addConnectionOptions, type ConnectionOptions, withConnection } from "../connection.ts";
import { devPaths } from "../dev/folder.ts";
import { formatExplanation } from "../explanation.ts";
import { EXIT, UsageError } from "../failure.ts";
import { type Output, printable } from "../output.ts";

interface AuthorizeOptions extends ConnectionOptions, CapabilityOptions {
  readonly service: string;
  readonly context?: readonly string[];
  readonly explain?: boolean;
  readonly receipt?: string;
}

/** `authorize`: asks in a service's name. */
export function addAuthorizeCommand(program: Command): void {
  const text = {
    summary: "ask whether a service may do something; exit code 0 when allowed, 1 when denied or when no quorum answers",
    examples: [
      "authorize --service trading-service-001 --capability compute:execute --resource orders/hedge --explain",
      "authorize --service risk-service-001 --capability data:delete --explain --json",
      "authorize --service a --capability data:read --url http://10.0.0.1:7401 --cluster ID --identity keys/a --receipt a.tlog-proof",
    ],
  };
  const command = addCapabilityOptions(addCommand(program, "authorize", text).requiredOption("--service <id>", "who asks"))
    .option("--context <name=value>", "recorded with the decision; may be given several times", gather)
    .option("--explain", "say why, and what would have allowed it")
    .option("--receipt <file>", "write the receipt there");
  addConnectionOptions(command).action((options: AuthorizeOptions) => perform(options, (output) => authorize(options, output)));
}

function authorize(options: AuthorizeOptions, output: Output): Promise<number> {
  const capability = readCapabilityOptions(options);
  const context = readPairs(options.context, "--context");
  return withConnection(options, { output, usual: options.service }, async ({ gateway, self, dev }) => {
    if (self.id !== options.service) throw new UsageError(`the identity is that of ${self.id}; a service asks with its own key`);
    const question = { serviceId: options.service, capability, ...(Object.keys(context).length === 0 ? {} : { context }) };
    const response = await gateway.authorizeOperation(question);
    const { receipt, outcome, reason, explanation } = response;
    if (receipt !== undefined) {
      if (options.receipt !== undefined) writeFileSync(options.receipt, receipt);
      if (dev !== undefined) writeFileSync(devPaths(dev.folder).receipt, receipt); // what `explain last` and `verify last` are about
    }
    output.result(response as unknown as JsonValue, () => {
      const place = response.seq === undefined ? "" : ` · entry #${response.seq} · height ${response.height}`;
      const waiting = waitingLines(response);
      const plain = `${outcome.toUpperCase()}   ${reason}`;
      const verdict =
        options.explain === true ? formatExplanation({ outcome, reason, explanation: explanation as CanonicalValue }, output) : plain;
      return [verdict, ...waiting, `decision ${response.consensusId}${place}`].join("\n");
    });
    return response.authorized ? EXIT.done : EXIT.refused;
  });
}

/** For whom the node waits; a cluster of which no node answers names nobody. */
function waitingLines({ waitingFor = [] }: AuthorizationResponse): readonly string[] {
  return waitingFor.length === 0 ? [] : [printable(`waiting for ${waitingFor.join(", ")}`)];
}
