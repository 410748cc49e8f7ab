import type { TLSSocket } from "node:tls";
import {
  type Entropy,
  findMember,
  type Hash,
  invariant,
  LIMITS,
  type Member,
  type Membership,
  type NodeId,
  QuorumgateError,
  type Telemetry,
  type TimerHandle,
  type Timers,
  type Transport,
  type TransportEvents,
} from "#base";
import { authoritiesOf, identifySocket, type PeerIdentifier, type TlsCredentials } from "./credentials.ts";
import { Dialler } from "./dialler.ts";
import { Link } from "./link.ts";
import { type ListenAddress, Listener } from "./listener.ts";
import { Traffic } from "./traffic.ts";

/** What a mutual TLS transport is made of. */
export interface MtlsTransportOptions {
  readonly self: NodeId;
  readonly cluster: Hash;
  readonly membership: Membership;
  readonly trustDomain: string;
  /** `identifyPeer` of the room crypto. */
  readonly identifyPeer: PeerIdentifier;
  readonly tls: TlsCredentials;
  readonly listen: ListenAddress;
  /** `host:port` by member, in place of the membership's; read before each attempt, so that the owner may change it. */
  readonly addresses?: Readonly<Record<string, string>>;
  readonly telemetry: Telemetry;
  readonly timers: Timers;
  /** For the jitter of redialling. */
  readonly entropy: Entropy;
}

/** A transport between node processes. */
export interface MtlsTransport extends Transport {
  /** Where it listens, while it is started. */
  address(): ListenAddress | undefined;
}

/**
 * Frames over TLS 1.3 with certificates on both sides, between members only.
 *
 * Of two members the one with the lower id dials and the other accepts: one link for a pair, without a race to settle. A newer
 * connection of a member replaces its older one, which a restart may have left behind half open.
 */
export function mtlsTransport(options: MtlsTransportOptions): MtlsTransport {
  return new MutualTlsTransport(options);
}

class MutualTlsTransport implements MtlsTransport {
  readonly #options: MtlsTransportOptions;
  readonly #traffic: Traffic;
  readonly #listener: Listener;
  readonly #diallers = new Map<NodeId, Dialler>();
  /** Links that are up, and those that still say hello. */
  readonly #links = new Map<NodeId, Link>();
  readonly #greeting = new Set<Link>();
  #membership: Membership;
  #events: TransportEvents | undefined;
  #heartbeat: TimerHandle | undefined;
  #state: "new" | "started" | "stopped" = "new";

