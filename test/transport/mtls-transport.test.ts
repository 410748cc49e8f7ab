import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { expect } from "chai";
import { errorCode, parseNodeId, silentTelemetry, type Timers } from "#base";
import { type MtlsTransport, partitionable } from "#transport";
import { meshed, NODES, type Station, startStation, stopped, transportContract, until } from "../contracts/transport.contract.ts";
import {
  addressOf,
  asClient,
  countingTelemetry,
  createKit,
  createTransport,
  type MemberKit,
  membershipOf,
  portOf,
  rawClient,
  startMesh,
  timersFasterBy,
  wireHello,
} from "./members.ts";

const kits = NODES.map((id) => createKit(id));
const [first, second] = kits as [MemberKit, MemberKit, MemberKit];
const membership = membershipOf(kits);

transportContract("mtlsTransport", () => {
  const addresses: Record<string, string> = {};
  const transports = new Map<string, MtlsTransport>();
  return {
    open(node) {
      const kit = kits.find(({ id }) => id === node);
      if (kit === undefined) throw new RangeError("no such member");
      const transport = createTransport({ kit, membership, addresses, telemetry: silentTelemetry });
      transports.set(node, transport);
      return transport;
    },
    started(node) {
      const transport = transports.get(node);
      if (transport !== undefined) addresses[node] = addressOf(transport);
    },
  };
});

/** A relay between two nodes that can stop carrying bytes without closing, or close without a word. */
interface Relay {
  readonly address: string;
  freeze(): void;
  thaw(): void;
  kill(): void;
  close(): Promise<void>;
}

