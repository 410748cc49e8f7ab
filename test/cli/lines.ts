import { type Command, CommanderError } from "commander";
import { createProgram } from "../../src/cli/program.ts";

/** Every command of the command line with the examples of its help, without the program's name. */
export function commandsWithExamples(): { readonly name: string; readonly help: string; readonly examples: readonly string[] }[] {
  return everyCommand(createProgram()).map((command) => {
    const help = helpOf(command);
    const examples = [...help.matchAll(/^ {2}quorumgate (.+)$/gm)].map((match) => match[1] ?? "");
    return { name: pathOf(command), help, examples };
  });
}

/** What commander says of a line that ends too early, or that asks for help. */
const INCOMPLETE = ["commander.missingArgument", "commander.missingMandatoryOptionValue", "commander.help"];

/** Reads a line as the command line would, without doing what it says; what is wrong with it, if anything. Only a whole line needs its arguments. */
export async function complaint(line: string, { whole }: { readonly whole: boolean } = { whole: true }): Promise<string | undefined> {
  const program = createProgram();
  silence(program);
  for (const command of everyCommand(program)) command.action(() => undefined);
  try {
    await program.parseAsync(wordsOf(line), { from: "user" });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 || (!whole && INCOMPLETE.includes(error.code)) ? undefined : error.message;
  }
}

function silence(command: Command): void {
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  command.commands.forEach(silence);
}

/** Those that do something: groups only lead to them. */
function everyCommand(command: Command): Command[] {
  const own = command.parent !== null && command.options.some(({ long }) => long === "--json") ? [command] : [];
  return [...own, ...command.commands.flatMap(everyCommand)];
}

function pathOf(command: Command): string {
  const above = command.parent;
  return above === null || above.parent === null ? command.name() : `${pathOf(above)} ${command.name()}`;
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

/** A line's words as a shell makes them; only quotes mean anything here. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}
