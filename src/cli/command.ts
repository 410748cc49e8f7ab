import { Command, Option } from "commander";
import { ENGINES } from "#base";
import { EXIT, reportFailure } from "./failure.ts";
import { createOutput, type Output } from "./output.ts";

/** What every command says of itself. */
export interface CommandText {
  readonly summary: string;
  /** Lines as a person would type them, without the program's name. */
  readonly examples: readonly string[];
}

/** A command's work: its exit code, or nothing when it is done. */
export type Work = (output: Output) => Promise<number | undefined>;

/** Adds a command with `--json`, examples in its help, and the exit code 2 for wrong usage. */
export function addCommand(parent: Command, nameAndArguments: string, text: CommandText): Command {
  return describeCommand(parent.command(nameAndArguments), text).option("--json", "one JSON value on stdout, everything else on stderr");
}

/** Adds a command that only groups others. */
export function addGroup(parent: Command, name: string, summary: string): Command {
  return parent.command(name).description(summary);
}

/** Runs a command's work and sets the process's exit code. */
export async function perform(options: { readonly json?: boolean }, work: Work): Promise<void> {
  const output = createOutput(
    { stdout: process.stdout, stderr: process.stderr, environment: process.env },
    { json: options.json === true },
  );
  try {
    process.exitCode = (await work(output)) ?? EXIT.done;
  } catch (error) {
    process.exitCode = reportFailure(error, output);
  }
}

/** The consensus engine of a new cluster; another name than one of the engines is wrong usage. */
export function engineOption(): Option {
  return new Option("--engine <name>", "consensus engine: pbft (the default), tendermint, or raft, which tolerates crashes only").choices(
    ENGINES,
  );
}

/** Gathers an option that may be given several times. */
export function gather(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function describeCommand(command: Command, { summary, examples }: CommandText): Command {
  const lines = examples.map((example) => `  quorumgate ${example}`);
  return command.description(summary).addHelpText("after", ["", examples.length === 1 ? "Example:" : "Examples:", ...lines].join("\n"));
}
