import { ByteReader, ByteWriter, fromHex, type Hash, type NodeId, QuorumgateError, toHash } from "#base";

/** Version of frames and hello; the ALPN name carries it too. */
const PROTOCOL_VERSION = 1;
const CLUSTER_ID_BYTES = 32;
/** Node ids have at most 63 characters. */
const NODE_ID_BYTES_MAX = 63;

/** The longest hello: its frame is bounded before anything else about the peer is known. */
export const HELLO_BYTES_MAX: number = 2 + CLUSTER_ID_BYTES + 2 * (4 + NODE_ID_BYTES_MAX);

/** What both sides say first: who speaks to whom in which cluster. */
export interface Hello {
  readonly cluster: Hash;
  readonly from: NodeId;
  readonly to: NodeId;
}

/** The payload of a hello frame: u16 version, 32 bytes of cluster id, sender and receiver behind their u32 lengths. */
export function encodeHello(hello: Hello): Uint8Array {
  return new ByteWriter().u16(PROTOCOL_VERSION).raw(fromHex(hello.cluster)).text(hello.from).text(hello.to).finish();
}

/**
 * Checks that the peer's hello is the one that is expected of it: the certificate proved the key, the hello proves that both mean
 * the same cluster and the same pair of nodes.
 * @throws {QuorumgateError} TRANSPORT_PEER_REFUSED or a FORMAT code
 */
export function checkHello(bytes: Uint8Array, expected: Hello): void {
  const reader = new ByteReader(bytes);
  if (reader.u16() !== PROTOCOL_VERSION) throw refused("another protocol version");
  if (toHash(reader.raw(CLUSTER_ID_BYTES)) !== expected.cluster) throw refused("another cluster");
  if (reader.text(NODE_ID_BYTES_MAX) !== expected.from) throw refused("another node than its certificate's");
  if (reader.text(NODE_ID_BYTES_MAX) !== expected.to) throw refused("it meant another node");
  reader.end();
}

function refused(reason: string): QuorumgateError {
  return new QuorumgateError("TRANSPORT_PEER_REFUSED", `the peer's hello is refused: ${reason}`);
}
