import type { TLSSocket } from "node:tls";
import { type Hash, invariant, LIMITS, type NodeId, QuorumgateError } from "#base";
import { encodeFrame, FRAME_BODY_BYTES_MAX, FRAME_KIND, FrameDecoder } from "./framing.ts";
import { checkHello, encodeHello, HELLO_BYTES_MAX } from "./hello.ts";
import { SendQueue } from "./send-queue.ts";
import type { Traffic } from "./traffic.ts";

const HEARTBEAT = encodeFrame(FRAME_KIND.heartbeat, new Uint8Array(0));

/** What a link tells the transport. `onDown` comes exactly once, and nothing after it. */
export interface LinkEvents {
  onUp(link: Link): void;
  onFrame(link: Link, frame: Uint8Array): void;
  onDown(link: Link, reason: string): void;
}

/** What a link is made of. */
export interface LinkOptions {
  readonly socket: TLSSocket;
  /** The member whose key the handshake proved. */
  readonly peer: NodeId;
  /** That key: a member that changed its key has to connect anew. */
  readonly peerKey: string;
  readonly self: NodeId;
  readonly cluster: Hash;
  /** The dialler says hello first; the acceptor's answer tells it that it was let in. */
  readonly role: "dialler" | "acceptor";
  readonly traffic: Traffic;
  readonly events: LinkEvents;
}

/**
 * One TLS connection to a proved member: hello in both directions, then frames and heartbeats.
 *
 * In TLS 1.3 the dialler's handshake ends before the acceptor has looked at its certificate (RFC 8446, section 2), so a link is up
 * only after the hellos.
 */
export class Link {
  readonly peer: NodeId;
  readonly peerKey: string;
  readonly #options: LinkOptions;
  readonly #socket: TLSSocket;
  readonly #queue = new SendQueue();
  readonly #decoder = new FrameDecoder(1 + HELLO_BYTES_MAX);
  #state: "greeting" | "up" | "down" = "greeting";
  #flushScheduled = false;
  #heardSinceHeartbeat = true;
  #silentHeartbeats = 0;

  constructor(options: LinkOptions) {
    this.peer = options.peer;
    this.peerKey = options.peerKey;
    this.#options = options;
    this.#socket = options.socket;
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on("drain", () => this.#flush());
    this.#socket.on("end", () => this.close("the peer closed the connection"));
    this.#socket.on("error", (error) => this.close(`connection error ${"code" in error ? String(error.code) : error.name}`));
    this.#socket.on("close", () => this.close("the connection was closed"));
    if (options.role === "dialler") this.#sayHello();
  }

  /** Queues a frame and writes what gathered in this turn of the event loop at its end. */
  send(frame: Uint8Array): void {
    invariant(frame.length > 0 && frame.length <= LIMITS.frameBytesMax, "a frame has 1 to frameBytesMax bytes");
    if (this.#state !== "up") return;
    const dropped = this.#queue.push(frame);
    if (dropped > 0) this.#options.traffic.droppedForRoom(dropped);
    if (this.#flushScheduled || this.#socket.writableNeedDrain) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  /** To be called every `peerHeartbeatMs`: says that this node lives and gives up a peer that has been silent for too long. */
  heartbeat(): void {
    if (this.#state !== "up") return;
    this.#silentHeartbeats = this.#heardSinceHeartbeat ? 0 : this.#silentHeartbeats + 1;
    this.#heardSinceHeartbeat = false;
    if (this.#silentHeartbeats >= LIMITS.peerSilentHeartbeatsMax) {
      this.close("the peer is silent");
    } else if (this.#queue.isEmpty && !this.#socket.writableNeedDrain) {
      this.#socket.write(HEARTBEAT);
    }
  }

  close(reason: string): void {
    if (this.#state === "down") return;
    this.#state = "down";
    this.#socket.destroy();
    this.#options.events.onDown(this, reason);
  }

  #onData(chunk: Buffer): void {
    if (this.#state === "down") return;
    this.#heardSinceHeartbeat = true;
    const wasUp = this.#state === "up";
    const arrived: Uint8Array[] = [];
    const failure = this.#decode(chunk, arrived);
    // The owner is told outside of the decoder's try: an error of its own must not pass for one of the peer.
    if (!wasUp && this.#isUp()) this.#options.events.onUp(this);
    for (const frame of arrived) {
      if (!this.#isUp()) return;
      this.#options.traffic.received(frame.length);
      this.#options.events.onFrame(this, frame);
    }
    if (failure !== undefined) this.close(failure);
  }

  #decode(chunk: Buffer, arrived: Uint8Array[]): string | undefined {
    try {
      this.#decoder.push(chunk, (kind, payload) => {
        if (this.#state === "greeting") this.#onGreeting(kind, payload);
        else if (kind === FRAME_KIND.data && payload.length > 0) arrived.push(payload);
        else if (kind !== FRAME_KIND.heartbeat || payload.length > 0) throw unexpectedFrame();
      });
      return undefined;
    } catch (error) {
      if (error instanceof QuorumgateError) return error.message;
      throw error;
    }
  }

  #onGreeting(kind: number, payload: Uint8Array): void {
    if (kind !== FRAME_KIND.hello) throw unexpectedFrame();
    checkHello(payload, { cluster: this.#options.cluster, from: this.peer, to: this.#options.self });
    if (this.#options.role === "acceptor") this.#sayHello();
    this.#decoder.setBodyBytesMax(FRAME_BODY_BYTES_MAX);
    this.#state = "up";
  }

  #sayHello(): void {
    const { cluster, self } = this.#options;
    this.#socket.write(encodeFrame(FRAME_KIND.hello, encodeHello({ cluster, from: self, to: this.peer })));
  }

  #flush(): void {
    while (this.#state === "up" && !this.#queue.isEmpty && !this.#socket.writableNeedDrain) {
      const { bytes, frames } = this.#queue.take(LIMITS.peerWriteBytesMax);
      this.#options.traffic.sent(frames, bytes.length);
      this.#socket.write(bytes);
    }
  }

  /** A method, because the compiler would not expect a callback to have changed the state. */
  #isUp(): boolean {
    return this.#state === "up";
  }
}

function unexpectedFrame(): QuorumgateError {
  return new QuorumgateError("TRANSPORT_FRAME_INVALID", "a frame of an unknown kind or at the wrong time");
}
