import { randomBytes } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { QuorumgateError } from "#base";

/**
 * Replaces a file so that a crash at any moment leaves the old bytes or the new ones, never a mixture; durable once resolved.
 * Calls for one path must not overlap: which of them wins would be left to chance.
 *
 * @param mode permissions of the file, such as 0o600
 * @throws {QuorumgateError} STORAGE_FAILED
 */
export async function atomicWriteFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(8).toString("hex")}.tmp`);
  try {
    // "wx" refuses a file or link that somebody else put there.
    await withFile(temporary, "wx", mode, async (file) => {
      await file.writeFile(bytes);
      // The umask narrows the mode given to open, and a file that is too private can be as wrong as one that is too open.
      await file.chmod(mode);
      await file.sync();
    });
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new QuorumgateError("STORAGE_FAILED", "a file could not be replaced", { data: { file: basename(path) }, cause });
  }
}

/** The bytes of a file, or undefined when there is none. @throws {QuorumgateError} STORAGE_FAILED when it is there but unreadable */
export async function readFileIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readFile(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new QuorumgateError("STORAGE_FAILED", "a file could not be read", { data: { file: basename(path) }, cause });
  }
}

/** Makes the names in a folder durable: a rename alone may be lost with the power. */
export async function syncFolder(folder: string): Promise<void> {
  await withFile(folder, "r", undefined, (handle) => handle.sync());
}

/** The code of an operating system or library error, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

async function withFile(path: string, flags: string, mode: number | undefined, use: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags, mode);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}
