import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { LogLevel, Telemetry } from "#base";
import { createLogger, createMetricsRegistry, createTelemetry, METRICS, type MetricsRegistry } from "#telemetry";
import { REPOSITORY } from "../repository.ts";
import { metricsDocument } from "./metrics-document.ts";

const ROOT = REPOSITORY;

interface Fixture {
  readonly lines: Record<string, unknown>[];
  readonly registry: MetricsRegistry;
  readonly telemetry: Telemetry;
}

function fixture(logLevel: LogLevel = "info"): Fixture {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const registry = createMetricsRegistry();
  const logger = createLogger({ logLevel, fields: { node: "node-1" }, destination });
  return { lines, registry, telemetry: createTelemetry({ logger, registry }) };
}

describe("the table of metrics", () => {
  it("names every metric once, with its unit at the end", () => {
    expect(new Set(METRICS.map(({ name }) => name)).size).to.equal(METRICS.length);
    for (const { name, kind, unit } of METRICS) {
      expect(name).to.match(/^quorumgate_[a-z_]+$/);
      expect(name.endsWith("_total"), name).to.equal(kind === "counter");
      if (unit === "seconds" || unit === "bytes") expect(name).to.match(new RegExp(`_${unit}(_total)?$`));
    }
  });

  it("is what docs/METRICS.md says", () => {
    const path = join(ROOT, "docs/METRICS.md");
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(path, metricsDocument());
    expect(readFileSync(path, "utf8")).to.equal(metricsDocument());
  });

  it("has every name that a room measures, with the right kind", () => {
    const kinds: Record<string, string> = { count: "counter", gauge: "gauge", observe: "histogram" };
    const declared = new Map(METRICS.map(({ name, kind }) => [name, kind]));
    for (const [, method = "", name = ""] of sources().matchAll(/\.(count|gauge|observe)\(\s*"(quorumgate_\w+)"/g)) {
      expect(declared.get(name), name).to.equal(kinds[method]);
    }
    for (const [name] of sources().matchAll(/\bquorumgate_[a-z_]+\b/g)) expect(declared.has(name), name).to.equal(true);
  });
});

describe("telemetry", () => {
  it("shows every metric before its first event", async () => {
    const text = await fixture().registry.metrics();
    for (const { name } of METRICS) expect(text).to.include(`# HELP ${name} `);
    expect(text).to.match(/^quorumgate_blocks_committed_total 0$/m);
  });

  it("counts, sets and observes", async () => {
    const { telemetry, registry } = fixture();
    telemetry.count("quorumgate_commands_total", 3, { outcome: "allowed" });
    telemetry.count("quorumgate_commands_total", 2, { outcome: "allowed" });
    telemetry.gauge("quorumgate_height", 7);
    telemetry.observe("quorumgate_storage_write_seconds", 0.003);
    const text = await registry.metrics();
    expect(text).to.include('quorumgate_commands_total{outcome="allowed"} 5');
    expect(text).to.include("quorumgate_height 7");
    expect(text).to.include('quorumgate_storage_write_seconds_bucket{le="0.0025"} 0');
    expect(text).to.include('quorumgate_storage_write_seconds_bucket{le="0.005"} 1');
  });

  it("survives names, labels and numbers that are wrong, and says so once each", async () => {
    const { telemetry, registry, lines } = fixture();
    for (let i = 0; i < 3; i++) telemetry.count("quorumgate_unheard_of_total");
    telemetry.gauge("quorumgate_blocks_committed_total", 1);
    telemetry.count("quorumgate_decisions_total", 1, { caller: "chosen-by-caller" });
    telemetry.count("quorumgate_sync_blocks_total", -1);
    telemetry.observe("quorumgate_commit_seconds", Number.NaN);
    expect(await registry.metrics()).to.match(/^quorumgate_telemetry_errors_total 7$/m);
    expect(lines.map(({ event, metric }) => [event, metric])).to.deep.equal([
      ["telemetry.invalid", "quorumgate_unheard_of_total"],
      ["telemetry.invalid", "quorumgate_blocks_committed_total"],
      ["telemetry.invalid", "quorumgate_decisions_total"],
      ["telemetry.invalid", "quorumgate_sync_blocks_total"],
      ["telemetry.invalid", "quorumgate_commit_seconds"],
    ]);
  });

  it("writes one JSON line per event, at and above its level", () => {
    const { telemetry, lines } = fixture("warn");
    telemetry.log("info", "replica.started");
    telemetry.log("warn", "peer.lost", { peer: "node-2", seconds: 2 });
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({ level: "warn", event: "peer.lost", peer: "node-2", seconds: 2, node: "node-1" });
    expect(lines[0]?.["time"]).to.match(/^\d{4}-\d\d-\d\dT/);
  });

  it("never writes a field that holds a secret, nor more of a text than its bound", () => {
    const { telemetry, lines } = fixture();
    telemetry.log("info", "oops", { token: "s3cret-token", privateKeyPem: "s3cret-key", authorization: "Bearer s3cret" });
    telemetry.log("info", "long", { name: "x".repeat(10_000) });
    telemetry.log("info", "forged", { name: 'a\n{"level":"error"}\u001b[31m' });
    expect(JSON.stringify(lines[0])).to.not.include("s3cret");
    expect(String(lines[1]?.["name"]).length).to.equal(513);
    expect(lines).to.have.length(3);
  });
});

function sources(): string {
  const texts: string[] = [];
  for (const room of ["src", "consensus", "audit", "simulations"]) {
    for (const name of readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })) {
      if (name.endsWith(".ts") && !name.endsWith(".test.ts")) texts.push(readFileSync(join(ROOT, room, name), "utf8"));
    }
  }
  return texts.join("\n");
}
