import {
  encodeUtf8,
  equalBytes,
  type Hasher,
  type KeyRole,
  type NodeSigner,
  type PublicKey,
  parsePublicKey,
  type SignatureClaim,
  type SignatureVerifier,
  toBase64Url,
} from "#base";
import type { Ed25519 } from "#crypto";

/** How a run signs: a keyed stand-in that nobody in the simulation can forge, or real Ed25519. */
export interface KeyMill {
  /** A key for a name; the same name gives the same key. */
  keyOf(name: string): SimulatedKey;
  readonly verifier: SignatureVerifier;
}

/** A key pair of a run. */
export interface SimulatedKey {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Uint8Array;
}

/**
 * Keys whose signature is a keyed checksum of the message. Verifying needs the secret, which only this mill holds, and no actor computes a
 * checksum of its own: inside a simulation that is as unforgeable as Ed25519, at a hundredth of the time.
 */
export function standInKeys(hasher: Hasher): KeyMill {
  const keys = new Map<string, SimulatedKey>();
  const secrets = new Map<string, Secret>();
  const byBytes = new WeakMap<Uint8Array, Secret>();
  const secretOf = (publicKey: Uint8Array): Secret | undefined => {
    const known = byBytes.get(publicKey);
    if (known !== undefined) return known;
    const found = secrets.get(toBase64Url(publicKey));
    if (found !== undefined) byBytes.set(publicKey, found);
    return found;
  };
  const verify = ({ publicKey, message, signature }: SignatureClaim): boolean => {
    const secret = secretOf(publicKey);
    return secret !== undefined && equalBytes(checksum(secret, message), signature);
  };
  return {
    keyOf: (name) => {
      const known = keys.get(name);
      if (known !== undefined) return known;
      const bytes = hasher.sha256(encodeUtf8(`secret ${name}`));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const secret: Secret = [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
      const publicKey = parsePublicKey(toBase64Url(hasher.sha256(encodeUtf8(`public ${name}`))));
      const key = { publicKey, sign: (message: Uint8Array) => checksum(secret, message).slice() };
      secrets.set(publicKey, secret);
      keys.set(name, key);
      return key;
    },
    verifier: { verify: (claims, done) => done(claims.map(verify)) },
  };
}

/** Real Ed25519, for the runs that must not rest on the stand-in. */
export function ed25519Keys(options: {
  readonly hasher: Hasher;
  readonly ed25519: Ed25519;
  readonly verifier: SignatureVerifier;
}): KeyMill {
  const { hasher, ed25519, verifier } = options;
  const keys = new Map<string, SimulatedKey>();
  return {
    keyOf: (name) => {
      const known = keys.get(name);
      if (known !== undefined) return known;
      const { publicKey, secretKey } = ed25519.generateKeyPair(hasher.sha256(encodeUtf8(`seed ${name}`)));
      const key = { publicKey: parsePublicKey(toBase64Url(publicKey)), sign: (message: Uint8Array) => ed25519.sign(secretKey, message) };
      keys.set(name, key);
      return key;
    },
    verifier,
  };
}

type Secret = readonly [number, number, number, number];

const SIGNATURE_BYTES = 64;
/** The last checksum: most are compared and forgotten. Behind the four lanes there are zeros. */
const last = new Uint8Array(SIGNATURE_BYTES);
const lanes = new DataView(last.buffer);
/** The message in words: to copy it costs less than a view of its own. */
let words = new Int32Array(1_024);
let wordBytes = new Uint8Array(words.buffer);

/**
 * Four lanes of 32 bits over words of four bytes, each lane from its own part of the secret; 64 bytes long, as a signature is. The length is
 * mixed in first, so that zeros at the end are not nothing. The result is overwritten by the next call.
 */
function checksum(secret: Secret, message: Uint8Array): Uint8Array {
  let [a, b, c, d] = secret;
  const { length } = message;
  const count = (length + 3) >> 2;
  if (count > words.length) {
    words = new Int32Array(2 * count);
    wordBytes = new Uint8Array(words.buffer);
  }
  // Past the end there are zeros.
  words[count - 1] = 0;
  wordBytes.set(message);
  a ^= length;
  for (let i = 0; i < count; i++) {
    const word = words[i] ?? 0;
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b + word + (a >>> 15), 0x85ebca6b);
    c = Math.imul(c ^ (word + (b >>> 13)), 0xc2b2ae35);
    d = Math.imul(d + (word ^ (c >>> 16)), 0x27d4eb2f);
    a ^= d >>> 11;
  }
  lanes.setInt32(0, a);
  lanes.setInt32(4, b);
  lanes.setInt32(8, c);
  lanes.setInt32(12, d);
  return last;
}

/** Times that a schedule renews a node's keys at most. */
export const RENEWALS_MAX = 8;

/** The name of a node's key after so many renewals. */
export function renewedKeyName(node: string, role: KeyRole, round: number): string {
  return round === 0 ? `${node}/${role}` : `${node}/${role}/${round}`;
}

/** The keys of one simulated node. */
export function nodeSigner(mill: KeyMill, node: string): NodeSigner {
  const keys = new Map<KeyRole, SimulatedKey>();
  for (const role of ["vote", "log", "witness", "gateway"] as const) keys.set(role, mill.keyOf(`${node}/${role}`));
  const find = (role: KeyRole, wanted: PublicKey): SimulatedKey | undefined => {
    const first = keys.get(role);
    if (first?.publicKey === wanted) return first;
    for (let round = 1; round <= RENEWALS_MAX; round++) {
      const key = mill.keyOf(renewedKeyName(node, role, round));
      if (key.publicKey === wanted) return key;
    }
    return undefined;
  };
  return {
    sign: (role, message, done, wanted) => {
      const key = wanted === undefined ? keys.get(role) : find(role, wanted);
      if (key !== undefined) done(key.sign(message));
    },
    holds: (role, key) => find(role, key) !== undefined,
  };
}
