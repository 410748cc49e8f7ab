import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import {
  type Entropy,
  type Hash,
  type Member,
  type Membership,
  type NodeId,
  type PublicKey,
  SeededRandom,
  type Telemetry,
  type Timers,
  toBase64Url,
} from "#base";
import { type CertificateWithKey, createCertificateAuthority, identifyPeer, issueReplicaCertificate } from "#crypto";
import { type ListenAddress, type MtlsTransport, mtlsTransport } from "#transport";
import { meshed, type Station, startStation } from "../contracts/transport.contract.ts";

export const TRUST_DOMAIN = "dev.local";
export const CLUSTER: Hash = "ab".repeat(32) as Hash;

const now = Date.now();
export const VALIDITY: { readonly notBeforeMs: number; readonly notAfterMs: number } = {
  notBeforeMs: now - 60_000,
  notAfterMs: now + 3_600_000,
};

/** A member with an institution of its own. */
export interface MemberKit {
  readonly id: NodeId;
  readonly authority: CertificateWithKey;
  readonly certificate: CertificateWithKey;
  readonly member: Member;
}

export function createKit(
  id: NodeId,
  replacement?: { readonly certificate: CertificateWithKey; readonly authority: CertificateWithKey },
): MemberKit {
  const authority = replacement?.authority ?? createCertificateAuthority({ name: `Authority of ${id}`, validity: VALIDITY });
  const certificate =
    replacement?.certificate ?? issueReplicaCertificate({ authority, trustDomain: TRUST_DOMAIN, nodeId: id, validity: VALIDITY });
  const key = (role: string): PublicKey => `${id}-${role}` as PublicKey;
  const member: Member = {
    id,
    weight: 1,
    keys: { vote: key("vote"), log: key("log"), witness: key("witness"), gateway: key("gateway"), tls: certificate.publicKeySpki },
    // Where nobody listens: tests say where each node is once it has a port.
    peerAddress: "127.0.0.1:1",
    httpUrl: "http://127.0.0.1:1",
    tlsAuthority: toBase64Url(authority.certificateDer),
  };
  return { id, authority, certificate, member };
}

export function membershipOf(kits: readonly MemberKit[]): Membership {
  return { epoch: 0, members: kits.map(({ member }) => member) };
}

const random = new SeededRandom(1);
const entropy: Entropy = { bytes: (length) => random.bytes(length) };

/** The event loop's timers, running faster by a factor: what takes seconds in production takes a fraction in a test. */
export function timersFasterBy(factor: number): Timers {
  return {
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs / factor);
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

export interface NodeSettings {
  readonly kit: MemberKit;
  readonly membership: Membership;
  readonly addresses: Readonly<Record<string, string>>;
  readonly telemetry: Telemetry;
  readonly timers?: Timers;
  readonly listen?: ListenAddress;
}

export function createTransport(settings: NodeSettings): MtlsTransport {
  const { kit, membership, addresses, telemetry, timers = timersFasterBy(1), listen = { host: "127.0.0.1", port: 0 } } = settings;
  return mtlsTransport({
    self: kit.id,
    cluster: CLUSTER,
    membership,
    trustDomain: TRUST_DOMAIN,
    identifyPeer,
    tls: { key: kit.certificate.privateKeyPem, certificate: kit.certificate.certificatePem },
    listen,
    addresses,
    telemetry,
    timers,
    entropy,
  });
}

/** `host:port` of a started transport. */
/** Starts the members' transports, each of which finds the others wherever they listen, and waits until all are linked. */
export async function startMesh(
  kits: readonly MemberKit[],
  settingsOf: (kit: MemberKit) => Omit<NodeSettings, "kit" | "membership" | "addresses">,
  membership: Membership = membershipOf(kits),
): Promise<{ readonly stations: Station[]; readonly transports: readonly MtlsTransport[] }> {
  const addresses: Record<string, string> = {};
  const transports = kits.map((kit) => createTransport({ kit, membership, addresses, ...settingsOf(kit) }));
  const stations: Station[] = [];
  for (const [at, { id }] of kits.entries()) {
    const transport = transports[at] as MtlsTransport;
    stations.push(await startStation(id, transport));
    addresses[id] = addressOf(transport);
  }
  await meshed(stations);
  return { stations, transports };
}

export function addressOf(transport: MtlsTransport): string {
  const { host, port } = portOf(transport);
  return `${host}:${port}`;
}

export function portOf(transport: MtlsTransport): ListenAddress {
  const address = transport.address();
  if (address === undefined) throw new Error("the transport does not listen");
  return address;
}

/** Counts by metric and labels, such as `quorumgate_transport_refusals_total identity`. */
export function countingTelemetry(counts: Map<string, number>): Telemetry {
  return {
    log() {},
    gauge() {},
    observe() {},
    count(metric, amount = 1, labels = {}) {
      const key = [metric, ...Object.values(labels)].join(" ");
      counts.set(key, (counts.get(key) ?? 0) + amount);
    },
  };
}

/** A TLS client of the test's own making, honest as far as its options are. */
export function rawClient(to: ListenAddress, options: ConnectionOptions): TLSSocket {
  const socket = connect({
    ...to,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["quorumgate/1"],
    checkServerIdentity: () => undefined,
    ...options,
  });
  // A refusal may come as a reset; what counts is that the connection ends.
  socket.on("error", () => socket.destroy());
  return socket;
}

export function asClient({ certificate }: Pick<MemberKit, "certificate">): ConnectionOptions {
  return { key: certificate.privateKeyPem, cert: certificate.certificatePem };
}

/** A frame by hand: u32be length of kind and payload, kind, payload. */
export function wireFrame(kind: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(payload.length + 1, 0);
  header[4] = kind;
  return Buffer.concat([header, payload]);
}

/** A hello frame by hand: u16 version, cluster id, sender and receiver, each behind its u32 length. */
export function wireHello(from: string, to: string, changes: { readonly version?: number; readonly cluster?: string } = {}): Buffer {
  const version = Buffer.alloc(2);
  version.writeUInt16BE(changes.version ?? 1);
  const text = (value: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return Buffer.concat([length, Buffer.from(value)]);
  };
  return wireFrame(1, Buffer.concat([version, Buffer.from(changes.cluster ?? CLUSTER, "hex"), text(from), text(to)]));
}
