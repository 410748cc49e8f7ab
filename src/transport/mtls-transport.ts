import type { Socket } from "node:net";
import { randomInt } from "node:crypto";
import { connect, createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import {
  findMember,
  fromBase64Url,
  type Hash,
  LIMITS,
  type Member,
  type Membership,
  type NodeId,
  QuorumgateError,
  type Telemetry,
  type Transport,
  type TransportEvents,
} from "#base";
import { certificateToPem, identifyPeer } from "#crypto";
import { Link } from "./link.ts";
import { Traffic } from "./traffic.ts";

const ALPN = "quorumgate/1";

/** What the transport between nodes stands on. */
export interface MtlsOptions {
  readonly self: NodeId;
  readonly cluster: Hash;
  readonly membership: Membership;
  readonly trustDomain: string;
  /** This node's TLS key and certificate, PEM. */
  readonly tls: { readonly key: string; readonly certificate: string };
  readonly listen: { readonly host: string; readonly port: number };
  /** `host:port` by member, instead of the addresses in the membership. */
  readonly addresses?: Readonly<Record<string, string>>;
  readonly telemetry: Telemetry;
}

/** A transport whose links to some peers can be cut on purpose: development clusters only. */
export interface PartitionableTransport extends Transport {
  /** Cuts the links to these peers, and mends all others. */
  blockPeers(peers: readonly NodeId[]): void;
}

/**
 * Mutual TLS 1.3 between members. Both sides look at the other's certificate after every handshake: its key must be the one in the
 * committed membership, and its only URI the member's SPIFFE ID; an authority's signature alone is not enough. The lower id dials, so that
 * there is one link for each pair.
 */
export function mtlsTransport(options: MtlsOptions): PartitionableTransport {
  return new MtlsTransport(options);
}

class MtlsTransport implements PartitionableTransport {
  readonly #options: MtlsOptions;
  readonly #traffic: Traffic;
  readonly #links = new Map<NodeId, Link>();
  readonly #redialMs = new Map<NodeId, number>();
  /** Accepted connections that have not proved who they are, oldest first. */
  readonly #strangers = new Set<Socket>();
  #blocked: ReadonlySet<NodeId> = new Set();
  #server: Server | undefined;
  #events: TransportEvents | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: MtlsOptions) {
    this.#options = options;
    this.#traffic = new Traffic(options.telemetry);
  }

  start(events: TransportEvents, done: (error?: Error) => void): void {
    this.#events = events;
    const { listen } = this.#options;
    const server = createServer({
      ...this.#context(),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: LIMITS.peerHandshakeTimeoutMs,
    });
    this.#server = server;
    server.on("connection", (socket) => {
      // Counted before TLS begins: handshakes cost, and anybody can start one. The oldest stranger makes room.
      this.#strangers.add(socket);
      socket.once("close", () => this.#strangers.delete(socket));
      const [oldest] = this.#strangers;
      if (this.#strangers.size > LIMITS.unauthenticatedConnectionsMax) oldest?.destroy();
    });
    server.on("secureConnection", (socket) => this.#onAccepted(socket));
    server.on("tlsClientError", (error) => this.#refused(error));
    server.once("error", (error) =>
      done(new QuorumgateError("CONFIG_INVALID", `the peers' address cannot be listened on: ${error.message}`)),
    );
    server.listen({ ...listen }, () => {
      server.removeAllListeners("error");
      server.on("error", (error) => this.#refused(error));
      for (const member of this.#dialled()) this.#dial(member);
      this.#heartbeat = setInterval(() => this.#beat(), LIMITS.peerHeartbeatMs);
      done();
    });
  }

  send(to: NodeId, frame: Uint8Array): void {
    const link = this.#links.get(to);
    if (link === undefined) this.#traffic.droppedForAbsence();
    else link.send(frame);
  }

  connectedPeers(): readonly NodeId[] {
    return [...this.#links.keys()].sort();
  }

  blockPeers(peers: readonly NodeId[]): void {
    this.#blocked = new Set(peers);
    for (const [peer, link] of this.#links) if (this.#blocked.has(peer)) link.close("partitioned on purpose");
  }

  stop(done: () => void): void {
    this.#stopped = true;
    clearInterval(this.#heartbeat);
    for (const link of [...this.#links.values()]) link.close("this node stops");
    for (const socket of this.#strangers) socket.destroy();
    if (this.#server === undefined) return done();
    this.#server.close(() => done());
  }

  /** Members with a higher id: this node dials them, the others dial this node. */
  #dialled(): Member[] {
    return this.#options.membership.members.filter((member) => member.id > this.#options.self);
  }

  #context(): SecureContextOptions & { ALPNProtocols: string[] } {
    const { tls, membership } = this.#options;
    const ca = membership.members.map((member) => certificateToPem(fromBase64Url(member.tlsAuthority)));
    return { key: tls.key, cert: tls.certificate, ca, minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ALPNProtocols: [ALPN] };
  }

  #dial(member: Member): void {
    if (this.#stopped || this.#links.has(member.id)) return;
    if (this.#blocked.has(member.id)) return this.#dialLater(member);
    const [host, port] = splitAddress(this.#options.addresses?.[member.id] ?? member.peerAddress);
    // The name is checked by identifyPeer, against the membership; the host name says nothing.
    const socket = connect({
      ...this.#context(),
      host,
      port,
      checkServerIdentity: () => undefined,
      timeout: LIMITS.peerHandshakeTimeoutMs,
    });
    let handed = false;
    socket.once("secureConnect", () => {
      socket.setTimeout(0);
      const peer = this.#identify(socket);
      if (peer !== member.id) {
        this.#refused(new QuorumgateError("TRANSPORT_PEER_REFUSED", "another member answered"));
        return void socket.destroy();
      }
      handed = true;
      return this.#link(socket, member, "dialler");
    });
    socket.once("timeout", () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      if (!handed) this.#dialLater(member);
    });
  }

  #dialLater(member: Member): void {
    if (this.#stopped) return;
    const delay = this.#redialMs.get(member.id) ?? LIMITS.peerRedialMinMs;
    this.#redialMs.set(member.id, Math.min(delay * 2, LIMITS.peerRedialMaxMs));
    // Jitter keeps nodes that lost one peer together from dialling it together.
    setTimeout(() => this.#dial(member), delay + randomInt(delay)).unref();
  }

  #onAccepted(socket: TLSSocket): void {
    socket.on("error", () => socket.destroy());
    const peer = this.#identify(socket);
    const member = peer === undefined ? undefined : findMember(this.#options.membership, peer);
    // Only lower ids dial this node; a member that knows better is not running our code.
    if (member === undefined || member.id >= this.#options.self || this.#blocked.has(member.id) || this.#stopped)
      return void socket.destroy();
    return this.#link(socket, member, "acceptor");
  }

  #identify(socket: TLSSocket): NodeId | undefined {
    const { membership, trustDomain } = this.#options;
    try {
      const certificateDer = socket.getPeerCertificate(false).raw;
      if (!socket.authorized || socket.isSessionReused() || socket.alpnProtocol !== ALPN || certificateDer === undefined) {
        throw new QuorumgateError("TRANSPORT_PEER_REFUSED", "the handshake proved nothing");
      }
      return identifyPeer({ certificateDer, membership, trustDomain });
    } catch (error) {
      this.#refused(error);
      return undefined;
    }
  }

  #link(socket: TLSSocket, member: Member, role: "dialler" | "acceptor"): void {
    const { self, cluster } = this.#options;
    const timer = setTimeout(() => socket.destroy(), LIMITS.peerHandshakeTimeoutMs).unref();
    new Link({
      socket,
      peer: member.id,
      peerKey: member.keys.tls,
      self,
      cluster,
      role,
      traffic: this.#traffic,
      events: {
        onUp: (link) => {
          clearTimeout(timer);
          this.#forgetStranger(socket);
          this.#onUp(link);
        },
        onFrame: (link, frame) => {
          if (this.#links.get(link.peer) === link) this.#events?.onFrame(link.peer, frame);
        },
        onDown: (link, reason) => {
          clearTimeout(timer);
          this.#onDown(link, reason, role === "dialler" ? member : undefined);
        },
      },
    });
  }

  #onUp(link: Link): void {
    // A newer link replaces an older one: the peer gave that up, or it would not have dialled again.
    const older = this.#links.get(link.peer);
    this.#links.set(link.peer, link);
    this.#redialMs.delete(link.peer);
    older?.close("replaced by a newer connection");
    this.#gauge();
    this.#events?.onPeerUp(link.peer);
  }

  #onDown(link: Link, reason: string, redial: Member | undefined): void {
    if (this.#links.get(link.peer) === link) {
      this.#links.delete(link.peer);
      this.#gauge();
      this.#events?.onPeerDown(link.peer, reason);
    }
    if (redial !== undefined) this.#dialLater(redial);
  }

  /** A member now: the raw connection under the TLS one is known by its ports. */
  #forgetStranger(socket: TLSSocket): void {
    for (const stranger of this.#strangers) if (stranger.remotePort === socket.remotePort) this.#strangers.delete(stranger);
  }

  #beat(): void {
    for (const link of [...this.#links.values()]) link.heartbeat();
    this.#traffic.report();
  }

  #gauge(): void {
    this.#options.telemetry.gauge("quorumgate_peers_connected", this.#links.size);
  }

  #refused(error: unknown): void {
    const reason = error instanceof QuorumgateError ? error.message : "handshake failed";
    this.#options.telemetry.log("warn", "peer.refused", { reason });
  }
}

function splitAddress(address: string): [string, number] {
  const at = address.lastIndexOf(":");
  return [address.slice(0, at), Number(address.slice(at + 1))];
}
