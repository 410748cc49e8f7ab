// `npm test [-- test/<room> …] [mocha's options] [--coverage]`: builds, then runs the compiled tests against dist, as a user of the package would.
import { rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { build } from "./build.mjs";
import { filesUnder, ROOT, runNode, tool } from "./steps.mjs";

/** Longer than a newcomer waits; each has a command of its own (CONTRIBUTING.md). */
const CAMPAIGNS = /^dist\/test\/campaigns\//;

const passedOn = process.argv.slice(2).filter((argument) => argument !== "--coverage");
const coverage = process.argv.includes("--coverage") ? { NODE_V8_COVERAGE: join(ROOT, "coverage", "tmp") } : {};

process.exitCode = await main();

async function main() {
  if (!(await build())) return failed("the build failed: see the compiler's lines above");
  const chosen = passedOn.filter(isTestPath);
  const files = chosen.length > 0 ? chosen.flatMap(compiledTests) : compiledTests("test").filter((file) => !CAMPAIGNS.test(file));
  if (files.length === 0) return failed(`there are no tests${chosen.length > 0 ? ` under ${chosen.join(", ")}` : ""}`);
  if ("NODE_V8_COVERAGE" in coverage) rmSync(coverage.NODE_V8_COVERAGE, { recursive: true, force: true });
  const options = [
    "--no-config",
    "--parallel",
    "--jobs",
    "2",
    "--timeout",
    "20000",
    "--forbid-only",
    "--reporter",
    join(ROOT, "scripts/reporter.mjs"),
  ];
  const rest = passedOn.filter((argument) => !isTestPath(argument));
  const { code } = await runNode([tool("mocha/bin/mocha.js"), ...options, ...rest, ...files], { env: coverage });
  return code;
}

function failed(reason) {
  process.stdout.write(`${reason}\n0 passed, 1 failed\n`);
  return 1;
}

function isTestPath(argument) {
  return /^(\.\/)?(dist\/)?test(\/|$)/.test(argument);
}

/** The compiled tests of a source file or folder: `test/audit` gives those below dist/test/audit. */
function compiledTests(path) {
  const source = relative(ROOT, resolve(ROOT, path))
    .replace(/^dist\//, "")
    .replace(/\.(ts|js)$/, "");
  const own = filesUnder("dist/test", /\.test\.js$/).filter((file) => file === `dist/${source}.js` || file.startsWith(`dist/${source}/`));
  return own.sort();
}
