import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { LIMITS, QuorumgateError } from "#base";

/** Writes a file that anybody may read, all or nothing. */
export function writePublicFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${randomBytes(8).toString("hex")}.tmp`;
  try {
    const file = openSync(temporary, "wx", 0o644);
    try {
      writeFileSync(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Reads the public file of an identity folder. @throws {QuorumgateError} IDENTITY_FOLDER_INVALID, FORMAT_TOO_LARGE */
export function readPublicFile(path: string): Uint8Array {
  try {
    if (statSync(path).size > LIMITS.nodeFileBytesMax)
      throw new QuorumgateError("FORMAT_TOO_LARGE", "the file is too large", { data: { path } });
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    if (cause instanceof QuorumgateError) throw cause;
    throw new QuorumgateError("IDENTITY_FOLDER_INVALID", "the folder lacks its public file", { data: { path }, cause });
  }
}
