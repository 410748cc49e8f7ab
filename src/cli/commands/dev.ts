import type { Command } from "commander";
import { type EngineName, QuorumgateError } from "#base";
import { addCommand, type CommandText, engineOption, perform } from "../command.ts";
import { type ControlRequest, sendCommand } from "../dev/control.ts";
import { DEV_FOLDER, type DevFolder, devPaths, readDevFolder, socketPath } from "../dev/folder.ts";
import { parseWhole, UsageError } from "../failure.ts";

interface DevCommandOptions {
  readonly json?: boolean;
  readonly data: string;
  readonly nodes: string;
  readonly engine?: EngineName;
  readonly basePort: string;
  readonly ephemeral?: boolean;
  readonly once?: boolean;
}

/** Highest base port with which the peers of a hundred nodes still have ports. */
const BASE_PORT_MAX = 65_335;
const NODES_MAX = 16;

/** `quorumgate dev` and what acts on a running development cluster. */
export function addDevCommand(program: Command): void {
  const dev = addCommand(program, "dev", {
    summary: "run a development cluster of real node processes on this machine, until Ctrl-C",
    examples: [
      "dev",
      "dev --once --json",
      "dev --engine raft --ephemeral",
      "dev --nodes 7 --data .quorumgate/seven --base-port 7500",
      "dev kill 3",
    ],
  })
    .enablePositionalOptions()
    .option("--nodes <number>", "how many nodes", "4")
    .addOption(engineOption())
    .option("--data <dir>", "where the cluster is kept", DEV_FOLDER)
    .option("--base-port <port>", "node i serves HTTP on this + i, and peers on this + 100 + i", "7400")
    .option("--ephemeral", "keep nothing: the data are in a temporary folder")
    .option("--once", "stop after the first decision")
    .allowExcessArguments()
    .action((options: DevCommandOptions) =>
      perform(options, async (output) => {
        const [unknown] = dev.args;
        if (unknown !== undefined)
          throw new UsageError(`unknown command 'dev ${unknown}'; there are ${dev.commands.map((command) => command.name()).join(", ")}`);
        const { runDevCluster } = await import("../dev/run.ts");
        const basePort = parseWhole(options.basePort, { name: "--base-port", min: 1_024, max: BASE_PORT_MAX });
        const nodes = parseWhole(options.nodes, { name: "--nodes", min: 1, max: NODES_MAX });
        return runDevCluster(
          {
            nodes,
            basePort,
            ...(options.engine === undefined ? {} : { engine: options.engine }),
            data: options.data,
            ephemeral: options.ephemeral === true,
            once: options.once === true,
          },
          output,
        );
      }),
    );
  addNodeAction(dev, "kill", "end a node's process as a power failure would (SIGKILL)");
  addNodeAction(dev, "start", "start a node that was killed; it catches up");
  addNodeAction(dev, "pause", "stop a node's process in place (SIGSTOP): its links stay, it answers nobody");
  addNodeAction(dev, "resume", "let a paused node go on");
  addLie(dev);
  addPartition(dev);
  addActing(dev, "heal", { summary: "mend all links", examples: ["dev heal"] }, () => ({ command: "heal" }));
}

function addNodeAction(dev: Command, name: string, summary: string): void {
  addActing(dev, `${name} <node>`, { summary, examples: [`dev ${name} 3`] }, (node) => ({
    command: name,
    node: parseWhole(node, { name: "NODE", min: 1, max: NODES_MAX }),
  }));
}

function addLie(dev: Command): void {
  const text = {
    summary:
      "let a node lie: silent, equivocate, forge, replay, mutate, flood, and more; `honest` ends it. Raft, and fewer than four nodes, tolerate no liar",
    examples: ["dev lie 3", "dev lie 3 withhold", "dev lie 3 honest"],
    warning: async (cluster: DevFolder, { kind }: ControlRequest) => (await import("../dev/lie-warning.ts")).lieWarning(cluster, kind),
  };
  addActing(dev, "lie <node> [kind]", text, (node, kind = "equivocate") => ({
    command: "lie",
    node: parseWhole(node, { name: "NODE", min: 1, max: NODES_MAX }),
    kind,
  }));
}

function addPartition(dev: Command): void {
  const text = { summary: "cut the links between groups of nodes", examples: ["dev partition 1,2/3,4", "dev partition 1/2,3,4"] };
  addActing(dev, "partition <groups>", text, (groups) => ({
    command: "partition",
    groups: groups.split("/").map((group) => group.split(",").map((node) => parseWhole(node, { name: "a node", min: 1, max: NODES_MAX }))),
  }));
}

function addActing(
  dev: Command,
  nameAndArguments: string,
  text: CommandText & {
    /** What whoever asks for this has to know of the cluster. */
    readonly warning?: (cluster: DevFolder, request: ControlRequest) => Promise<string | undefined>;
  },
  requestOf: (argument: string, second?: string) => ControlRequest,
): void {
  const command = addCommand(dev, nameAndArguments, text).option("--data <dir>", "the running cluster's folder", DEV_FOLDER);
  command.action(async () => {
    const { data, json } = command.opts<{ data: string; json?: boolean }>();
    await perform(json === true ? { json } : {}, async (output) => {
      const request = requestOf(command.args[0] ?? "", command.args[1]);
      const cluster = existingCluster(data);
      const message = await sendCommand(socketPath(devPaths(cluster.folder).socket), request);
      const warning = await text.warning?.(cluster, request);
      if (warning !== undefined && !output.json) output.note(output.style.bad(`warning: ${warning}`));
      output.result({ ...request, message, ...(warning === undefined ? {} : { warning }) }, () => message);
      return undefined;
    });
  });
}

function existingCluster(data: string): DevFolder {
  if (data === "") throw new UsageError("--data needs a folder");
  const cluster = readDevFolder(data);
  if (cluster === undefined) throw new QuorumgateError("DEV_COMMAND_FAILED", `there is no development cluster in ${data}`);
  return cluster;
}
