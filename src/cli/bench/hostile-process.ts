import { connect, type Socket } from "node:net";
import { type Hash, parseHash, parseSubjectId, signedCommandToJson } from "#base";
import { loadSodium, type Signer, signCommand } from "#crypto";
import { loadServiceKey, serviceSignerOf } from "#identity";
import { FIRST_REQUEST } from "../dev/demo.ts";
import type { Assault } from "./assaults.ts";

/** Another address of loopback than the honest clients': a client is told from others by it. */
const ADDRESS = "127.0.0.66";
/** Connections to each node: as many as all honest clients have, for what is sent without a pause. */
const BUSY_CONNECTIONS = 16;
/** And as many as a node takes from everybody, for what only waits. */
const IDLE_CONNECTIONS = 600;
const OVERSIZED_BYTES = 2_097_152;
const DRIP_MS = 500;
/** Before a connection that was closed is opened again. */
const AGAIN_MS = { busy: 20, waiting: 1_000 };
const LIFETIME_US = 60_000_000;

/** A hostile client: a process of its own, so that its work is not in the way of those who measure. */
class HostileClient {
  readonly #assault: Assault;
  readonly #signer: Signer;
  readonly #issuer: string;
  readonly #sockets = new Set<Socket>();
  #isOn = false;

  constructor(assault: Assault, service: { readonly id: string; readonly signer: Signer }) {
    this.#assault = assault;
    this.#issuer = service.id;
    this.#signer = service.signer;
  }

  begin(): void {
    this.#isOn = true;
    const { kind, ports } = this.#assault;
    const isWaiting = kind === "slow-body" || kind === "connections";
    const [count, againMs] = isWaiting ? [IDLE_CONNECTIONS, AGAIN_MS.waiting] : [BUSY_CONNECTIONS, AGAIN_MS.busy];
    for (const port of ports) for (let at = 0; at < count; at++) void this.#repeat(port, againMs);
  }

  end(): void {
    this.#isOn = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** One connection after another, until it ends. */
  async #repeat(port: number, againMs: number): Promise<void> {
    while (this.#isOn) {
      await this.#connection(port);
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }

  #connection(port: number): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port, localAddress: ADDRESS }, () => void this.#speak(socket));
      this.#sockets.add(socket);
      // Answers only say that the next request may be sent; that a node hangs up is what a hostile client expects.
      socket
        .on("error", () => socket.destroy())
        .once("close", () => {
          this.#sockets.delete(socket);
          resolve();
        });
    });
  }

  async #speak(socket: Socket): Promise<void> {
    switch (this.#assault.kind) {
      case "bad-signature":
      case "denied":
        socket.on("data", () => void this.#ask(socket));
        return this.#ask(socket);
      case "oversized":
        socket.resume();
        return void socket.end(Buffer.concat([head(OVERSIZED_BYTES), Buffer.alloc(OVERSIZED_BYTES, "a")]));
      case "slow-body":
        socket.resume().write(head(1_000));
        return drip(socket);
      case "connections":
        return void socket.resume();
    }
  }

  async #ask(socket: Socket): Promise<void> {
    const body = Buffer.from(JSON.stringify(await this.#command()));
    if (!socket.destroyed) socket.write(Buffer.concat([head(body.length), body]));
  }

  /** A question of the service, which was granted nothing; for `bad-signature` one that it did not sign. */
  async #command(): Promise<unknown> {
    const issuedAtUs = Date.now() * 1_000;
    const { serviceId: _id, ...body } = FIRST_REQUEST;
    const fields = { cluster: this.#assault.cluster as Hash, kind: "authorize", issuer: parseSubjectId(this.#issuer), body: body as never };
    const signed = await signCommand(this.#signer, { ...fields, issuedAtUs, expiresAtUs: issuedAtUs + LIFETIME_US });
    if (this.#assault.kind === "denied") return signedCommandToJson(signed);
    return signedCommandToJson({ ...signed, signature: signed.signature.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) });
  }
}

function head(length: number): Buffer {
  return Buffer.from(
    `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`,
  );
}

function drip(socket: Socket): void {
  const timer = setInterval(() => socket.write("{"), DRIP_MS);
  socket.once("close", () => clearInterval(timer));
}

// Whoever imports this file is the process: it hears whom it belongs to, and ends with it.
process.once("message", (assault: Assault) => {
  const prepare = async (): Promise<void> => {
    parseHash(assault.cluster);
    const ed25519 = await loadSodium();
    const service = loadServiceKey(ed25519, assault.identity);
    const client = new HostileClient(assault, { id: service.id, signer: serviceSignerOf(ed25519, service) });
    // From now on each message begins the attack, or ends it.
    process.on("message", (isOn: boolean) => (isOn ? client.begin() : client.end()));
    process.send?.("ready");
  };
  prepare().catch(() => process.exit(1));
});
process.once("disconnect", () => process.exit(0));
