export { type FileAnchor, openFileAnchor } from "./file-anchor.ts";
export { openLevelStore } from "./level-store.ts";
export { memoryAnchor } from "./memory-anchor.ts";
export { MemoryStore } from "./memory-store.ts";
export { openValue, sealedValue, sealValue } from "./stored-value.ts";
