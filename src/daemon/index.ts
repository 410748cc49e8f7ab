export { type NodeConfig, readConfig } from "./config.ts";
export { type Daemon, loggerOf, startDaemon } from "./daemon.ts";
export { initializeNodeData } from "./initialize.ts";
