import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, type Stats, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { LIMITS, QuorumgateError } from "#base";

/**
 * Writes a secret so that only its owner can read it, all or nothing, and durable on return. An older file is replaced.
 * The folder must exist. @throws the system's error when the disk refuses
 */
export function writeSecretFile(path: string, secret: string | Uint8Array): void {
  writeWholeFile(path, secret, 0o600);
}

/**
 * Writes a file with these rights, all or nothing, and durable on return. An older file is replaced. The folder must exist.
 * @throws the system's error when the disk refuses
 */
export function writeWholeFile(path: string, content: string | Uint8Array, rights: number): void {
  const temporary = `${path}.${randomBytes(8).toString("hex")}.tmp`;
  try {
    // wx: a file or link that somebody placed there is not followed.
    const file = openSync(temporary, "wx", rights);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/**
 * Reads a secret and refuses one that others can read, change or have placed: a key that somebody else may know is no key.
 * @throws {QuorumgateError} SECRET_FILE_UNSAFE, SECRET_FILE_UNREADABLE
 */
export function readSecretFile(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    throw new QuorumgateError("SECRET_FILE_UNREADABLE", "the secret file cannot be opened", { data: { path }, cause });
  }
  try {
    // Of the open file, not of the path: the path may name another file a moment later.
    checkSafe(fstatSync(file), path);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function checkSafe(stats: Stats, path: string): void {
  if (!stats.isFile() || stats.size > LIMITS.secretFileBytesMax) {
    throw new QuorumgateError("SECRET_FILE_UNREADABLE", "the secret file is no file of ours", { data: { path } });
  }
  // Windows has no such modes: there the folder's access list protects the file.
  if (process.platform === "win32") return;
  const owner = process.getuid?.();
  if ((stats.mode & 0o077) !== 0 || (owner !== undefined && stats.uid !== owner)) {
    throw new QuorumgateError("SECRET_FILE_UNSAFE", "the secret file can be read or changed by others", { data: { path } });
  }
}

function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
