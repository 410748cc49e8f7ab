// What the other scripts share: where the checkout is, and how a step is run and timed.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's top folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** A file of a package's command line, run with this very Node: no shell, no PATH, the same on every system. */
export function tool(path) {
  return join(ROOT, "node_modules", path);
}

/** Files under a folder of the checkout whose path matches, with `/`, relative to the checkout; none when there is no such folder. */
export function filesUnder(folder, pattern) {
  const top = join(ROOT, folder);
  if (!existsSync(top)) return [];
  const names = readdirSync(top, { recursive: true, encoding: "utf8" });
  return names.map((name) => `${folder}/${name.replaceAll("\\", "/")}`).filter((path) => pattern.test(path));
}

/** Runs a Node script to its end. `stdout: "stderr"` keeps our stdout free for a result. */
export function runNode(args, { stdout = "inherit", env = {}, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      stdio: ["inherit", stdout === "stderr" ? 2 : stdout, "inherit"],
      env: { ...process.env, ...env },
    });
    const chunks = [];
    child.stdout?.on("data", (chunk) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? 1, signal, output: Buffer.concat(chunks).toString() }));
  });
}

/** Replaces this process as far as Node can: passes the signals on and ends as the child ends. */
export function becomeNode(args) {
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // A Ctrl-C in a terminal reaches the child by itself: sent once more it would look like an impatient second one.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  child.on("error", (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
  child.on("close", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
}

/** Seconds since `start` (of performance.now), for people. */
export function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
