import { expect } from "chai";
import type { NodeId } from "#base";
import { type MemoryNetwork, memoryNetwork, partitionable } from "#transport";
import { meshed, NODES, type Station, startStation, stopped, transportContract, until } from "../contracts/transport.contract.ts";

transportContract("memoryNetwork", () => {
  const network = memoryNetwork();
  return { open: (node) => network.transportFor(node), started() {} };
});

transportContract("partitionable", () => {
  const network = memoryNetwork();
  return { open: (node) => partitionable(network.transportFor(node)), started() {} };
});

describe("memoryNetwork", () => {
  const [one, two, three] = NODES as [NodeId, NodeId, NodeId];
  let network: MemoryNetwork;
  let stations: [Station, Station, Station];

  beforeEach(async () => {
    network = memoryNetwork();
    const open = (node: NodeId): Promise<Station> => startStation(node, network.transportFor(node));
    stations = [await open(one), await open(two), await open(three)];
    await meshed(stations);
  });
  afterEach(() => Promise.all(stations.map(stopped)));

  it("cuts the links between the sides of a partition and no others, until it heals", async () => {
    network.partition([one]);
    await until("the cut", () => stations[0].transport.connectedPeers().length === 0);
    await until("the cut seen by the others", () => stations[2].transport.connectedPeers().length === 1);
    expect(stations[1].transport.connectedPeers()).to.deep.equal([three]);
    stations[0].transport.send(two, Uint8Array.of(1));
    stations[1].transport.send(three, Uint8Array.of(2));
    await until("the frame inside a side", () => stations[2].frames.length === 1);
    expect(stations[1].frames).to.deep.equal([]);
    network.heal();
    await meshed(stations);
    expect(stations[0].events).to.deep.equal(["up node-2", "up node-3", "down node-2", "down node-3", "up node-2", "up node-3"]);
  });

  it("loses what was on its way when the link was cut", async () => {
    stations[0].transport.send(two, Uint8Array.of(1));
    network.partition([one]);
    network.heal();
    await until("down and up again", () => stations[1].events.filter((event) => event === "up node-1").length === 2);
    stations[0].transport.send(two, Uint8Array.of(2));
    await until("the later frame", () => stations[1].frames.length === 1);
    expect([...(stations[1].frames[0]?.frame ?? [])]).to.deep.equal([2]);
  });
});

describe("partitionable", () => {
  const [one, two, three] = NODES as [NodeId, NodeId, NodeId];

  it("hides blocked peers in both directions and shows them again", async () => {
    const network = memoryNetwork();
    const left = partitionable(network.transportFor(one));
    const stations = [
      await startStation(one, left),
      await startStation(two, network.transportFor(two)),
      await startStation(three, network.transportFor(three)),
    ] as const;
    await meshed(stations);
    left.blockPeers([two]);
    expect(left.connectedPeers()).to.deep.equal([three]);
    left.send(two, Uint8Array.of(1));
    left.send(three, Uint8Array.of(2));
    stations[1].transport.send(one, Uint8Array.of(3));
    stations[2].transport.send(one, Uint8Array.of(4));
    await until("the frames of open links", () => stations[2].frames.length === 1 && stations[0].frames.length === 1);
    left.blockPeers([]);
    left.send(two, Uint8Array.of(5));
    await until("the frame after healing", () => stations[1].frames.length === 1);
    expect(stations[0].frames.map(({ from }) => from)).to.deep.equal([three]);
    expect(stations[0].events).to.deep.equal(["up node-2", "up node-3", "down node-2", "up node-2"]);
    await Promise.all(stations.map(stopped));
  });
});
