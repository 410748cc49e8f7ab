import type { AddressInfo, Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { LIMITS, QuorumgateError, type Telemetry, type TimerHandle, type Timers } from "#base";
import { type TlsCredentials, tlsOptions } from "./credentials.ts";

/** An address to listen on. Port 0 takes a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** What a listener is made of. */
export interface ListenerOptions {
  readonly credentials: TlsCredentials;
  readonly authorities: readonly string[];
  readonly telemetry: Telemetry;
  readonly timers: Timers;
  /** A connection whose certificate has a path to an authority; who it is remains to be seen. Throwing refuses it. */
  readonly onSecure: (socket: TLSSocket) => void;
}

interface Stranger {
  readonly socket: Socket;
  readonly timer: TimerHandle;
}

/**
 * The port for peers. Every connection is a stranger until `admitted`: strangers are few, the oldest from the most
 * crowded address gives way to the newest, and none stays longer than the handshake's time. Refusing the newest instead would let slow strangers lock members out.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** By address and port of the other end: TLSSocket does not give away the socket that it wraps. Oldest first. */
  readonly #strangers = new Map<string, Stranger>();

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = createServer({
      ...tlsOptions(options.credentials),
      ca: [...options.authorities],
      handshakeTimeout: LIMITS.peerHandshakeTimeoutMs,
    });
    this.#server.on("connection", (socket: Socket) => this.#onConnection(socket));
    this.#server.on("secureConnection", (socket) => this.#onSecureConnection(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      this.#options.telemetry.log("debug", "transport.handshake-failed", { reason: "code" in error ? String(error.code) : error.name });
      socket.destroy();
    });
  }

  listen(address: ListenAddress, done: (error?: Error) => void): void {
    const fail = (cause: Error): void => done(new QuorumgateError("TRANSPORT_LISTEN_FAILED", "cannot listen for peers", { cause }));
    this.#server.once("error", fail);
    this.#server.listen(address.port, address.host, () => {
      this.#server.off("error", fail);
      // Such as too many open files: the connections that are there go on.
      this.#server.on("error", (error) => this.#options.telemetry.log("error", "transport.listener-error", { reason: error.message }));
      done();
    });
  }

  /** Where it listens, once it does. */
  address(): ListenAddress | undefined {
    const address: string | AddressInfo | null = this.#server.address();
    return address === null || typeof address === "string" ? undefined : { host: address.address, port: address.port };
  }

  /** Authorities for the handshakes to come. */
  setAuthorities(authorities: readonly string[]): void {
    this.#server.setSecureContext({ ...tlsOptions(this.#options.credentials), ca: [...authorities] });
  }

  /** The connection said hello and stays. */
  admitted(socket: TLSSocket): void {
    this.#forget(strangerKey(socket));
  }

  close(done: () => void): void {
    // The error of a server that never listened says nothing that the caller does not know.
    this.#server.close(() => done());
    for (const socket of this.#sockets) socket.destroy();
  }

  #onConnection(socket: Socket): void {
    const key = strangerKey(socket);
    socket.on("error", (error) => this.#options.telemetry.log("debug", "transport.socket-error", { reason: error.message }));
    this.#sockets.add(socket);
    const timer = this.#options.timers.after(LIMITS.peerHandshakeTimeoutMs, () =>
      this.#refuse(socket, "slow", "it took too long to say hello"),
    );
    this.#strangers.set(key, { socket, timer });
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#strangers.get(key)?.socket !== socket) return;
      this.#forget(key);
      this.#countRefusal("incomplete", "it left, or broke a rule, before hello");
    });
    this.#makeRoom();
  }

  #makeRoom(): void {
    if (this.#strangers.size <= LIMITS.unauthenticatedConnectionsMax) return;
    const byAddress = new Map<string, Socket[]>();
    for (const { socket } of this.#strangers.values()) {
      const address = socket.remoteAddress ?? "";
      byAddress.set(address, [...(byAddress.get(address) ?? []), socket]);
    }
    const [most] = [...byAddress.values()].sort((left, right) => right.length - left.length);
    const oldest = most?.[0];
    if (oldest !== undefined) this.#refuse(oldest, "crowded", "too many connections that have not said who they are");
  }

  #refuse(socket: Socket, stage: "crowded" | "identity" | "slow", reason: string): void {
    this.#forget(strangerKey(socket));
    this.#countRefusal(stage, reason);
    socket.destroy();
  }

  #countRefusal(stage: string, reason: string): void {
    this.#options.telemetry.count("quorumgate_transport_refusals_total", 1, { stage });
    this.#options.telemetry.log("debug", "transport.refused", { stage, reason });
  }

  #onSecureConnection(socket: TLSSocket): void {
    try {
      this.#options.onSecure(socket);
    } catch (error) {
      if (!(error instanceof QuorumgateError)) throw error;
      this.#refuse(socket, "identity", error.message);
    }
  }

  #forget(key: string): void {
    this.#strangers.get(key)?.timer.cancel();
    this.#strangers.delete(key);
  }
}

function strangerKey(socket: Socket): string {
  return `${socket.remoteAddress}|${socket.remotePort}`;
}
