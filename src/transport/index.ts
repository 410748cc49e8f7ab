export { type MemoryNetwork, memoryNetwork } from "./memory-network.ts";
export { type MtlsOptions, mtlsTransport, type PartitionableTransport } from "./mtls-transport.ts";
