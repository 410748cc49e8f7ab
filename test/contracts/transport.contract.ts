import { expect } from "chai";
import { InvariantError, LIMITS, type NodeId, parseNodeId, type Transport } from "#base";

/** Nodes of one cluster over one adapter. `open` gives a transport that is not started yet, also for a node that was stopped. */
export interface TransportFixture {
  open(node: NodeId): Transport;
  /** Called when a node's transport has started, for adapters that have to tell the others where it is. */
  started(node: NodeId): void;
}

/** A started transport and what its owner was told. */
export interface Station {
  readonly node: NodeId;
  readonly transport: Transport;
  readonly frames: { readonly from: NodeId; readonly frame: Uint8Array }[];
  readonly events: string[];
}

export const NODES: readonly NodeId[] = ["node-1", "node-2", "node-3"].map(parseNodeId);

export async function startStation(node: NodeId, transport: Transport): Promise<Station> {
  const station: Station = { node, transport, frames: [], events: [] };
  await new Promise<void>((resolve, reject) => {
    transport.start(
      {
        onFrame: (from, frame) => station.frames.push({ from, frame }),
        onPeerUp: (peer) => station.events.push(`up ${peer}`),
        onPeerDown: (peer) => station.events.push(`down ${peer}`),
      },
      (error) => (error ? reject(error) : resolve()),
    );
  });
  return station;
}

export function stopped(station: Station): Promise<void> {
  return new Promise((resolve) => station.transport.stop(resolve));
}

/** Waits until something holds. */
export async function until(claim: string, holds: () => boolean, timeoutMs = 8_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until every station has a link to every other. */
export function meshed(stations: readonly Station[]): Promise<void> {
  return until("all links up", () => stations.every(({ transport }) => transport.connectedPeers().length === stations.length - 1));
}

/** The port Transport, one suite for every adapter. */
export function transportContract(name: string, createFixture: () => TransportFixture): void {
  describe(`${name} keeps the contract of a transport`, () => {
    let fixture: TransportFixture;
    let stations: Station[];

    const start = async (node: NodeId): Promise<Station> => {
      const station = await startStation(node, fixture.open(node));
      fixture.started(node);
      return station;
    };
    const at = (index: number): Station => {
      const station = stations[index];
      if (station === undefined) throw new RangeError("no such station");
      return station;
    };

    beforeEach(async () => {
      fixture = createFixture();
      stations = await Promise.all(NODES.map(start));
      await meshed(stations);
    });
    afterEach(() => Promise.all(stations.map(stopped)));

    it("links every pair of members once", () => {
      for (const { node, transport, events } of stations) {
        const others = NODES.filter((other) => other !== node);
        expect(transport.connectedPeers()).to.deep.equal(others);
        expect([...events].sort()).to.deep.equal(others.map((other) => `up ${other}`));
      }
    });

    it("delivers whole frames in order, with the sender's proved name", async () => {
      const sizes = [1, 2, 3, 100, 65_535, 65_536, 300_000, 3_000_000, 1, LIMITS.frameBytesMax, 7];
      const sent = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
      for (const frame of sent) at(0).transport.send(at(1).node, frame);
      for (const frame of sent) at(1).transport.send(at(0).node, frame);
      await until("all frames", () => at(0).frames.length === sizes.length && at(1).frames.length === sizes.length);
      for (const [receiver, sender] of [
        [0, 1],
        [1, 0],
      ] as const) {
        expect(at(receiver).frames.map(({ from }) => from)).to.deep.equal(sizes.map(() => at(sender).node));
        expect(at(receiver).frames.map(({ frame }) => frame.length)).to.deep.equal(sizes);
        for (const [i, { frame }] of at(receiver).frames.entries()) {
          expect(Buffer.compare(frame, sent[i] ?? new Uint8Array()), `frame ${i}`).to.equal(0);
        }
      }
      expect(at(2).frames).to.deep.equal([]);
    });

    it("delivers bursts from everybody to everybody in order", async () => {
      const burst = 1_000;
      for (let i = 0; i < burst; i++) {
        const frame = new Uint8Array(200);
        new DataView(frame.buffer).setUint32(0, i);
        for (const { node, transport } of stations) for (const peer of NODES) if (peer !== node) transport.send(peer, frame);
      }
      await until("all bursts", () => stations.every(({ frames }) => frames.length === 2 * burst));
      for (const { node, frames } of stations) {
        for (const peer of NODES) {
          if (peer === node) continue;
          const numbers = frames
            .filter(({ from }) => from === peer)
            .map(({ frame }) => new DataView(frame.buffer, frame.byteOffset).getUint32(0));
          expect(numbers).to.deep.equal(Array.from({ length: burst }, (_, i) => i));
        }
      }
    });

    it("gives each receiver bytes of its own", async () => {
      const frame = Uint8Array.of(1, 2, 3);
      at(0).transport.send(at(1).node, frame);
      at(0).transport.send(at(2).node, frame);
      await until("both frames", () => at(1).frames.length === 1 && at(2).frames.length === 1);
      at(1).frames[0]?.frame.fill(9);
      expect([...(at(2).frames[0]?.frame ?? [])]).to.deep.equal([1, 2, 3]);
      expect([...frame]).to.deep.equal([1, 2, 3]);
    });

    it("never delivers inside the call that sends", async () => {
      at(0).transport.send(at(1).node, Uint8Array.of(1));
      expect(at(1).frames).to.deep.equal([]);
      await until("the frame", () => at(1).frames.length === 1);
    });

    it("loses frames to itself, to strangers and to peers that are away, and says nothing", async () => {
      await stopped(at(2));
      await until("the peer down", () => at(0).transport.connectedPeers().length === 1);
      for (const peer of [at(0).node, at(2).node, parseNodeId("stranger")]) at(0).transport.send(peer, Uint8Array.of(1));
      at(0).transport.send(at(1).node, Uint8Array.of(2));
      await until("the frame", () => at(1).frames.length === 1);
      expect(at(0).frames).to.deep.equal([]);
    });

    it("holds an empty or oversized frame to be a bug of its owner", () => {
      expect(() => at(0).transport.send(at(1).node, new Uint8Array(0))).to.throw(InvariantError);
      expect(() => at(0).transport.send(at(1).node, new Uint8Array(LIMITS.frameBytesMax + 1))).to.throw(InvariantError);
    });

    it("tells of a peer that stopped, and of its return", async () => {
      await stopped(at(1));
      await until("down at both", () => [at(0), at(2)].every(({ events }) => events.includes("down node-2")));
      stations[1] = await start(at(1).node);
      await meshed(stations);
      expect(at(0).events.filter((event) => event.endsWith("node-2"))).to.deep.equal(["up node-2", "down node-2", "up node-2"]);
      at(0).transport.send(at(1).node, Uint8Array.of(5));
      at(1).transport.send(at(2).node, Uint8Array.of(6));
      await until("frames over the new links", () => at(1).frames.length === 1 && at(2).frames.length === 1);
    });

    it("tells its owner nothing once it was stopped", async () => {
      const told = at(0).events.length;
      const done = stopped(at(0));
      at(1).transport.send(at(0).node, Uint8Array.of(1));
      await done;
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(at(0).frames).to.deep.equal([]);
      expect(at(0).events).to.have.length(told);
      expect(at(0).transport.connectedPeers()).to.deep.equal([]);
    });
  });
}
