// Compiles the projects and bundles the verifier. Does nothing when nothing has changed: `node scripts/build.mjs [--product] [--force]`.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesUnder, ROOT, runNode, seconds, tool } from "./steps.mjs";

const PRODUCT = ["src", "consensus", "audit", "simulations"];
const SETTINGS = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.base.json", "scripts/build.mjs"];
const ENTRY = "dist/src/cli/main.js";
const VERIFIER = { source: "audit/verify.ts", output: "dist/verify.js" };

/**
 * Builds everything, or without the tests when `tests` is false.
 * Returns false when compiling failed; what the compiler says goes to stderr, as does all progress.
 */
export async function build({ tests = true, force = false } = {}) {
  const start = performance.now();
  const scope = tests ? "all" : "product";
  const before = fingerprint(scope);
  if (!force && isCurrent(scope, before)) return true;
  process.stderr.write(`building quorumgate${tests ? " and its tests" : ""} …\n`);
  removeOrphans();
  const compiler = await runNode([tool("typescript/bin/tsc"), "-b", ...(tests ? [] : ["src"])], { stdout: "stderr" });
  if (compiler.code !== 0) return false;
  await bundleVerifier();
  if (existsSync(join(ROOT, ENTRY))) chmodSync(join(ROOT, ENTRY), 0o755);
  writeFileSync(stampFile(scope), before);
  process.stderr.write(`built in ${seconds(start)}\n`);
  return true;
}

function stampFile(scope) {
  return join(ROOT, "dist", `.built-${scope}`);
}

function isCurrent(scope, now) {
  return existsSync(stampFile(scope)) && readFileSync(stampFile(scope), "utf8") === now;
}

/** Names, sizes and times of all that goes in, taken before compiling: a file saved meanwhile is built the next time. */
function fingerprint(scope) {
  const folders = scope === "all" ? [...PRODUCT, "test"] : PRODUCT;
  const files = [...SETTINGS, ...folders.flatMap((folder) => filesUnder(folder, /\.(ts|json)$/))].sort();
  const hash = createHash("sha256");
  for (const file of files) {
    const { size, mtimeMs } = statSync(join(ROOT, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  const outputs = [VERIFIER.output, ENTRY].filter((file) => existsSync(join(ROOT, file)));
  return `${hash.digest("hex")} ${outputs.join(" ")}`;
}

/** Compiled files whose source is gone would still be run as tests, be packed and be imported. */
function removeOrphans() {
  for (const file of filesUnder("dist", /\.(js|d\.ts)(\.map)?$/)) {
    if (file.startsWith(VERIFIER.output)) continue;
    const source = file.slice("dist/".length).replace(/\.(js|d\.ts)(\.map)?$/, ".ts");
    if (!existsSync(join(ROOT, source))) rmSync(join(ROOT, file));
  }
}

/** One file without a single import, for Node and the browser: an auditor can read it, pin it and carry it. */
async function bundleVerifier() {
  if (!existsSync(join(ROOT, VERIFIER.source))) return;
  const { build: bundle } = await import("esbuild");
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const result = await bundle({
    absWorkingDir: ROOT,
    entryPoints: [VERIFIER.source],
    outfile: VERIFIER.output,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    conditions: ["quorumgate-source"],
    legalComments: "inline",
    metafile: true,
    logLevel: "warning",
  });
  const imports = Object.values(result.metafile.outputs).flatMap((output) => output.imports.map((item) => item.path));
  if (imports.length > 0) throw new Error(`${VERIFIER.output} must stand alone, but imports ${imports.join(", ")}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const done = await build({ tests: !process.argv.includes("--product"), force: process.argv.includes("--force") });
  process.exitCode = done ? 0 : 1;
}