  constructor(options: MtlsTransportOptions) {
    this.#options = options;
    this.#membership = options.membership;
    this.#traffic = new Traffic(options.telemetry);
    this.#listener = new Listener({
      credentials: options.tls,
      authorities: authoritiesOf(options.membership.members, options.telemetry),
      telemetry: options.telemetry,
      timers: options.timers,
      onSecure: (socket) => this.#onAccepted(socket),
    });
  }

  start(events: TransportEvents, done: (error?: Error) => void): void {
    invariant(this.#state === "new", "a transport starts once");
    this.#state = "started";
    this.#events = events;
    this.#listener.listen(this.#options.listen, (error) => {
      if (error === undefined && this.#state === "started") {
        this.#beat();
        this.#dialMembers();
      }
      if (error !== undefined) this.#state = "stopped";
      done(error);
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

  address(): ListenAddress | undefined {
    return this.#listener.address();
  }

  setPeers(members: readonly Member[]): void {
    const membership = { epoch: this.#membership.epoch, members };
    this.#membership = membership;
    this.#listener.setAuthorities(authoritiesOf(membership.members, this.#options.telemetry));
    for (const [id, dialler] of this.#diallers) {
      if (!isSamePeer(dialler.member, findMember(membership, id))) {
        dialler.stop();
        this.#diallers.delete(id);
      }
    }
    for (const link of [...this.#links.values(), ...this.#greeting]) {
      if (findMember(membership, link.peer)?.keys.tls !== link.peerKey) link.close("the peer does not belong here any more");
    }
    if (this.#state === "started") this.#dialMembers();
  }

  stop(done: () => void): void {
    this.#state = "stopped";
    this.#events = undefined;
    this.#heartbeat?.cancel();
    for (const dialler of this.#diallers.values()) dialler.stop();
    for (const link of [...this.#links.values(), ...this.#greeting]) link.close("the transport stops");
    this.#traffic.report();
    this.#listener.close(done);
  }

  #beat(): void {
    this.#heartbeat = this.#options.timers.after(LIMITS.peerHeartbeatMs, () => {
      this.#beat();
      this.#traffic.report();
      for (const link of [...this.#links.values()]) link.heartbeat();
    });
  }

  #dialMembers(): void {
    for (const member of this.#membership.members) {
      if (member.id <= this.#options.self || this.#diallers.has(member.id)) continue;
      const dialler = this.#diallerFor(member);
      this.#diallers.set(member.id, dialler);
      dialler.start();
    }
  }

  #diallerFor(member: Member): Dialler {
    const { addresses, telemetry, timers, entropy, tls } = this.#options;
    const expect = (peer: NodeId): void => {
      if (peer !== member.id) throw new QuorumgateError("TRANSPORT_PEER_REFUSED", "another member than the one that was dialled answered");
    };
    return new Dialler({
      member,
      credentials: tls,
      telemetry,
      timers,
      entropy,
      address: () => addresses?.[member.id] ?? member.peerAddress,
      checkPeer: (certificateDer) => expect(this.#options.identifyPeer({ ...this.#identity(), certificateDer })),
      onSecure: (socket) => {
        expect(identifySocket(socket, this.#identity()));
        this.#openLink(socket, member, "dialler");
      },
    });
  }

  #onAccepted(socket: TLSSocket): void {
    const peer = identifySocket(socket, this.#identity());
    const member = findMember(this.#membership, peer);
    if (member === undefined || peer >= this.#options.self) {
      throw new QuorumgateError("TRANSPORT_PEER_REFUSED", "of two members the one with the lower id dials");
    }
    this.#openLink(socket, member, "acceptor");
  }

  #openLink(socket: TLSSocket, member: Member, role: "dialler" | "acceptor"): void {
    const { self, cluster } = this.#options;
    const link = new Link({
      socket,
      peer: member.id,
      peerKey: member.keys.tls,
      self,
      cluster,
      role,
      traffic: this.#traffic,
      events: {
        onUp: (up) =>
          this.#onUp(up, () => (role === "acceptor" ? this.#listener.admitted(socket) : this.#diallers.get(member.id)?.linked())),
        onFrame: (from, frame) => this.#events?.onFrame(from.peer, frame),
        onDown: (down, reason) => this.#onDown(down, reason),
      },
    });
    this.#greeting.add(link);
  }

  #onUp(link: Link, settle: () => void): void {
    settle();
    this.#greeting.delete(link);
    this.#links.get(link.peer)?.close("a newer connection of the peer took its place");
    this.#links.set(link.peer, link);
    this.#recordLink(link.peer, "up");
    this.#events?.onPeerUp(link.peer);
  }

  #onDown(link: Link, reason: string): void {
    const wasGreeting = this.#greeting.delete(link);
    if (wasGreeting) this.#options.telemetry.log("debug", "transport.hello-failed", { peer: link.peer, reason });
    if (this.#links.get(link.peer) !== link) return;
    this.#links.delete(link.peer);
    this.#recordLink(link.peer, "down", reason);
    this.#events?.onPeerDown(link.peer, reason);
  }

  #recordLink(peer: NodeId, event: "up" | "down", reason?: string): void {
    const { telemetry } = this.#options;
    telemetry.gauge("quorumgate_peers_connected", this.#links.size);
    telemetry.count("quorumgate_transport_links_total", 1, { peer, event });
    telemetry.log("info", `transport.peer-${event}`, { peer, reason });
  }

  #identity(): { readonly identifyPeer: PeerIdentifier; readonly membership: Membership; readonly trustDomain: string } {
    return { identifyPeer: this.#options.identifyPeer, membership: this.#membership, trustDomain: this.#options.trustDomain };
  }
}

/** What a dialler relies on has not changed. */
function isSamePeer(before: Member, now: Member | undefined): boolean {
  return (
    now !== undefined &&
    before.keys.tls === now.keys.tls &&
    before.tlsAuthority === now.tlsAuthority &&
    before.peerAddress === now.peerAddress
  );
}
