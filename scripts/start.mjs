// `npm start [-- options of quorumgate dev]`: builds when something changed, then runs the development cluster.
import { join } from "node:path";
import { build } from "./build.mjs";
import { becomeNode, ROOT } from "./steps.mjs";

// The tests are not needed to run, and building them would let a newcomer wait.
if (await build({ tests: false })) becomeNode([join(ROOT, "dist/src/cli/main.js"), "dev", ...process.argv.slice(2)]);
else process.exitCode = 1;
