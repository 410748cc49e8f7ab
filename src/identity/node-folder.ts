import { createPrivateKey, createPublicKey } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { equalBytes, fromBase64Url, inFile, type KeyRole, type Member, QuorumgateError, toBase64Url } from "#base";
import {
  type CertificateWithKey,
  certificateToPem,
  type Ed25519,
  type KeyPair,
  parseCertificate,
  readSecretFile,
  writeSecretFile,
} from "#crypto";
import { readKeyFile, writeKeyFile } from "./key-file.ts";
import { readNodeFile } from "./node-file.ts";
import type { NodeIdentity } from "./node-identity.ts";
import { readPublicFile, writePublicFile } from "./public-file.ts";
import { resumeRenewal } from "./renewal.ts";

const ROLES = ["vote", "log", "witness", "gateway"] as const satisfies readonly KeyRole[];

/** Where a node's identity lies in its folder. */
function pathsOf(folder: string): {
  readonly keys: string;
  readonly key: (role: KeyRole) => string;
  readonly tlsKey: string;
  readonly authorityKey: string;
  readonly nodeFile: string;
} {
  const keys = join(folder, "keys");
  return {
    keys,
    key: (role) => join(keys, `${role}.key`),
    tlsKey: join(keys, "tls.pem"),
    authorityKey: join(keys, "authority.pem"),
    nodeFile: join(folder, "node.json"),
  };
}

/**
 * Saves an identity: secrets in `keys/` (0700, files 0600), then `node.json`, whose presence says that the rest is whole.
 * Never replaces keys that are there: they may be the last copy.
 * @throws {QuorumgateError} IDENTITY_FOLDER_INVALID when the folder holds keys already
 */
export function saveNodeIdentity(folder: string, identity: NodeIdentity): void {
  const paths = pathsOf(folder);
  mkdirSync(folder, { recursive: true });
  makeKeysFolder(paths.keys);
  for (const role of ROLES) writeKeyFile(paths.key(role), role, identity.keys[role]);
  writeSecretFile(paths.tlsKey, identity.tls.privateKeyPem);
  writeSecretFile(paths.authorityKey, identity.authority.privateKeyPem);
  writePublicFile(paths.nodeFile, identity.nodeFile);
}

/**
 * Loads a saved identity and checks that keys, certificates and node.json belong together.
 * @throws {QuorumgateError} IDENTITY_FOLDER_INVALID, SECRET_FILE_UNSAFE, SECRET_FILE_UNREADABLE and those of `readNodeFile`
 */
export function loadNodeIdentity(ed25519: Ed25519, folder: string): NodeIdentity {
  resumeRenewal(ed25519, folder);
  const paths = pathsOf(folder);
  const nodeFile = readPublicFile(paths.nodeFile);
  const { trustDomain, member, certificateDer } = inFile(paths.nodeFile, "IDENTITY_FOLDER_INVALID", () => readNodeFile(ed25519, nodeFile));
  const load = (role: KeyRole): KeyPair => loadKey(ed25519, { path: paths.key(role), role, member });
  const keys = { vote: load("vote"), log: load("log"), witness: load("witness"), gateway: load("gateway") };
  const tls = withKey(certificateDer, paths.tlsKey);
  const authority = withKey(fromBase64Url(member.tlsAuthority), paths.authorityKey);
  return { trustDomain, member, keys, authority, tls, nodeFile };
}

function loadKey(ed25519: Ed25519, options: { readonly path: string; readonly role: KeyRole; readonly member: Member }): KeyPair {
  const { path, role, member } = options;
  const keys = readKeyFile(ed25519, path, role);
  if (!equalBytes(keys.publicKey, fromBase64Url(member.keys[role]))) throw mismatch(path);
  return keys;
}

function withKey(certificateDer: Uint8Array, path: string): CertificateWithKey {
  const privateKeyPem = readSecretFile(path).toString("utf8");
  const publicKeySpki = toBase64Url(parseCertificate(certificateDer).publicKey);
  if (spkiOf(privateKeyPem) !== publicKeySpki) throw mismatch(path);
  return { certificateDer, certificatePem: certificateToPem(certificateDer), privateKeyPem, publicKeySpki };
}

/** The public half of a PEM, or undefined when it holds no key. OpenSSL's message is dropped: it may quote the file. */
function spkiOf(privateKeyPem: string): string | undefined {
  try {
    return toBase64Url(createPublicKey(createPrivateKey(privateKeyPem)).export({ format: "der", type: "spki" }));
  } catch {
    return undefined;
  }
}

function makeKeysFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    throw new QuorumgateError("IDENTITY_FOLDER_INVALID", "the folder holds keys already, or cannot be made", { data: { path }, cause });
  }
}

function mismatch(path: string): QuorumgateError {
  return new QuorumgateError("IDENTITY_FOLDER_INVALID", "a secret key does not belong to node.json", { data: { path } });
}
