// `npm run check [-- --tests-done] [-- --only NAME]`: every gate, one after the other; ends with the totals over the steps.
// With --tests-done the tests are not run again: their coverage is read from the last `npm test -- --coverage`.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { filesUnder, ROOT, runNode, seconds, tool } from "./steps.mjs";

/** Percentages below which the check fails: in pure rooms an unreached branch is a rule that nothing has tried. */
const COVERAGE = {
  pure: { folders: ["src/base", "src/state", "consensus", "audit"], lines: 99, branches: 94.5 },
  product: { folders: ["src", "consensus", "audit"], lines: 85, branches: 80 },
};

const STEPS = [
  { name: "compile", about: "tsc -b, every strict flag", run: () => build({ force: true }) },
  {
    name: "biome",
    about: "format and lint",
    run: () =>
      succeeds("@biomejs/biome/bin/biome", ["ci", `--colors=${process.stdout.isTTY ? "force" : "off"}`, "--error-on-warnings", "."]),
  },
  { name: "oxlint", about: "type-aware lint", run: () => succeeds("oxlint/bin/oxlint", ["--type-aware", "--deny-warnings"]) },
  { name: "imports", about: "directions of imports", run: checkImports },
  { name: "knip", about: "dead code, unused packages", run: () => succeeds("knip/bin/knip.js", ["--no-progress"]) },
  { name: "tests", about: "on dist, with coverage", run: runTests },
  { name: "coverage", about: "thresholds by room", run: checkCoverage },
  { name: "typedoc", about: "every export documented", run: checkDocumentation },
  { name: "package", about: "publint and attw on the packed package", run: checkPackage },
];

process.exitCode = await main(process.argv.slice(2));

async function main(options) {
  const only = options.includes("--only") ? options[options.indexOf("--only") + 1] : undefined;
  const testsDone = options.includes("--tests-done");
  const steps = STEPS.filter((step) => (only ? step.name === only : !(testsDone && step.name === "tests")));
  if (steps.length === 0) process.stdout.write(`there is no step of that name; there are ${STEPS.map((step) => step.name).join(", ")}\n`);
  const results = [];
  for (const [index, step] of steps.entries()) results.push(await runStep(step, `${index + 1}/${steps.length}`));
  process.stdout.write("\n");
  for (const { name, passed, time } of results) process.stdout.write(`${passed ? "ok    " : "FAILED"} ${name.padEnd(10)} ${time}\n`);
  const passed = results.filter((result) => result.passed).length;
  const failed = results.length - passed;
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

async function runStep({ name, about, run }, place) {
  const start = performance.now();
  process.stdout.write(`\n── ${place} ${name}: ${about}\n`);
  try {
    const passed = await run();
    return { name, passed, time: seconds(start) };
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return { name, passed: false, time: seconds(start) };
  }
}

async function succeeds(program, options) {
  const { code } = await runNode([tool(program), ...options]);
  return code === 0;
}

function checkImports() {
  const folders = ["src", "consensus", "audit", "simulations", "test", "scripts"].filter((folder) => existsSync(join(ROOT, folder)));
  return succeeds("dependency-cruiser/bin/dependency-cruise.mjs", folders);
}

async function runTests() {
  const { code } = await runNode([join(ROOT, "scripts/test.mjs"), "--coverage", "--reporter", "dot"]);
  return code === 0;
}

async function checkCoverage() {
  if (filesUnder("coverage/tmp", /\.json$/).length === 0) throw new Error("there is no coverage: run `npm test -- --coverage` first");
  if (!(await succeeds("c8/bin/c8.js", ["report"]))) return false;
  const summary = JSON.parse(readFileSync(join(ROOT, "coverage/report/coverage-summary.json"), "utf8"));
  return Object.entries(COVERAGE)
    .map(([name, gate]) => reachesGate(summary, name, gate))
    .every(Boolean);
}

/** Compares the sums over the folders' files with the gate, and names the files that pull them down. */
function reachesGate(summary, name, gate) {
  const prefixes = gate.folders.map((folder) => join(ROOT, folder, "/"));
  const files = Object.entries(summary).filter(([path]) => prefixes.some((prefix) => path.startsWith(prefix)));
  const reached = ["lines", "branches"].map((kind) => {
    const total = files.reduce((sum, [, file]) => sum + file[kind].total, 0);
    const covered = files.reduce((sum, [, file]) => sum + file[kind].covered, 0);
    const percent = total === 0 ? 0 : (100 * covered) / total;
    process.stdout.write(`${name}: ${percent.toFixed(1)} % of ${kind}, at least ${gate[kind]} %\n`);
    return percent >= gate[kind];
  });
  if (reached.every(Boolean)) return true;
  const worst = files.sort(([, a], [, b]) => b.branches.total - b.branches.covered - (a.branches.total - a.branches.covered)).slice(0, 5);
  for (const [path, file] of worst) {
    process.stdout.write(`  ${path.slice(ROOT.length + 1)}: ${file.branches.total - file.branches.covered} branches not reached\n`);
  }
  return false;
}

/** Every entry that package.json offers is read, so that nothing public stays without a word. */
function checkDocumentation() {
  const { exports } = readPackage();
  const types = Object.values(exports).flatMap((entry) => (typeof entry === "object" ? [entry.types] : []));
  const sources = types.map((path) => path.replace("./dist/", "").replace(/\.d\.ts$/, ".ts"));
  const absent = sources.filter((path) => !existsSync(join(ROOT, path)));
  if (absent.length > 0) throw new Error(`package.json exports what is not there: ${absent.join(", ")}`);
  return succeeds("typedoc/bin/typedoc", ["--entryPoints", ...sources]);
}

async function checkPackage() {
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-pack-"));
  try {
    const npm = process.env.npm_execpath;
    if (npm === undefined) throw new Error("run this step through npm: npm run check -- --only package");
    const packed = await runNode([npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", folder], { stdout: "pipe" });
    const [archive] = readdirSync(folder);
    if (packed.code !== 0 || archive === undefined) throw new Error(`npm pack failed: ${packed.output}`);
    const file = join(folder, archive);
    const published = await succeeds("publint/src/cli.js", [file, "--strict"]);
    const typed = await succeeds("@arethetypeswrong/cli/dist/index.js", [file, "--profile", "esm-only", "--no-emoji"]);
    return published && typed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readPackage() {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
}
