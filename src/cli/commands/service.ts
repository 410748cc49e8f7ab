import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { type JsonValue, QuorumgateError } from "#base";
import { type Ed25519, loadSodium } from "#crypto";
import { createServiceKey, loadServiceKey, type ServiceKey, saveServiceKey } from "#identity";
import { attestedService } from "../attested-service.ts";
import { readPairs } from "../capability-options.ts";
import { addCommand, addGroup, gather, perform } from "../command.ts";
import {
  addConnectionOptions,
  addReadOptions,
  type ConnectionOptions,
  connectAs,
  consistencyOf,
  loadIdentity,
  type ReadOptions,
  resolveTarget,
  type Target,
  withConnection,
} from "../connection.ts";
import { AUDITOR, INSTITUTIONS, OPERATOR } from "../dev/demo.ts";
import { devPaths } from "../dev/folder.ts";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import { type Output, printable, table } from "../output.ts";
import { showWrite } from "../write-answer.ts";

interface RegisterOptions extends ConnectionOptions {
  readonly issuer?: string;
  readonly role: string;
  readonly claim?: readonly string[];
  readonly days: string;
}

const DAY_MS = 86_400_000;
const LIST_MAX = 200;

/** `service register|show|list|revoke`. */
export function addServiceCommands(program: Command): void {
  const service = addGroup(program, "service", "register, look up and revoke services");
  addRegister(service);
  addShow(service);
  addList(service);
  addRevoke(service);
}

function addRegister(service: Command): void {
  const text = {
    summary: "register a service with its own key, vouched for by an issuer; makes the key when the folder is not there",
    examples: [
      "service register pricing-service-001",
      "service register pricing --identity keys/pricing --issuer keys/bank --claim team=pricing",
    ],
  };
  const command = addCommand(service, "register <id>", text)
    .option("--issuer <dir>", `folder of the issuer's key (development cluster: ${INSTITUTIONS[0]})`)
    .option("--role <word>", "the service's role", "participant")
    .option("--claim <name=value>", "what the issuer vouches for; may be given several times", gather)
    .option("--days <number>", "how long the attestation holds", "365");
  addConnectionOptions(command).action((id: string, options: RegisterOptions) =>
    perform(options, (output) => register(id, { options, output })),
  );
}

async function register(id: string, { options, output }: { readonly options: RegisterOptions; readonly output: Output }): Promise<number> {
  const claims = readPairs(options.claim, "--claim");
  const validMs = parseWhole(options.days, { name: "--days", min: 1, max: 3_650 }) * DAY_MS;
  const ed25519 = await loadSodium();
  const target = resolveTarget(options, output);
  const issuer = loadIdentity(ed25519, {
    ...(options.issuer === undefined ? {} : { identity: options.issuer }),
    target,
    usual: INSTITUTIONS[0],
  });
  const key = openServiceKey(ed25519, { id, folder: serviceFolder(id, { options, target }), output });
  const identity = await attestedService(ed25519, { cluster: target.cluster, service: key, issuer, role: options.role, claims, validMs });
  const gateway = await connectAs(ed25519, { target, identities: [key] });
  try {
    return showWrite(await gateway.registerService(identity, true), `registered ${id}, vouched for by ${issuer.id}`, output);
  } finally {
    await gateway.stop();
  }
}

function serviceFolder(id: string, { options, target }: { readonly options: ConnectionOptions; readonly target: Target }): string {
  if (options.identity !== undefined) return options.identity;
  if (target.dev === undefined) throw new UsageError("--identity DIR is needed: it says where the service's key is, or is to be made");
  return devPaths(target.dev.folder).identity(id);
}

function openServiceKey(ed25519: Ed25519, wanted: { readonly id: string; readonly folder: string; readonly output: Output }): ServiceKey {
  const { id, folder, output } = wanted;
  if (!existsSync(join(folder, "identity.json"))) {
    saveServiceKey(ed25519, folder, createServiceKey(ed25519, id));
    output.note(`made a key for ${id} in ${folder}`);
  }
  const key = loadServiceKey(ed25519, folder);
  if (key.id !== id) throw new UsageError(`the identity in ${folder} is that of ${key.id}`);
  return key;
}

function addShow(service: Command): void {
  const command = addCommand(service, "show <id>", {
    summary: "a service with its grants",
    examples: ["service show trading-service-001", "service show trading-service-001 --linearizable"],
  });
  addReadOptions(command).action((id: string, options: ReadOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async ({ gateway }) => {
        const found = await gateway.backend.service(id, consistencyOf(options));
        if (found === undefined) throw new QuorumgateError("IDENTITY_UNKNOWN", `no service ${id} is registered`);
        output.result(found, () => printable(JSON.stringify(found, undefined, 2)));
        return EXIT.done;
      }),
    ),
  );
}

interface ServiceList {
  readonly items: readonly {
    readonly id: string;
    readonly meshRole: string;
    readonly attestation: { readonly issuer: string };
    readonly revoked?: { readonly reason: string };
  }[];
  readonly next?: string;
}

function addList(service: Command): void {
  const command = addCommand(service, "list", {
    summary: "registered services",
    examples: ["service list", "service list --after pricing --json"],
  })
    .option("--after <id>", "begin after this one")
    .option("--limit <number>", `how many, at most ${LIST_MAX}`, "50");
  addConnectionOptions(command).action((options: ConnectionOptions & { readonly after?: string; readonly limit: string }) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async ({ gateway }) => {
        const limit = parseWhole(options.limit, { name: "--limit", min: 1, max: LIST_MAX });
        const page: JsonValue = await gateway.backend.services({ limit, ...(options.after === undefined ? {} : { after: options.after }) });
        const { items, next } = page as unknown as ServiceList;
        output.result(page, () => {
          const rows = items.map(({ id, meshRole, attestation, revoked }) => [
            id,
            meshRole,
            attestation.issuer,
            revoked === undefined ? "active" : `revoked: ${revoked.reason}`,
          ]);
          const more = next === undefined ? [] : [`more: --after ${next}`];
          return printable([table([["service", "role", "issuer", "state"], ...rows]), ...more].join("\n"));
        });
        return EXIT.done;
      }),
    ),
  );
}

function addRevoke(service: Command): void {
  const text = {
    summary: "end a service for ever, by an operator or itself",
    examples: ["service revoke trading-service-001 --reason 'key lost'"],
  };
  const command = addCommand(service, "revoke <id>", text).requiredOption("--reason <text>", "why; recorded in the log");
  addConnectionOptions(command).action((id: string, options: ConnectionOptions & { readonly reason: string }) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: OPERATOR }, async ({ gateway, self }) =>
        showWrite(await gateway.revokeService(id, { by: self.id, reason: options.reason }), `revoked ${id}`, output),
      ),
    ),
  );
}
