#!/usr/bin/env node
import { CommanderError } from "commander";
import { EXIT } from "./failure.ts";
import { createProgram } from "./program.ts";

// Whoever reads the first lines only (`| head`) has what was wanted: that is no failure, and there is nobody left to tell of one.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
// Notes and complaints that nobody reads are lost; the result and the exit code still say what became of the command.
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
