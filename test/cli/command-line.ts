import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What a run of the command line left behind. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const EXTENSION = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** How one of the product's entries is started as these tests run: from source, or compiled beside them. @param entry such as `cli/main` */
export function commandOf(entry: string): readonly [program: string, ...words: string[]] {
  return [process.execPath, ...loaderFlags(), fileURLToPath(new URL(`../../src/${entry}.${EXTENSION}`, import.meta.url))];
}

/** Starts `quorumgate` as a process of its own, without colours and without a terminal. */
export function startCommand(words: readonly string[], options: { readonly cwd?: string } = {}): ChildProcess {
  const [program, ...main] = commandOf("cli/main");
  return spawn(program, [...main, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
    ...options,
  });
}

/** Runs `quorumgate` to its end. */
export function quorumgate(words: readonly string[], options: { readonly cwd?: string } = {}): Promise<Ran> {
  const child = startCommand(words, options);
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  return new Promise((settle, refuse) => {
    child.once("error", refuse);
    child.once("close", (code) => settle({ code, stdout, stderr }));
  });
}

/** Ends a started command as Ctrl-C does, unless it ended before. */
export async function endCommand(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((settle) => child.once("exit", settle));
  child.kill("SIGTERM");
  await gone;
}

/** The first line of a command's stdout; fails with its stderr when it ends before. */
export function firstLine(child: ChildProcess): Promise<string> {
  let [stdout, stderr] = ["", ""];
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  return new Promise((settle, refuse) => {
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      if (stdout.includes("\n")) settle(stdout);
    });
    child.once("exit", (code) => refuse(new Error(`ended with ${code}: ${stderr}`)));
  });
}

/** A folder that the returned function removes. */
export function temporaryFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "quorumgate-cli-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A base port that another test file in another process is unlikely to use, below the ports that systems give out. */
export function basePort(offset: number): number {
  return 20_000 + (process.pid % 50) * 200 + offset * 25;
}

/** True while a process of that id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits until something holds. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, waitMs: number = 30_000): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${waitMs} ms: ${what}`);
    await new Promise((settle) => setTimeout(settle, 50));
  }
}

/** From source, child processes need the loader; a worker of mocha does not always carry its parent's flags. */
function loaderFlags(): readonly string[] {
  return EXTENSION === "ts"
    ? ["--conditions=quorumgate-source", `--import=${pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href}`]
    : [];
}