async function openRelay(target: () => { readonly host: string; readonly port: number }): Promise<Relay> {
  const sockets = new Set<Socket>();
  let frozen = false;
  const server: Server = createServer((near) => {
    const far = connect(target());
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => to.write(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      if (frozen) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const each = (run: (socket: Socket) => void): void => {
    for (const socket of [...sockets]) run(socket);
  };
  return {
    address: `127.0.0.1:${address.port}`,
    freeze() {
      frozen = true;
      each((socket) => socket.pause());
    },
    thaw() {
      frozen = false;
      each((socket) => socket.resume());
    },
    kill: () => each((socket) => socket.resetAndDestroy()),
    close: () => {
      each((socket) => socket.destroy());
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

describe("mtlsTransport over a faulty network", () => {
  let stations: [Station, Station];
  let relay: Relay;
  let counts: Map<string, number>;

  async function link(timers: Timers): Promise<void> {
    counts = new Map();
    const pair = membershipOf(kits.slice(0, 2));
    const acceptor = createTransport({ kit: second, membership: pair, addresses: {}, telemetry: silentTelemetry, timers });
    relay = await openRelay(() => portOf(acceptor));
    const addresses = { "node-2": relay.address };
    const dialler = createTransport({ kit: first, membership: pair, addresses, telemetry: countingTelemetry(counts), timers });
    stations = [await startStation(NODES[0] ?? first.id, dialler), await startStation(second.id, acceptor)];
    await meshed(stations);
  }
  afterEach(async () => {
    await Promise.all(stations.map(stopped));
    await relay.close();
  });

  it("notices on both sides a peer that answers no more, and links again once it does", async () => {
    await link(timersFasterBy(4));
    relay.freeze();
    const frozenAt = performance.now();
    await until("both down", () => stations.every(({ events }) => events.length === 2));
    // Four to five heartbeats of 125 ms; the machine may be slow, but not quick.
    expect(performance.now() - frozenAt).to.be.above(350);
    relay.thaw();
    await meshed(stations);
    expect(stations[0].events).to.deep.equal(["up node-2", "down node-2", "up node-2"]);
  });

  it("keeps an idle link up by heartbeats", async () => {
    await link(timersFasterBy(10));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(stations.map(({ events }) => events.length)).to.deep.equal([1, 1]);
  });

  it("notices a killed connection at once and links again within the longest pause", async () => {
    await link(timersFasterBy(1));
    relay.kill();
    await until("both down", () => stations.every(({ events }) => events.length >= 2), 500);
    await meshed(stations);
    stations[1].transport.send(first.id, Uint8Array.of(1));
    await until("a frame over the new link", () => stations[0].frames.length === 1);
  });

  it("keeps only so many bytes for a peer that reads nothing, the newest ones, and counts the rest", async () => {
    await link(timersFasterBy(0.25));
    relay.freeze();
    const megabyte = (mark: number): Uint8Array => new Uint8Array(1_048_576).fill(mark);
    for (let i = 0; i < 100; i++) stations[0].transport.send(second.id, megabyte(i));
    relay.thaw();
    await until("the newest frame", () => stations[1].frames.at(-1)?.frame[0] === 99);
    const received = stations[1].frames.length;
    expect(received).to.be.within(60, 66);
    expect(stations[1].frames.map(({ frame }) => frame[0])).to.deep.equal(Array.from({ length: received }, (_, i) => 100 - received + i));
    await stopped(stations[0]);
    expect(counts.get("quorumgate_transport_dropped_frames_total queue-full")).to.equal(100 - received);
  });
});

describe("mtlsTransport and its members", () => {
  let stations: Station[];
  let transports: readonly MtlsTransport[];

  beforeEach(async () => {
    ({ stations, transports } = await startMesh(kits, () => ({ telemetry: silentTelemetry, timers: timersFasterBy(10) })));
  });
  afterEach(() => Promise.all(stations.map(stopped)));

  it("closes the links of a member that was removed, and lets it in no more", async () => {
    const remaining = membershipOf(kits.slice(1));
    for (const transport of transports.slice(1)) transport.setPeers(remaining.members);
    await until("the removed one is alone", () => transports[0]?.connectedPeers().length === 0);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(transports.map((transport) => transport.connectedPeers())).to.deep.equal([[], ["node-3"], ["node-2"]]);
    for (const transport of transports) transport.setPeers(membership.members);
    await meshed(stations);
  });

  it("closes the link of a member whose key was changed, until it shows the new one", async () => {
    const renewed = createKit(second.id);
    const next = membershipOf(kits.map((kit) => (kit === second ? renewed : kit)));
    for (const transport of transports) transport.setPeers(next.members);
    await until("no link with the old key", () => transports[1]?.connectedPeers().length === 0);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(transports[0]?.connectedPeers()).to.deep.equal(["node-3"]);
  });

  it("replaces an older connection of a member by its newer one", async () => {
    const station = stations[1];
    if (station === undefined) throw new Error("no station");
    const socket = rawClient(portOf(transports[1] as MtlsTransport), asClient(first));
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    socket.write(wireHello("node-1", "node-2"));
    await until("down and up again", () => station.events.filter((event) => event.endsWith("node-1")).length >= 3);
    expect(station.events.filter((event) => event.endsWith("node-1")).slice(0, 3)).to.deep.equal(["up node-1", "down node-1", "up node-1"]);
    socket.destroy();
    await until("the real one back", () => transports[0]?.connectedPeers().includes(second.id) === true);
  });
});

describe("mtlsTransport as a dialler", () => {
  it("talks to nobody but the member it dialled", async () => {
    const third = kits[2] as MemberKit;
    const heard: Buffer[] = [];
    let handshakes = 0;
    // Another real member answers at the address of node-2.
    const impostor = createTlsServer({
      key: third.certificate.privateKeyPem,
      cert: third.certificate.certificatePem,
      ALPNProtocols: ["quorumgate/1"],
      minVersion: "TLSv1.3",
      requestCert: true,
      rejectUnauthorized: false,
    });
    impostor.on("connection", () => handshakes++);
    impostor.on("secureConnection", (socket) => socket.on("error", () => {}).on("data", (chunk) => heard.push(chunk)));
    impostor.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
    const address = impostor.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const addresses = { "node-2": `127.0.0.1:${address.port}` };
    const station = await startStation(
      first.id,
      createTransport({ kit: first, membership, addresses, telemetry: silentTelemetry, timers: timersFasterBy(10) }),
    );
    await until("several attempts", () => handshakes >= 3);
    expect(station.events).to.deep.equal([]);
    expect(heard).to.deep.equal([]);
    await stopped(station);
    await new Promise((resolve) => impostor.close(resolve));
  });

  it("goes on with the others when a member's address or authority cannot be read", async () => {
    const broken: MemberKit = { ...second, member: { ...second.member, peerAddress: "nowhere", tlsAuthority: "AAAA" } };
    const mixed = membershipOf([first, broken, kits[2] as MemberKit]);
    const addresses: Record<string, string> = {};
    const open = (kit: MemberKit): MtlsTransport => createTransport({ kit, membership: mixed, addresses, telemetry: silentTelemetry });
    const transport = open(kits[2] as MemberKit);
    const stations = [await startStation(first.id, open(first)), await startStation(parseNodeId("node-3"), transport)];
    addresses["node-3"] = addressOf(transport);
    await meshed(stations);
    await Promise.all(stations.map(stopped));
  });
});

describe("mtlsTransport's start and stop", () => {
  it("says with a code that its address is taken", async () => {
    const taken = createTransport({ kit: first, membership, addresses: {}, telemetry: silentTelemetry });
    const station = await startStation(first.id, taken);
    const other = createTransport({ kit: second, membership, addresses: {}, telemetry: silentTelemetry, listen: portOf(taken) });
    expect(await startStation(second.id, other).catch(errorCode)).to.equal("TRANSPORT_LISTEN_FAILED");
    await new Promise<void>((resolve) => other.stop(resolve));
    await stopped(station);
  });

  it("works behind a partition", async () => {
    const addresses: Record<string, string> = {};
    const pair = membershipOf(kits.slice(0, 2));
    const acceptor = createTransport({ kit: second, membership: pair, addresses, telemetry: silentTelemetry });
    const dialler = partitionable(createTransport({ kit: first, membership: pair, addresses, telemetry: silentTelemetry }));
    const stations = [await startStation(first.id, dialler), await startStation(second.id, acceptor)];
    addresses["node-2"] = addressOf(acceptor);
    await meshed(stations);
    dialler.blockPeers([second.id]);
    acceptor.send(first.id, Uint8Array.of(1));
    dialler.send(second.id, Uint8Array.of(2));
    dialler.blockPeers([]);
    dialler.send(second.id, Uint8Array.of(3));
    await until("the frame after healing", () => stations[1]?.frames.length === 1);
    expect([...(stations[1]?.frames[0]?.frame ?? [])]).to.deep.equal([3]);
    await Promise.all(stations.map(stopped));
  });
});
