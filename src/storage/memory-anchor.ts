import type { FileAnchor } from "./file-anchor.ts";

/** An anchor that lives and dies with the process, as `MemoryStore` does; it answers later, as a disk would. */
export function memoryAnchor(): Pick<FileAnchor, "read" | "write"> {
  let value: Uint8Array | undefined;
  return {
    read: () => value,
    write: (next, done) => {
      value = next;
      setImmediate(done);
    },
  };
}
