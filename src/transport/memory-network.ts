import type { NodeId, Transport, TransportEvents } from "#base";

/** Links between nodes of one process, for clusters inside a test. */
export interface MemoryNetwork {
  transportFor(node: NodeId): Transport;
  /** Cuts every link between the two sides. */
  partition(side: readonly NodeId[]): void;
  heal(): void;
}

/** A network inside the process; frames arrive in a later turn of the event loop, in order. */
export function memoryNetwork(): MemoryNetwork {
  const ports = new Map<NodeId, TransportEvents>();
  let side: ReadonlySet<NodeId> = new Set();
  const isUp = (from: NodeId, to: NodeId): boolean => ports.has(from) && ports.has(to) && side.has(from) === side.has(to);
  const tellAll = (wasUp: (from: NodeId, to: NodeId) => boolean): void => {
    for (const [node, events] of ports) {
      for (const peer of ports.keys()) {
        if (peer === node || wasUp(node, peer) === isUp(node, peer)) continue;
        if (isUp(node, peer)) events.onPeerUp(peer);
        else events.onPeerDown(peer, "partitioned");
      }
    }
  };
  const change = (next: readonly NodeId[]): void => {
    const before = side;
    side = new Set(next);
    tellAll((from, to) => before.has(from) === before.has(to));
  };
  const stop = (node: NodeId): void => {
    if (!ports.delete(node)) return;
    for (const [peer, events] of ports) if (side.has(peer) === side.has(node)) events.onPeerDown(node, "closed");
  };
  return {
    transportFor: (node) => ({
      start: (events, done) => {
        ports.set(node, events);
        done();
        for (const [peer, peerEvents] of [...ports]) {
          if (peer === node || !isUp(node, peer)) continue;
          events.onPeerUp(peer);
          peerEvents.onPeerUp(node);
        }
      },
      send: (to, frame) => {
        setImmediate(() => {
          if (isUp(node, to)) ports.get(to)?.onFrame(node, frame);
        });
      },
      connectedPeers: () => [...ports.keys()].filter((peer) => peer !== node && isUp(node, peer)).sort(),
      stop: (done) => {
        stop(node);
        done();
      },
    }),
    partition: change,
    heal: () => change([]),
  };
}
