export type { PeerIdentifier, TlsCredentials } from "./credentials.ts";
export { FRAME_BODY_BYTES_MAX, FRAME_KIND, FrameDecoder } from "./framing.ts";
export type { ListenAddress } from "./listener.ts";
export { type MemoryNetwork, memoryNetwork } from "./memory-network.ts";
export { type MtlsTransport, type MtlsTransportOptions, mtlsTransport } from "./mtls-transport.ts";
export { type PartitionableTransport, partitionable } from "./partitionable.ts";
