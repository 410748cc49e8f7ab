import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's top folder, whether the tests run from source or compiled under dist. */
export const REPOSITORY: string = findTop(dirname(fileURLToPath(import.meta.url)));

/** Rooms that the compiler keeps pure. */
export const PURE_ROOMS: readonly string[] = ["src/base", "src/state", "consensus", "audit"];

function findTop(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findTop(dirname(folder));
}

/** A file's text; the path is relative to the checkout, with `/`. */
export function readText(path: string): string {
  return readFileSync(join(REPOSITORY, path), "utf8");
}

/** True when the checkout has this file or folder. */
export function exists(path: string): boolean {
  return existsSync(join(REPOSITORY, path));
}

/** Folders that hold what a command can make again. */
const MADE = /^(node_modules|dist|coverage|\.git|\.quorumgate)(\/|$)/;

/**
 * Every file that is part of the project and matches, in order of name: what git tracks or would track, and, in a copy without git,
 * everything but the folders that commands fill.
 */
export function projectFiles(pattern: RegExp): string[] {
  return listAll()
    .filter((path) => pattern.test(path) && exists(path))
    .sort();
}

let listed: readonly string[] | undefined;

function listAll(): readonly string[] {
  listed ??= exists(".git") ? listByGit() : listByWalk("");
  return listed;
}

function listByGit(): readonly string[] {
  const options = { cwd: REPOSITORY, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 } as const;
  const output = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], options);
  return [...new Set(output.split("\0").filter((path) => path !== ""))];
}

function listByWalk(folder: string): string[] {
  return readdirSync(join(REPOSITORY, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (MADE.test(path)) return [];
    return entry.isDirectory() ? listByWalk(path) : [path];
  });
}
