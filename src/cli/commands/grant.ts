import type { Command } from "commander";
import { addCapabilityOptions, type CapabilityOptions, readCapabilityOptions } from "../capability-options.ts";
import { addCommand, perform } from "../command.ts";
import { addConnectionOptions, type ConnectionOptions, withConnection } from "../connection.ts";
import { OPERATOR } from "../dev/demo.ts";
import { parseWhole } from "../failure.ts";
import { showWrite } from "../write-answer.ts";

interface GrantOptions extends ConnectionOptions, CapabilityOptions {
  readonly service: string;
  readonly days: string;
}

const DAY_MS = 86_400_000;
/** The nodes' agreed time may be a little behind this machine's clock. */
const BACKDATED_MS = 60_000;

/** `grant` and `ungrant`. */
export function addGrantCommands(program: Command): void {
  const text = {
    summary: "grant a capability to a service, as an operator",
    examples: [
      "grant --service pricing-service-001 --capability data:read --resource 'prices/*'",
      "ungrant ID --reason 'no longer needed'",
    ],
  };
  const grant = addCapabilityOptions(addCommand(program, "grant", text).requiredOption("--service <id>", "to whom")).option(
    "--days <number>",
    "how long it holds",
    "90",
  );
  addConnectionOptions(grant).action((options: GrantOptions) =>
    perform(options, (output) => {
      const capability = readCapabilityOptions(options);
      const days = parseWhole(options.days, { name: "--days", min: 1, max: 3_650 });
      return withConnection(options, { output, usual: OPERATOR }, async ({ gateway, self }) => {
        const now = Date.now();
        const pattern = { ...capability, temporal: [capability.temporal] };
        const request = { service: options.service, capability: pattern, notBeforeMs: now - BACKDATED_MS, notAfterMs: now + days * DAY_MS };
        return showWrite(
          await gateway.createGrant(request, self.id),
          `granted ${options.capability} to ${options.service} for ${days} days`,
          output,
        );
      });
    }),
  );
  addRevoke(program);
}

function addRevoke(program: Command): void {
  const text = { summary: "end a grant; its id is the decision that made it", examples: ["ungrant ID --reason 'no longer needed'"] };
  const command = addCommand(program, "ungrant <grant>", text).requiredOption("--reason <text>", "why; recorded in the log");
  addConnectionOptions(command).action((id: string, options: ConnectionOptions & { readonly reason: string }) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: OPERATOR }, async ({ gateway, self }) =>
        showWrite(await gateway.revokeGrant(id, { by: self.id, reason: options.reason }), `revoked grant ${id}`, output),
      ),
    ),
  );
}
