import { type KeyRole, type Member, type NodeId, type NodeSigner, type PublicKey, parseNodeId, QuorumgateError, toBase64Url } from "#base";
import {
  type CertificateWithKey,
  createCertificateAuthority,
  createNodeSigner,
  createSigner,
  type Ed25519,
  issueReplicaCertificate,
  type KeyPair,
  type Signer,
} from "#crypto";
import { encodeNodeFile } from "./node-file.ts";

const DAY_MS = 86_400_000;
/** Leaves are made once for now; when renewal comes, days will do. */
const LEAF_DAYS = 365;
/** The authority stands in the membership: it outlives many leaves. */
const AUTHORITY_DAYS = 3_650;
/** Peers whose clocks are a little behind accept a fresh certificate. */
const BACKDATED_MS = 300_000;

/** A node's keys, certificates and public file. It holds secrets: never log it, never send it. */
export interface NodeIdentity {
  readonly trustDomain: string;
  readonly member: Member;
  readonly keys: Readonly<Record<KeyRole, KeyPair>>;
  /** The institution's own certificate authority. */
  readonly authority: CertificateWithKey;
  readonly tls: CertificateWithKey;
  /** The signed public node.json. */
  readonly nodeFile: Uint8Array;
}

/** What an institution decides about its node. */
export interface NodeIdentityOptions {
  readonly nodeId: NodeId;
  readonly trustDomain: string;
  readonly weight: number;
  /** `host:port` of the listener for peers. */
  readonly peerAddress: string;
  /** Base URL of the HTTP API. */
  readonly httpUrl: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Names and addresses beside the SPIFFE ID in the TLS certificate, for clients of the HTTP API. */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** For evaluation only: the trust domain must then begin with `dev.`, and otherwise must not. */
  readonly development?: boolean;
}

/**
 * Makes all keys of a node, on the node: four Ed25519 keys by role, the institution's authority and a TLS certificate under it.
 * @throws {QuorumgateError} CONFIG_INVALID, FORMAT_ID_INVALID
 */
export function createNodeIdentity(ed25519: Ed25519, options: NodeIdentityOptions): NodeIdentity {
  const { trustDomain, nowMs } = options;
  if (trustDomain.startsWith("dev.") !== (options.development === true)) {
    throw new QuorumgateError("CONFIG_INVALID", "trust domains of development clusters, and only those, begin with `dev.`");
  }
  const nodeId = parseNodeId(options.nodeId);
  const notBeforeMs = nowMs - BACKDATED_MS;
  const authority = createCertificateAuthority({
    name: authorityName(nodeId),
    validity: { notBeforeMs, notAfterMs: nowMs + AUTHORITY_DAYS * DAY_MS },
  });
  const tls = issueReplicaCertificate({
    authority,
    trustDomain,
    nodeId,
    validity: { notBeforeMs, notAfterMs: nowMs + LEAF_DAYS * DAY_MS },
    ...(options.dnsNames === undefined ? {} : { dnsNames: options.dnsNames }),
    ...(options.ipAddresses === undefined ? {} : { ipAddresses: options.ipAddresses }),
  });
  const keys = {
    vote: ed25519.generateKeyPair(),
    log: ed25519.generateKeyPair(),
    witness: ed25519.generateKeyPair(),
    gateway: ed25519.generateKeyPair(),
  };
  const member = memberOf({ options, keys, authority, tls });
  const timeUs = Math.floor(nowMs / 1_000) * 1_000_000;
  const file = { trustDomain, member, certificateDer: tls.certificateDer, timeUs };
  const nodeFile = encodeNodeFile(ed25519, file, { ...keys, tlsPrivateKeyPem: tls.privateKeyPem });
  return { trustDomain, member, keys, authority, tls, nodeFile };
}

/**
 * The same node with new L and W keys, stated anew under all its keys. The others stay: what they sign may have to be known again by nodes that
 * are behind.
 */
export function renewNodeIdentity(
  ed25519: Ed25519,
  identity: NodeIdentity,
  options: { readonly nowMs: number; readonly peerAddress?: string; readonly httpUrl?: string },
): NodeIdentity {
  const { trustDomain, tls, authority } = identity;
  const { peerAddress = identity.member.peerAddress, httpUrl = identity.member.httpUrl } = options;
  const keys = { ...identity.keys, log: ed25519.generateKeyPair(), witness: ed25519.generateKeyPair() };
  const { id: nodeId, weight } = identity.member;
  const member = memberOf({ options: { nodeId, weight, peerAddress, httpUrl }, keys, authority, tls });
  const timeUs = Math.floor(options.nowMs / 1_000) * 1_000_000;
  const file = { trustDomain, member, certificateDer: tls.certificateDer, timeUs };
  const nodeFile = encodeNodeFile(ed25519, file, { ...keys, tlsPrivateKeyPem: tls.privateKeyPem });
  return { trustDomain, member, keys, authority, tls, nodeFile };
}

/** Signs with the node's keys by role; renewed ones are looked for where the caller keeps them. */
export function nodeSignerOf(
  ed25519: Ed25519,
  identity: NodeIdentity,
  findRenewed?: (role: KeyRole, key: PublicKey) => KeyPair | undefined,
): NodeSigner {
  return createNodeSigner(ed25519, identity.keys, findRenewed);
}

/** Signs the commands that the node's own gateway sends. */
export function gatewaySignerOf(ed25519: Ed25519, identity: NodeIdentity): Signer {
  return createSigner(ed25519, identity.keys.gateway);
}

/** Common names have at most 64 characters, node ids up to 63. */
function authorityName(nodeId: NodeId): string {
  const name = `${nodeId} authority`;
  return name.length <= 64 ? name : nodeId;
}

function memberOf(made: {
  readonly options: Pick<NodeIdentityOptions, "nodeId" | "weight" | "peerAddress" | "httpUrl">;
  readonly keys: NodeIdentity["keys"];
  readonly authority: CertificateWithKey;
  readonly tls: CertificateWithKey;
}): Member {
  const { options, keys } = made;
  const publicKey = (role: KeyRole): PublicKey => toBase64Url(keys[role].publicKey) as PublicKey;
  return {
    id: options.nodeId,
    weight: options.weight,
    keys: {
      vote: publicKey("vote"),
      log: publicKey("log"),
      witness: publicKey("witness"),
      gateway: publicKey("gateway"),
      tls: made.tls.publicKeySpki,
    },
    peerAddress: options.peerAddress,
    httpUrl: options.httpUrl,
    tlsAuthority: toBase64Url(made.authority.certificateDer),
  };
}
