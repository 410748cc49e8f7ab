import { connect, type TLSSocket } from "node:tls";
import { type Entropy, LIMITS, type Member, QuorumgateError, type Telemetry, type TimerHandle, type Timers } from "#base";
import { Backoff } from "./backoff.ts";
import { authoritiesOf, type TlsCredentials, tlsOptions } from "./credentials.ts";

/** What a dialler is made of. */
export interface DiallerOptions {
  readonly member: Member;
  readonly credentials: TlsCredentials;
  readonly telemetry: Telemetry;
  readonly timers: Timers;
  readonly entropy: Entropy;
  /** `host:port`, asked before each attempt: the peer may have moved. */
  readonly address: () => string;
  /** Throws unless the other end is the member that was dialled. */
  readonly checkPeer: (certificateDer: Uint8Array) => void;
  /** The handshake is done; the caller checks who it is, makes the link and calls `linked` once it is up. Throwing refuses it. */
  readonly onSecure: (socket: TLSSocket) => void;
}

/** Keeps one connection to one member: dials, and dials again after a growing pause, until it is stopped. */
export class Dialler {
  readonly member: Member;
  readonly #options: DiallerOptions;
  readonly #backoff: Backoff;
  #socket: TLSSocket | undefined;
  #timer: TimerHandle | undefined;
  #stopped = false;

  constructor(options: DiallerOptions) {
    this.member = options.member;
    this.#options = options;
    this.#backoff = new Backoff(options.entropy);
  }

  start(): void {
    this.#dial();
  }

  /** The link is up: no deadline any more. Only one that lasts shortens the next pause: a faulty peer may hang up right after hello. */
  linked(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.timers.after(LIMITS.peerRedialMaxMs, () => this.#backoff.reset());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#socket?.destroy();
  }

  #dial(): void {
    const target = parseAddress(this.#options.address());
    if (target === undefined) {
      this.#options.telemetry.log("error", "transport.address-invalid", { peer: this.member.id });
      this.#redialLater();
      return;
    }
    const socket = connect({
      ...tlsOptions(this.#options.credentials),
      ...target,
      // Its own authority alone: another institution's must not vouch for this member.
      ca: authoritiesOf([this.member], this.#options.telemetry),
      checkServerIdentity: (_host, certificate) => this.#refusalOf(() => this.#options.checkPeer(certificate.raw)),
    });
    this.#socket = socket;
    this.#timer = this.#options.timers.after(LIMITS.peerHandshakeTimeoutMs, () => socket.destroy());
    socket.on("error", (error) => this.#tell(error));
    socket.once("secureConnect", () => {
      const refusal = this.#refusalOf(() => this.#options.onSecure(socket));
      if (refusal !== undefined) socket.destroy();
    });
    socket.once("close", () => {
      this.#timer?.cancel();
      if (!this.#stopped) this.#redialLater();
    });
  }

  /** That a peer's certificate is refused is for an operator to mend; that it is away passes. */
  #tell(error: NodeJS.ErrnoException): void {
    if (error instanceof QuorumgateError) return;
    const isCertificate = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(error.code ?? "");
    const [level, event] = isCertificate ? (["warn", "transport.peer-refused"] as const) : (["debug", "transport.dial-failed"] as const);
    this.#options.telemetry.log(level, event, { peer: this.member.id, reason: error.message });
  }

  #redialLater(): void {
    this.#timer = this.#options.timers.after(this.#backoff.next(), () => this.#dial());
  }

  #refusalOf(check: () => void): Error | undefined {
    try {
      check();
      return undefined;
    } catch (error) {
      if (!(error instanceof QuorumgateError)) throw error;
      this.#options.telemetry.log("warn", "transport.peer-refused", { peer: this.member.id, code: error.code, reason: error.message });
      return error;
    }
  }
}

/** `host:port`, an IPv6 host in brackets. */
function parseAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
