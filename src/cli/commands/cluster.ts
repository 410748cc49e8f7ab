import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { policyOf, policyText, shardAt } from "#audit";
import { clusterIdOf, type EngineName, inFile, LIMITS, type Operator, type OperatorRole, parseGenesis } from "#base";
import { type Ed25519, loadSodium, nodeHasher } from "#crypto";
import { assembleGenesis, createServiceKey, readNodeFile, readPublicIdentity, saveServiceKey } from "#identity";
import { addCommand, addGroup, engineOption, gather, perform } from "../command.ts";
import { configFileOf, openDevFolder, writeAddresses } from "../dev/create.ts";
import { devPaths, readDevFolder } from "../dev/folder.ts";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import type { Output } from "../output.ts";

/** `cluster genesis`, `cluster init` and `identity new`: what is done before the first start. */
export function addClusterCommands(program: Command): void {
  const cluster = addGroup(program, "cluster", "make a cluster's genesis");
  addGenesis(cluster);
  addInit(cluster);
  addIdentity(addGroup(program, "identity", "keys of operators, issuers and services"));
}

interface GenesisOptions {
  readonly json?: boolean;
  readonly member: readonly string[];
  readonly operator: readonly string[];
  readonly auditor?: readonly string[];
  readonly issuer: readonly string[];
  readonly engine?: EngineName;
  readonly window?: string;
  readonly checkpointInterval?: string;
  readonly time?: string;
  readonly out: string;
}

function addGenesis(cluster: Command): void {
  addCommand(cluster, "genesis", {
    summary: "assemble genesis from the node files of all institutions; who has the same files and time gets the same bytes",
    examples: [
      "cluster genesis --member a/node.json --member b/node.json --member c/node.json --member d/node.json --operator op.json --issuer bank.json --out genesis.json",
    ],
  })
    .requiredOption("--member <file>", "an institution's node.json; once for each", gather)
    .requiredOption("--operator <file>", "an operator's identity.json; may be given several times", gather)
    .option("--auditor <file>", "an auditor's identity.json; may be given several times", gather)
    .requiredOption("--issuer <file>", "identity.json of who may vouch for services; may be given several times", gather)
    .addOption(engineOption())
    .option("--window <number>", "heights in flight of pbft or raft (default: 1, raft 8)")
    .option(
      "--checkpoint-interval <number>",
      "heights between stable checkpoints, from which a node can take over the state (default: 128)",
    )
    .option("--time <instant>", "agreed time of genesis, such as 2026-01-31T12:00:00Z, after all node files were made (default: now)")
    .requiredOption("--out <file>", "where to write genesis; the policy for auditors is written beside it")
    .action((options: GenesisOptions) => perform(options, async (output) => writeGenesis(await loadSodium(), options, output)));
}

function writeGenesis(ed25519: Ed25519, options: GenesisOptions, output: Output): number {
  if (existsSync(options.out)) throw new UsageError(`${options.out} is there already; a genesis is never replaced`);
  const named = options.member.map((file) => ({ file, bytes: readFile(file) }));
  const nodeFiles = named.map(({ bytes }) => bytes);
  const timeUs = readTime(options.time) * 1_000;
  const [trustDomain = ""] = named.map(
    ({ file, bytes }) => inFile(file, "IDENTITY_NODE_FILE_INVALID", () => readNodeFile(ed25519, bytes)).trustDomain,
  );
  const people = (files: readonly string[] | undefined, role: OperatorRole): Operator[] =>
    (files ?? []).map((file) => ({ ...publicKeyOf(ed25519, file), roles: [role] }));
  const bytes = assembleGenesis(ed25519, {
    environment: trustDomain.startsWith("dev.") ? "development" : "production",
    trustDomain,
    ...(options.engine === undefined ? {} : { engine: options.engine }),
    ...readWindow(options),
    ...(options.checkpointInterval === undefined
      ? {}
      : {
          checkpointInterval: parseWhole(options.checkpointInterval, {
            name: "--checkpoint-interval",
            min: 1,
            max: LIMITS.checkpointIntervalMax,
          }),
        }),
    nodeFiles,
    operators: [...people(options.operator, "operator"), ...people(options.auditor, "auditor")],
    issuers: options.issuer.map((file) => publicKeyOf(ed25519, file)),
    timeUs,
  });
  const id = clusterIdOf(nodeHasher, bytes);
  const policyFile = `${options.out}.policy`;
  writeFileSync(options.out, bytes, { flag: "wx" });
  writeFileSync(policyFile, policyText(policyOf({ genesis: parseGenesis(bytes), cluster: id }), shardAt(timeUs), nodeHasher));
  output.result({ cluster: id, genesis: options.out, policy: policyFile, time: new Date(timeUs / 1_000).toISOString() }, () =>
    [
      `cluster   ${id}`,
      `genesis   ${options.out}   time ${new Date(timeUs / 1_000).toISOString()}`,
      `policy    ${policyFile}: for auditors`,
      "Compare the cluster id with the other institutions through another channel, then set it as genesisHash in each node's configuration.",
    ].join("\n"),
  );
  return EXIT.done;
}

