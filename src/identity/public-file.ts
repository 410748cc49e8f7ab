import { readFileSync, statSync } from "node:fs";
import { LIMITS, QuorumgateError } from "#base";
import { writeWholeFile } from "#crypto";

/** Writes a file that anybody may read, all or nothing. */
export function writePublicFile(path: string, bytes: Uint8Array): void {
  writeWholeFile(path, bytes, 0o644);
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
