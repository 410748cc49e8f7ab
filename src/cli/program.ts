import { Command } from "commander";
import { VERSION } from "#base";
import { addAuditCommands } from "./commands/audit.ts";
import { addAuthorizeCommand } from "./commands/authorize.ts";
import { addBenchCommand } from "./commands/bench.ts";
import { addClusterCommands } from "./commands/cluster.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addGrantCommands } from "./commands/grant.ts";
import { addMemberCommands } from "./commands/member.ts";
import { addNodeCommands } from "./commands/node.ts";
import { addServiceCommands } from "./commands/service.ts";
import { addSimulateCommand } from "./commands/simulate.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addVerifyCommand } from "./commands/verify.ts";

/** The program with all its commands; what a command needs is loaded when it runs. */
export function createProgram(): Command {
  const program = new Command("quorumgate")
    .description("A security gateway that no single operator has to be trusted with.")
    .version(VERSION, "--version")
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError("(--help shows how the command is used)")
    .exitOverride()
    .addHelpText("after", "\nExit codes: 0 done, 1 refused or failed, 2 usage; those of `verify` are in its help.");
  addDevCommand(program);
  addMemberCommands(program);
  addNodeCommands(program);
  addClusterCommands(program);
  addStatusCommand(program);
  addDoctorCommand(program);
  addServiceCommands(program);
  addGrantCommands(program);
  addAuthorizeCommand(program);
  addExplainCommand(program);
  addAuditCommands(program);
  addVerifyCommand(program);
  addSimulateCommand(program);
  addBenchCommand(program);
  return program;
}
