import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  encodeCanonical,
  equalBytes,
  FieldReader,
  fromBase64Url,
  inFile,
  LIMITS,
  type PublicKey,
  parseCanonicalObject,
  parsePublicKey,
  parseSubjectId,
  QuorumgateError,
  type SubjectId,
  signedBytes,
  toBase64Url,
} from "#base";
import { createSigner, type Ed25519, type KeyPair, type Signer } from "#crypto";
import { readKeyFile, writeKeyFile } from "./key-file.ts";
import { readPublicFile, writePublicFile } from "./public-file.ts";

/** What may be known of a service, operator or issuer. */
export interface PublicIdentity {
  readonly id: SubjectId;
  readonly publicKey: PublicKey;
}

/** A service, operator or issuer with its key. It holds a secret: never log it, never send it. */
export interface ServiceKey extends PublicIdentity {
  readonly keys: KeyPair;
}

const KEY_FILE = "identity.key";
const PUBLIC_FILE = "identity.json";
const LABEL = "service";

/** Makes an Ed25519 key for a service, operator or issuer. @throws {QuorumgateError} FORMAT_ID_INVALID */
export function createServiceKey(ed25519: Ed25519, id: string): ServiceKey {
  const keys = ed25519.generateKeyPair();
  return { id: parseSubjectId(id), publicKey: toBase64Url(keys.publicKey) as PublicKey, keys };
}

/** Signs as that identity. */
export function serviceSignerOf(ed25519: Ed25519, service: ServiceKey): Signer {
  return createSigner(ed25519, service.keys);
}

/** The public file to hand out: canonical {v, id, publicKey, proof}, the proof signed with the key under purpose `key-possession`. */
export function encodePublicIdentity(ed25519: Ed25519, { id, publicKey, keys }: ServiceKey): Uint8Array {
  const proof = ed25519.sign(keys.secretKey, signedBytes("key-possession", bodyOf({ id, publicKey })));
  return encodeCanonical({ v: 1, id, publicKey, proof: toBase64Url(proof) });
}

/** Reads a public file and checks its proof. @throws {QuorumgateError} IDENTITY_FOLDER_INVALID and format errors */
export function readPublicIdentity(ed25519: Ed25519, bytes: Uint8Array): PublicIdentity {
  if (bytes.length > LIMITS.nodeFileBytesMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "the identity file is too large");
  const reader = new FieldReader(parseCanonicalObject(bytes), "identity");
  reader.integer("v", { min: 1, max: 1 });
  const identity = { id: parseSubjectId(reader.text("id")), publicKey: parsePublicKey(reader.text("publicKey")) };
  const proof = fromBase64Url(reader.text("proof", 86));
  reader.end();
  if (!ed25519.verify(fromBase64Url(identity.publicKey), signedBytes("key-possession", bodyOf(identity)), proof)) {
    throw new QuorumgateError("IDENTITY_FOLDER_INVALID", "the identity file does not prove possession of its key");
  }
  return identity;
}

/**
 * Saves an identity as a folder (0700) of `identity.key` (0600) and, last, `identity.json`. Never replaces a key that is there.
 * @throws {QuorumgateError} IDENTITY_FOLDER_INVALID when the folder exists already
 */
export function saveServiceKey(ed25519: Ed25519, folder: string, service: ServiceKey): void {
  mkdirSync(join(folder, ".."), { recursive: true });
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    throw new QuorumgateError("IDENTITY_FOLDER_INVALID", "the folder exists already, or cannot be made", { data: { folder }, cause });
  }
  writeKeyFile(join(folder, KEY_FILE), LABEL, service.keys);
  writePublicFile(join(folder, PUBLIC_FILE), encodePublicIdentity(ed25519, service));
}

/**
 * Loads a saved identity, as `--identity DIR` of the command line does.
 * @throws {QuorumgateError} IDENTITY_FOLDER_INVALID, SECRET_FILE_UNSAFE, SECRET_FILE_UNREADABLE and format errors
 */
export function loadServiceKey(ed25519: Ed25519, folder: string): ServiceKey {
  const file = join(folder, PUBLIC_FILE);
  const identity = inFile(file, "IDENTITY_FOLDER_INVALID", () => readPublicIdentity(ed25519, readPublicFile(file)));
  const keys = readKeyFile(ed25519, join(folder, KEY_FILE), LABEL);
  if (!equalBytes(keys.publicKey, fromBase64Url(identity.publicKey))) {
    throw new QuorumgateError("IDENTITY_FOLDER_INVALID", "the secret key does not belong to identity.json", { data: { folder } });
  }
  return { ...identity, keys };
}

function bodyOf({ id, publicKey }: PublicIdentity): Uint8Array {
  return encodeCanonical({ v: 1, id, publicKey });
}