function readWindow({ window, engine }: GenesisOptions): { readonly window?: number } {
  if (window === undefined) return {};
  // More would only make a member without memory wait longer, and epochs end later.
  const max = engine === "tendermint" ? 1 : LIMITS.windowMax;
  return { window: parseWhole(window, { name: engine === "tendermint" ? "--window of tendermint" : "--window", min: 1, max }) };
}

function addInit(cluster: Command): void {
  addCommand(cluster, "init", {
    summary: "make a whole development cluster on this machine, for evaluation only",
    examples: ["cluster init --nodes 4 --out evaluation", "node start --config evaluation/nodes/node-1/config.json"],
  })
    .option("--nodes <number>", "how many nodes", "4")
    .addOption(engineOption())
    .option("--base-port <port>", "node i serves HTTP on this + i, and peers on this + 100 + i", "7400")
    .requiredOption("--out <dir>", "a folder for all of it")
    .action(
      (options: {
        readonly json?: boolean;
        readonly nodes: string;
        readonly engine?: EngineName;
        readonly basePort: string;
        readonly out: string;
      }) =>
        perform(options, async (output) => {
          if (readDevFolder(options.out) !== undefined) throw new UsageError(`there is a cluster in ${options.out} already`);
          const count = parseWhole(options.nodes, { name: "--nodes", min: 1, max: 16 });
          const basePort = parseWhole(options.basePort, { name: "--base-port", min: 1_024, max: 65_335 });
          const { cluster: made } = await openDevFolder({
            folder: options.out,
            count,
            basePort,
            ...(options.engine === undefined ? {} : { engine: options.engine }),
          });
          writeAddresses(made);
          const configs = made.nodes.map(configFileOf);
          const { genesis, policy, identities } = devPaths(made.folder);
          output.result({ cluster: made.cluster, genesis, policy, identities, configs }, () =>
            [
              `DEVELOPMENT cluster ${made.cluster}`,
              ...configs.map((config) => `  quorumgate node start --config ${config}`),
              `identities in ${identities}`,
            ].join("\n"),
          );
          return EXIT.done;
        }),
    );
}

function addIdentity(identity: Command): void {
  const text = {
    summary: "make a key for an operator, auditor, issuer or service",
    examples: ["identity new operator-1 --out keys/operator-1"],
  };
  addCommand(identity, "new <id>", text)
    .requiredOption("--out <dir>", "a new folder: the secret key stays there, identity.json is to hand out")
    .action((id: string, options: { readonly json?: boolean; readonly out: string }) =>
      perform(options, async (output) => {
        const ed25519 = await loadSodium();
        const made = createServiceKey(ed25519, id);
        saveServiceKey(ed25519, options.out, made);
        const file = join(options.out, "identity.json");
        output.result(
          { id, publicKey: made.publicKey, file },
          () => `${id}   ${made.publicKey}\nhand out ${file}; keep the rest of the folder`,
        );
        return EXIT.done;
      }),
    );
}

function publicKeyOf(ed25519: Ed25519, file: string): { readonly id: Operator["id"]; readonly key: Operator["key"] } {
  const bytes = readFile(file);
  const { id, publicKey } = inFile(file, "IDENTITY_FOLDER_INVALID", () => readPublicIdentity(ed25519, bytes));
  return { id, key: publicKey };
}

/** Milliseconds since 1970, in whole seconds. @throws {UsageError} */
function readTime(text: string | undefined): number {
  const time = text === undefined ? Date.now() : Date.parse(text);
  if (Number.isNaN(time)) throw new UsageError("--time is an instant such as 2026-01-31T12:00:00Z");
  return Math.floor(time / 1_000) * 1_000;
}

function readFile(path: string): Uint8Array {
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`);
  return new Uint8Array(readFileSync(path));
}
