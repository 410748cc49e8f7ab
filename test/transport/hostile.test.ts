import { connect as connectSocket, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { expect } from "chai";
import { LIMITS, parseNodeId, type Timers } from "#base";
import { createCertificateAuthority, issueReplicaCertificate } from "#crypto";
import type { ListenAddress, MtlsTransport } from "#transport";
import { NODES, type Station, startStation, stopped, until } from "../contracts/transport.contract.ts";
import {
  asClient,
  CLUSTER,
  countingTelemetry,
  createKit,
  createTransport,
  type MemberKit,
  membershipOf,
  portOf,
  rawClient,
  startMesh,
  TRUST_DOMAIN,
  timersFasterBy,
  VALIDITY,
  wireFrame,
  wireHello,
} from "./members.ts";

const kits = NODES.map((id) => createKit(id));
const [first, second, third] = kits as [MemberKit, MemberKit, MemberKit];
/** A member in the books whose certificate carries a name that is not its own. */
const misnamedId = parseNodeId("node-0");
const misnamedAuthority = createCertificateAuthority({ name: "Misnaming authority", validity: VALIDITY });
const misnamed = createKit(misnamedId, {
  authority: misnamedAuthority,
  certificate: issueReplicaCertificate({
    authority: misnamedAuthority,
    trustDomain: TRUST_DOMAIN,
    nodeId: parseNodeId("node-9"),
    validity: VALIDITY,
  }),
});

const membership = membershipOf([misnamed, ...kits]);

/** What a test opened, to be closed whatever became of the test. */
const opened: { readonly sockets: Socket[]; readonly stations: Station[] } = { sockets: [], stations: [] };

function keep<S extends Socket>(socket: S): S {
  opened.sockets.push(socket);
  return socket;
}

function keepClient(...options: Parameters<typeof rawClient>): TLSSocket {
  return keep(rawClient(...options));
}

/** Resolves once the other end has ended the connection. */
function ended(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the connection was not ended")), 4_000);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.on("end", () => socket.destroy());
    socket.on("error", () => socket.destroy());
  });
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("close", () => reject(new Error("closed before the handshake was done")));
  });
}

const counts = new Map<string, number>();
const guest = createKit(misnamedId);

/** node-2 in a small cluster with a guest, whose part the test plays: the links of the other cluster stay out of the way. */
async function startLone(timers?: Timers): Promise<{ readonly lone: Station; readonly port: ListenAddress }> {
  const transport = createTransport({
    kit: second,
    membership: membershipOf([guest, second]),
    addresses: {},
    telemetry: countingTelemetry(counts),
    ...(timers === undefined ? {} : { timers }),
  });
  const lone = await startStation(second.id, transport);
  opened.stations.push(lone);
  return { lone, port: portOf(transport) };
}

