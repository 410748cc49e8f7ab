// `node scripts/run-built.mjs COMMAND [options]`: a command of the command line, built first when something changed.
import { join } from "node:path";
import { build } from "./build.mjs";
import { becomeNode, ROOT } from "./steps.mjs";

if (await build({ tests: false })) becomeNode([join(ROOT, "dist/src/cli/main.js"), ...process.argv.slice(2)]);
else process.exitCode = 1;
