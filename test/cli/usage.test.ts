import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { commandLinesOfDocuments } from "../house/references.ts";
import { quorumgate, startCommand, temporaryFolder } from "./command-line.ts";
import { commandsWithExamples, complaint } from "./lines.ts";

describe("the command line", function () {
  this.timeout(60_000);

  it("is loaded without taking what a parent process says for an order to attack", () => {
    expect(process.listeners("message").map(String).join()).to.not.include("assault");
  });

  it("helps with every command, with --json and with examples that it understands", async () => {
    const commands = commandsWithExamples();
    expect(commands.map(({ name }) => name)).to.include.members(["dev", "dev lie", "member propose", "node renew", "verify", "simulate"]);
    for (const { name, help, examples } of commands) {
      expect(help, name).to.include("--json");
      expect(examples, name).to.not.deep.equal([]);
      for (const line of examples) expect({ line, complaint: await complaint(line) }).to.deep.equal({ line, complaint: undefined });
    }
  });

  it("understands every line that a document gives to type", async () => {
    const typed = commandLinesOfDocuments();
    expect(typed.map(({ line }) => line)).to.include("verify receipt.tlog-proof --policy policy");
    const judged = await Promise.all(
      typed.map(async (typedLine) => ({ ...typedLine, complaint: await complaint(typedLine.line, typedLine) })),
    );
    expect(judged.filter((one) => one.complaint !== undefined)).to.deep.equal([]);
  });

  it("prints help to stdout with exit code 0", async () => {
    const lines = [["--help"], ["dev", "kill", "--help"], ["member", "propose", "--help"]];
    for (const { code, stdout, stderr } of await Promise.all(lines.map((words) => quorumgate(words)))) {
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: "" });
      expect(stdout).to.match(/^Usage: quorumgate /);
    }
  });

  it("answers wrong usage with exit code 2, a reason on stderr and nothing on stdout", async () => {
    const wrong = [
      ["nonsense"],
      ["dev", "nonsense"],
      ["dev", "--nodes", "many"],
      ["authorize"],
      ["status", "--url", "http://127.0.0.1:1"],
      ["verify", "receipt"],
      ["explain", "no such thing"],
      ["simulate", "--seeds", "9..1"],
      ["simulate", "--planted", "no-such-bug"],
      ["simulate", "--twins", "no-such-file.json"],
      ["simulate", "--mutations", "3"],
      ["simulate", "--shrink"],
      ["simulate", "--rounds", "2"],
      ["simulate", "--twins", "--mutations", "1"],
      ["simulate", "--mutations", "1", "--nodes", "7"],
      ["simulate", "--replay", "package.json"],
      ["simulate", "--replay", "README.md"],
      ["simulate", "--replay", "failure.json", "--faults", "crash"],
      ["simulate", "--planted", "raft-votes-twice", "--engine", "pbft"],
      ["simulate", "--planted", "two-thirds-of-five", "--nodes", "7"],
      ["simulate", "--twins", "simulations"],
      ["bench", "--kind", "silent"],
      ["bench", "--suite", "byzantine", "--kind", "no-such-kind"],
      ["bench", "--suite", "byzantine", "--engine", "raft"],
      ["authorize", "--service", "a", "--capability", "no:preset"],
      ["status", "--url", "http://127.0.0.1:1", "--cluster", "no-id"],
      ["simulate", "--replay", "failure.json", "--format", "png"],
      ["simulate", "--replay", "failure.json", "--from", "20", "--to", "10"],
    ];
    expect((await quorumgate(["dev", "stop"])).stderr).to.include("unknown command 'dev stop'; there are kill, start, pause");
    const ran = await Promise.all(wrong.map((words) => quorumgate(words)));
    for (const [at, { code, stdout, stderr }] of ran.entries()) {
      expect({ words: wrong[at], code, stdout }).to.deep.equal({ words: wrong[at], code: 2, stdout: "" });
      expect(stderr).to.match(/error: ./);
    }
  });

  it("answers a failure with exit code 1, a code and a hint, as JSON on request", async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const plain = await quorumgate(["status"], { cwd: folder });
      expect(plain).to.include({ code: 1, stdout: "" });
      expect(plain.stderr)
        .to.match(/DEV_COMMAND_FAILED: there is no development cluster in /)
        .and.to.match(/hint: .*quorumgate dev/);
      const { stdout, code } = await quorumgate(["status", "--json"], { cwd: folder });
      expect(code).to.equal(1);
      expect(JSON.parse(stdout)).to.have.nested.property("error.code", "DEV_COMMAND_FAILED");
    } finally {
      remove();
    }
  });

  it("explains every code without a cluster", async () => {
    const { code, stdout } = await quorumgate(["explain", "AUTHZ_NO_GRANT", "--json"]);
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.include({ code: "AUTHZ_NO_GRANT", status: 403 });
  });

  it("refuses evidence that is none with the verifier's exit code", async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const [evidence, policy] = [join(folder, "evidence"), join(folder, "policy")];
      writeFileSync(evidence, "nothing");
      writeFileSync(policy, "nothing");
      const { code, stdout } = await quorumgate(["verify", evidence, "--policy", policy]);
      expect(code).to.equal(17);
      expect(stdout).to.match(/^NOT VALID \(exit 17\)/);
      writeFileSync(policy, Uint8Array.of(0xff, 0xfe));
      expect((await quorumgate(["verify", evidence, "--policy", policy])).code).to.equal(17);
      truncateSync(evidence, 40_000_000);
      const large = await quorumgate(["verify", evidence, "--policy", policy]);
      expect(large).to.include({ code: 17, stdout: "" });
      expect(large.stderr).to.match(/FORMAT_TOO_LARGE: .*evidence/);
    } finally {
      remove();
    }
  });

  it("plays a failure of a report again with nothing else given, and of the whole report the first one", async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const faults = [{ kind: "targeted-lock", atMs: 1853, node: 3, decides: 0, forMs: 1417 }];
      const failure = { engine: "tendermint", nodes: 4, planted: "tendermint-never-locks", seed: 4, faults };
      const words = ["simulate", "--replay", "failure.json", "--to", "100"];
      writeFileSync(join(folder, "failure.json"), JSON.stringify({ schedules: 4, failures: [failure] }));
      const { code, stdout } = await quorumgate(words, { cwd: folder });
      expect(code).to.equal(1);
      expect(stdout)
        .to.match(/^seed 4, tendermint, window 1, 4 nodes: /)
        .and.to.match(/A8 is broken: /);
      writeFileSync(join(folder, "failure.json"), JSON.stringify(failure));
      expect(await quorumgate([...words, "--engine", "pbft"], { cwd: folder }), "options count more than the file").to.include({ code: 2 });
      const found = await quorumgate(["simulate", "--planted", "tendermint-never-locks", "--seeds", "4..4", "--json"], { cwd: folder });
      expect(JSON.parse(found.stdout)).to.have.nested.property("failures[0].planted", "tendermint-never-locks");
      expect(JSON.parse(found.stdout)).to.have.nested.property("failures[0].engine", "tendermint");
    } finally {
      remove();
    }
  });

  it("draws a schedule that is replayed, to a file or to stdout", async () => {
    const { folder, remove } = temporaryFolder();
    try {
      writeFileSync(join(folder, "failure.json"), '{"seed":7,"faults":[{"kind":"crash","atMs":400,"node":2,"downMs":100}]}');
      const words = ["simulate", "--replay", "failure.json", "--from", "300", "--to", "500"];
      const drawn = await quorumgate([...words, "--format", "svg", "--out", "run.svg"], { cwd: folder });
      expect(drawn).to.include({ code: 0 });
      expect(drawn.stdout).to.match(/0 violations; written to run\.svg\n$/);
      expect(readFileSync(join(folder, "run.svg"), "utf8")).to.match(/^<svg .*<\/svg>\n$/s);
      const { stdout } = await quorumgate([...words, "--format", "jsonl"], { cwd: folder });
      const types = stdout
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { type: string }).type);
      expect(types).to.include.members(["run", "fault", "killed", "end"]);
    } finally {
      remove();
    }
  });

  it("says of a planted bug what is wrong, what it broke, and how to look at it", async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const { code, stdout } = await quorumgate(["simulate", "--planted", "two-thirds-of-five", "--workers", "1"]);
      expect(code).to.equal(1);
      expect(stdout).to.match(/^two-thirds-of-five was found by A\d /);
      expect(stdout).to.include("planted in the protocol: 2f + 1 of five decide");
      expect(stdout).to.match(/5 nodes of pbft\n {2}seed \d+ breaks A\d: \w+/);
      const [, failure = ""] = /where failure\.json is: (.*)\n/.exec(stdout) ?? [];
      const [, words = ""] = /: quorumgate (simulate .*)\n/.exec(stdout) ?? [];
      writeFileSync(join(folder, "failure.json"), failure);
      const again = await quorumgate(words.split(" "), { cwd: folder });
      expect(again.code, again.stderr).to.equal(1);
      expect(again.stdout).to.match(/ [1-9]\d* violations?\n$/);
    } finally {
      remove();
    }
  });

  it("ends in silence when nobody reads on", async () => {
    const child = startCommand(["simulate", "--seeds", "1"]);
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout?.destroy();
    await new Promise((settle) => child.once("close", settle));
    expect(stderr).not.to.match(/EPIPE|Error/);
  });

  it("keeps its exit code and gives its result when nobody reads what it notes beside", async () => {
    const unheard = async (words: readonly string[]): Promise<{ code: number | null; stdout: string }> => {
      const child = startCommand(words);
      let stdout = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      child.stderr?.destroy();
      return { code: await new Promise((settle) => child.once("close", settle)), stdout };
    };
    expect(await unheard(["nonsense"])).to.deep.equal({ code: 2, stdout: "" });
    const simulated = await unheard(["simulate", "--engine", "raft", "--nodes", "1", "--seeds", "1..12", "--workers", "1", "--json"]);
    expect(simulated.code).to.equal(0);
    expect(JSON.parse(simulated.stdout)).to.include({ schedules: 12 });
  });

  it("simulates a range of seeds with the same trace in two processes", async () => {
    const words = ["simulate", "--seeds", "1..3", "--workers", "1", "--json"];
    const [first, second] = await Promise.all([quorumgate(words), quorumgate(words)]);
    expect(first.code).to.equal(0);
    const report = JSON.parse(first.stdout) as { schedules: number; traceHash: string; failures: unknown[] };
    expect(report).to.deep.include({ schedules: 3, failures: [] });
    expect((JSON.parse(second.stdout) as { traceHash: string }).traceHash).to.equal(report.traceHash);
  });
});