describe("a stranger at the peer port", () => {
  let stations: Station[];
  /** node-2, at whose port the strangers come; node-1 and node-3 are its real peers. */
  let target: MtlsTransport;

  before(async () => {
    const mesh = await startMesh(kits, (kit) => ({ telemetry: countingTelemetry(kit === second ? counts : new Map()) }), membership);
    stations = mesh.stations;
    target = mesh.transports[1] as MtlsTransport;
  });
  after(() => Promise.all(stations.map(stopped)));

  afterEach(async () => {
    for (const socket of opened.sockets.splice(0)) socket.destroy();
    await Promise.all(opened.stations.splice(0).map(stopped));
    // Whatever a stranger did: the links of the members never broke, and frames pass.
    const received = stations.map(({ frames }) => frames.length);
    for (const { node, transport } of stations) for (const peer of NODES) if (peer !== node) transport.send(peer, Uint8Array.of(1));
    await until("frames between members", () => stations.every(({ frames }, i) => frames.length === (received[i] ?? 0) + 2));
    for (const { events } of stations)
      expect(events)
        .to.have.length(2)
        .and.to.satisfy((all: string[]) => all.every((event) => event.startsWith("up node-")));
  });

  const wrongKey = issueReplicaCertificate({ authority: first.authority, trustDomain: TRUST_DOMAIN, nodeId: first.id, validity: VALIDITY });
  const otherAuthority = createCertificateAuthority({ name: "Authority of nobody", validity: VALIDITY });
  const foreign = issueReplicaCertificate({ authority: otherAuthority, trustDomain: TRUST_DOMAIN, nodeId: first.id, validity: VALIDITY });
  const crossed = issueReplicaCertificate({ authority: third.authority, trustDomain: TRUST_DOMAIN, nodeId: first.id, validity: VALIDITY });

  for (const [claim, options] of [
    ["no certificate", {}],
    ["the certificate of another authority", asClient({ certificate: foreign })],
    ["a member's name from the member's authority, with another key", asClient({ certificate: wrongKey })],
    ["a member's name from another member's authority", asClient({ certificate: crossed })],
    ["a member's key with another name", asClient(misnamed)],
    [
      "a certificate that is not its key's",
      { key: wrongKey.privateKeyPem, cert: wrongKey.certificatePem + first.certificate.certificatePem },
    ],
    ["TLS 1.2", { ...asClient(first), minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }],
    ["another application protocol", { ...asClient(first), ALPNProtocols: ["h2"] }],
    ["no application protocol", { ...asClient(first), ALPNProtocols: [] }],
    ["the identity of a member that has to be dialled", asClient(third)],
  ] as const) {
    it(`is refused with ${claim}`, async () => {
      const socket = keepClient(portOf(target), options as Parameters<typeof rawClient>[1]);
      const heard: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
      socket.once("secureConnect", () => socket.write(wireHello("node-1", "node-2")));
      await ended(socket);
      expect(heard).to.deep.equal([]);
    });
  }

  for (const [claim, bytes] of [
    ["of another cluster", wireHello("node-0", "node-2", { cluster: CLUSTER.replaceAll("ab", "cd") })],
    ["of another version", wireHello("node-0", "node-2", { version: 2 })],
    ["of another node", wireHello("node-3", "node-2")],
    ["meant for another node", wireHello("node-0", "node-3")],
    ["that is too long", wireFrame(1, new Uint8Array(5_000))],
    ["with bytes behind it", wireFrame(1, Buffer.concat([wireHello("node-0", "node-2").subarray(5), Buffer.of(0)]))],
    ["that is a frame of data", wireFrame(2, Uint8Array.of(1, 2, 3))],
    ["that is a heartbeat", wireFrame(3, new Uint8Array(0))],
    ["that announces four gigabytes", Buffer.from([0xff, 0xff, 0xff, 0xff, 1])],
    ["of length zero", Buffer.alloc(64)],
    ["of garbage", Buffer.from("GET / HTTP/1.1\r\nHost: node-2\r\n\r\n")],
  ] as const) {
    it(`is refused as a member with a hello ${claim}`, async () => {
      const { lone, port } = await startLone();
      const socket = keepClient(port, asClient(guest));
      await secured(socket);
      socket.write(bytes);
      await ended(socket);
      expect(lone.events).to.deep.equal([]);
    });
  }

  it("is admitted with a right hello, and put out at the first broken frame", async () => {
    const { lone, port } = await startLone();
    for (const bytes of [
      Buffer.from([0x00, 0x80, 0x00, 0x02]),
      wireFrame(9, Uint8Array.of(1)),
      wireFrame(2, new Uint8Array(0)),
      wireHello("node-0", "node-2"),
    ]) {
      lone.events.length = 0;
      const socket = keepClient(port, asClient(guest));
      await secured(socket);
      socket.write(Buffer.concat([wireHello("node-0", "node-2"), wireFrame(2, Uint8Array.of(7)), bytes]));
      await ended(socket);
      await until("down", () => lone.events.length === 2);
      expect(lone.events).to.deep.equal(["up node-0", "down node-0"]);
    }
    // What came whole before the broken frame was a member's word.
    expect(lone.frames.map(({ frame }) => [...frame])).to.deep.equal([[7], [7], [7], [7]]);
  });

  for (const [claim, bytes] of [
    ["garbage", Buffer.alloc(4_096, 0xa5)],
    ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["a TLS record of impossible length", Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff, ...new Array(70_000).fill(1)])],
  ] as const) {
    it(`is dropped when it sends ${claim} in place of a handshake`, async () => {
      const socket = keep(connectSocket(portOf(target)));
      socket.on("error", () => socket.destroy());
      socket.write(bytes);
      await ended(socket);
    });
  }

  it("is dropped when it resets the connection half way through", async () => {
    for (let i = 0; i < 20; i++) {
      const socket = keep(connectSocket(portOf(target)));
      socket.on("error", () => socket.destroy());
      await new Promise<void>((resolve) => socket.once("connect", resolve));
      socket.write(Buffer.from([0x16, 0x03, 0x01]));
      socket.resetAndDestroy();
    }
  });

  it("is put out when it is slow to say who it is, at every stage", async () => {
    const { lone, port } = await startLone(timersFasterBy(20));
    const before = counts.get("quorumgate_transport_refusals_total slow") ?? 0;
    const silent = keep(connectSocket(port));
    const silentAfterHandshake = keepClient(port, asClient(guest));
    await secured(silentAfterHandshake);
    silentAfterHandshake.write(wireHello("node-0", "node-2").subarray(0, 20));
    await Promise.all([ended(silent), ended(silentAfterHandshake)]);
    expect((counts.get("quorumgate_transport_refusals_total slow") ?? 0) - before).to.equal(2);
    expect(lone.events).to.deep.equal([]);
  });

  it("makes room for the next one, so that a crowd cannot lock members out", async () => {
    const { lone, port } = await startLone();
    const crowd = Array.from({ length: LIMITS.unauthenticatedConnectionsMax + 10 }, () => keep(connectSocket(port)));
    let gone = 0;
    for (const socket of crowd) socket.on("error", () => socket.destroy()).on("close", () => gone++);
    await until("the oldest put out", () => gone === 10);
    const member = keepClient(port, asClient(guest));
    await secured(member);
    member.write(wireHello("node-0", "node-2"));
    await until("the member in", () => lone.events.includes("up node-0"));
    // The member made room for itself and gave its place back: one more stranger puts nobody out.
    await until("the eleventh put out", () => gone === 11);
    const late = keep(connectSocket(port));
    await new Promise<void>((resolve) => late.once("connect", resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(gone).to.equal(11);
  });

  it("puts out its own kind first: a crowd from one address takes no place of who comes from another", async () => {
    const { lone, port } = await startLone();
    const apart = keepClient(port, { ...asClient(guest), localAddress: "127.0.0.2" } as Parameters<typeof rawClient>[1]);
    await secured(apart);
    const crowd = Array.from({ length: 2 * LIMITS.unauthenticatedConnectionsMax }, () => keep(connectSocket(port)));
    let gone = 0;
    for (const socket of crowd) socket.on("error", () => socket.destroy()).on("close", () => gone++);
    await until("room made", () => gone === LIMITS.unauthenticatedConnectionsMax + 1);
    apart.write(wireHello("node-0", "node-2"));
    await until("who came first, from elsewhere, in", () => lone.events.includes("up node-0"));
  });

  it("was counted, by what became of it", () => {
    expect(counts.get("quorumgate_transport_refusals_total identity")).to.be.above(2);
    expect(counts.get("quorumgate_transport_refusals_total incomplete")).to.be.above(20);
    expect(counts.get("quorumgate_transport_refusals_total crowded")).to.equal(11 + LIMITS.unauthenticatedConnectionsMax + 1);
  });
});
