import type { NodeId, Transport, TransportEvents } from "#base";

/** A transport whose peers can be cut off on purpose, for development clusters. */
export interface PartitionableTransport extends Transport {
  /** From now on exactly these peers are cut off: they count as down, and frames to and from them are dropped. */
  blockPeers(peers: readonly NodeId[]): void;
}

/**
 * Puts a partition in front of any transport. The link below stays: its owner sees it go down and come up as if the network had
 * done it. A full partition blocks on both sides.
 */
export function partitionable(transport: Transport): PartitionableTransport {
  let blocked: ReadonlySet<NodeId> = new Set();
  let events: TransportEvents | undefined;
  const isOpen = (peer: NodeId): boolean => !blocked.has(peer);
  return {
    start(listener, done) {
      events = listener;
      const filtered: TransportEvents = {
        onFrame: (from, frame) => isOpen(from) && events?.onFrame(from, frame),
        onPeerUp: (peer) => isOpen(peer) && events?.onPeerUp(peer),
        onPeerDown: (peer, reason) => isOpen(peer) && events?.onPeerDown(peer, reason),
      };
      transport.start(filtered, done);
    },
    setPeers: (members) => transport.setPeers(members),
    send: (to, frame) => isOpen(to) && transport.send(to, frame),
    connectedPeers: () => transport.connectedPeers().filter(isOpen),
    stop(done) {
      events = undefined;
      transport.stop(done);
    },
    blockPeers(peers) {
      const before = blocked;
      blocked = new Set(peers);
      for (const peer of transport.connectedPeers()) {
        if (before.has(peer) === blocked.has(peer)) continue;
        if (blocked.has(peer)) events?.onPeerDown(peer, "cut off by a partition");
        else events?.onPeerUp(peer);
      }
    },
  };
}
