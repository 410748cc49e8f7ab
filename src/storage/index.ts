export { atomicWriteFile, readFileIfPresent } from "./files.ts";
export { openLevelStore } from "./level-store.ts";
export { MemoryStore } from "./memory-store.ts";
