import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { REPOSITORY } from "../repository.ts";

interface Rule {
  readonly name: string;
}

interface Violation {
  readonly from: string;
  readonly rule: Rule;
}

/** A violation of one rule: the file that breaks it and the text that does. */
type Planted = readonly [rule: string, file: string, text: string];

const UPWARD: readonly Planted[] = [
  ["layers-base", "src/base/up.ts", 'import "#state";'],
  ["layers-state", "src/state/beside.ts", 'import "#audit";'],
  ["layers-consensus", "consensus/beside.ts", 'import "#state";'],
  ["layers-audit", "audit/beside.ts", 'import "#consensus";'],
  ["layers-crypto", "src/crypto/beside.ts", 'import "#storage";'],
  ["layers-transport", "src/transport/beside.ts", 'import "#crypto";'],
  ["layers-storage", "src/storage/up.ts", 'import "#replica";'],
  ["layers-telemetry", "src/telemetry/beside.ts", 'import "#transport";'],
  ["layers-replica", "src/replica/beside.ts", 'import "#identity";'],
  ["layers-identity", "src/identity/beside.ts", 'import "#replica";'],
  ["layers-simulations", "simulations/up.ts", 'import "#gateway";'],
  ["layers-gateway", "src/gateway/beside.ts", 'import "#simulations";'],
  ["layers-http", "src/http/up.ts", 'import "#daemon";'],
  ["layers-daemon", "src/daemon/beside.ts", 'import "../cli/index.ts";'],
  ["layers-cli", "src/cli/library.ts", 'import "../index.ts";'],
];

const OTHERS: readonly Planted[] = [
  ["known-rooms", "src/gateway/unknown.ts", 'import "../elsewhere/index.ts";'],
  ["through-doors", "src/replica/window.ts", 'import "../storage/index.ts";'],
  ["through-doors", "src/state/type-only.ts", 'import type { room } from "../base/index.ts";\nexport type Name = typeof room;'],
  ["library-through-doors", "test/state/inner.test.ts", 'import "../../src/state/inner.ts";'],
  ["pure-no-node", "audit/disk.ts", 'import "node:fs";'],
  ["pure-few-packages", "src/state/schema.ts", 'import "zod";'],
  ["only-crypto-imports-libsodium", "src/gateway/wrappers.ts", 'import "libsodium-wrappers";'],
  ["only-crypto-imports-libsodium", "src/replica/native.ts", 'import "sodium-native";'],
  ["only-storage-imports-level", "src/replica/store.ts", 'import "level";'],
  ["only-http-imports-fastify", "src/gateway/server.ts", 'import "fastify";'],
  ["only-http-imports-fastify", "src/identity/limits.ts", 'import "@fastify/rate-limit";'],
  ["library-without-http-server", "src/index.ts", 'export { room } from "#gateway";\nexport { server } from "./through.ts";'],
  ["nothing-imports-tests", "src/telemetry/helper.ts", 'import "../../test/helper.ts";'],
  ["no-cycles", "src/base/here.ts", 'import "./there.ts";'],
  ["resolvable", "consensus/absent.ts", 'import "./not-there.ts";'],
  ["declared-packages", "src/transport/test-only.ts", 'import "chai";'],
];

/** What the planted files need around them, and a use of every door that is allowed. */
const SURROUNDINGS: Readonly<Record<string, string>> = {
  "src/elsewhere/index.ts": "export const room = 1;",
  "src/state/inner.ts": "export const inner = 1;",
  "src/through.ts": 'export { server } from "#http";',
  "src/base/there.ts": 'import "./here.ts";',
  "test/helper.ts": "export const helper = 1;",
};

const ALLOWED: Readonly<Record<string, string>> = {
  "src/base/index.ts": 'import "@noble/hashes/sha2.js";\nexport const room = 1;',
  "src/state/index.ts": 'export { room } from "#base";',
  "consensus/index.ts": 'export { room } from "#base";',
  "audit/index.ts": 'export { room } from "#base";',
  "src/crypto/index.ts": 'import "libsodium-wrappers";\nimport "sodium-native";\nexport { room } from "#audit";',
  "src/transport/index.ts": 'import "node:tls";\nexport { room } from "#base";',
  "src/storage/index.ts": 'import "level";\nexport { room } from "#base";',
  "src/telemetry/index.ts": 'import "pino";\nexport { room } from "#base";',
  "src/replica/index.ts": 'import "#state";\nimport "#storage";\nexport { room } from "#consensus";',
  "src/identity/index.ts": 'import "#audit";\nexport { room } from "#crypto";',
  "simulations/index.ts": 'import "#state";\nexport { room } from "#replica";',
  "src/gateway/index.ts": 'import "#identity";\nexport { room } from "#replica";',
  "src/http/index.ts": 'import "fastify";\nexport { room as server } from "#gateway";',
  "src/daemon/index.ts": 'import "#http";\nexport { room } from "#gateway";',
  "src/cli/index.ts": 'import "#daemon";\nimport "#simulations";\nexport { room } from "#gateway";',
  "test/state/door.test.ts": 'import "fast-check";\nimport "node:fs";\nimport "#state";\nimport "../helper.ts";',
};

const RULES = createRequire(import.meta.url)(join(REPOSITORY, ".dependency-cruiser.cjs")) as { readonly forbidden: readonly Rule[] };

describe("the rules of imports", () => {
  let folder: string;
  let violations: readonly Violation[];

  before(function () {
    this.timeout(60_000);
    folder = mkdtempSync(join(tmpdir(), "quorumgate-import-rules-"));
    for (const [file, text] of Object.entries({ ...SURROUNDINGS, ...ALLOWED })) plant(file, text);
    for (const [, file, text] of [...UPWARD, ...OTHERS]) plant(file, text);
    for (const file of ["package.json", ".dependency-cruiser.cjs"]) copyFileSync(join(REPOSITORY, file), join(folder, file));
    symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "node_modules"), "dir");
    violations = cruise();
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [rule, file, text] of [...UPWARD, ...OTHERS]) {
    it(`${rule} refuses ${text.split("\n").at(-1)} in ${file}`, () => {
      expect(rulesBrokenBy(file)).to.include(rule);
    });
  }

  it("accepts every door that a room may open", () => {
    const broken = Object.keys(ALLOWED).flatMap((file) => rulesBrokenBy(file).map((rule) => `${file}: ${rule}`));
    expect(broken).to.deep.equal([]);
  });

  it("has a planted violation for each of its rules", () => {
    const planted = new Set([...UPWARD, ...OTHERS].map(([rule]) => rule));
    expect(RULES.forbidden.map((rule) => rule.name).filter((name) => !planted.has(name))).to.deep.equal([]);
  });

  function plant(file: string, text: string): void {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${text}\n`);
  }

  function rulesBrokenBy(file: string): string[] {
    return violations.filter((violation) => violation.from === file).map((violation) => violation.rule.name);
  }

  function cruise(): readonly Violation[] {
    const program = join(REPOSITORY, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
    const folders = ["src", "consensus", "audit", "simulations", "test"];
    const options = { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 } as const;
    const { stdout, stderr } = spawnSync(process.execPath, [program, "--output-type", "json", ...folders], options);
    if (!stdout.startsWith("{")) throw new Error(`dependency-cruiser did not answer: ${stderr}`);
    return (JSON.parse(stdout) as { summary: { violations: readonly Violation[] } }).summary.violations;
  }
});
