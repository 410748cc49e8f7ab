export { type NodeConfig, readConfig } from "./config.ts";
export { type Daemon, type LyingMouth, loggerOf, startDaemon } from "./daemon.ts";
export { initializeNodeData } from "./initialize.ts";
export { type NodeArguments, runNodeProcess } from "./process.ts";
