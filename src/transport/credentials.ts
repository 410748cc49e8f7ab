import { constants, X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { fromBase64Url, type Member, type Membership, type NodeId, QuorumgateError, type Telemetry } from "#base";

/** The ALPN name of the peer protocol, version included. */
const PROTOCOL_NAME = "quorumgate/1";

/** This node's TLS key and certificate; the key is secret. */
export interface TlsCredentials {
  /** PKCS #8, PEM. */
  readonly key: string;
  /** The leaf, then what its path needs, PEM. */
  readonly certificate: string;
}

/** Which member presented a certificate. Throws TRANSPORT_PEER_REFUSED for anyone else. `identifyPeer` of the room crypto is one. */
export type PeerIdentifier = (options: {
  readonly certificateDer: Uint8Array;
  readonly membership: Membership;
  readonly trustDomain: string;
}) => NodeId;

/** TLS settings of both sides: TLS 1.3 only, mutual, no resumption. */
export function tlsOptions(credentials: TlsCredentials): {
  readonly key: string;
  readonly cert: string;
  readonly minVersion: "TLSv1.3";
  readonly maxVersion: "TLSv1.3";
  readonly ALPNProtocols: string[];
  readonly requestCert: true;
  readonly rejectUnauthorized: true;
  readonly secureOptions: number;
} {
  return {
    key: credentials.key,
    cert: credentials.certificate,
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    ALPNProtocols: [PROTOCOL_NAME],
    requestCert: true,
    rejectUnauthorized: true,
    // A resumed session would skip the certificates (and checkServerIdentity).
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** The authorities of members as PEM. One that cannot be read is left out and logged: its member is refused, the others are not. */
export function authoritiesOf(members: readonly Member[], telemetry: Telemetry): string[] {
  const authorities: string[] = [];
  for (const member of members) {
    try {
      authorities.push(new X509Certificate(fromBase64Url(member.tlsAuthority)).toString());
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown";
      telemetry.log("error", "transport.authority-unreadable", { peer: member.id, reason });
    }
  }
  return authorities;
}

/**
 * Who is at the other end of a finished handshake. A path to an authority is not enough: the key has to be the member's.
 * @throws {QuorumgateError} TRANSPORT_PEER_REFUSED
 */
export function identifySocket(
  socket: TLSSocket,
  options: { readonly identifyPeer: PeerIdentifier; readonly membership: Membership; readonly trustDomain: string },
): NodeId {
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized || certificate === undefined) throw refused("it showed no certificate of a known authority");
  if (socket.alpnProtocol !== PROTOCOL_NAME) throw refused("it speaks another protocol");
  if (socket.isSessionReused()) throw refused("it resumed a session");
  const { membership, trustDomain } = options;
  return options.identifyPeer({ certificateDer: certificate.raw, membership, trustDomain });
}

function refused(reason: string): QuorumgateError {
  return new QuorumgateError("TRANSPORT_PEER_REFUSED", `the peer is refused: ${reason}`);
}
