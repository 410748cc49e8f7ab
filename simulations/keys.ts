import {
  concatBytes,
  encodeUtf8,
  type Hasher,
  type KeyRole,
  type NodeSigner,
  type PublicKey,
  parsePublicKey,
  type SignatureClaim,
  type SignatureVerifier,
  toBase64Url,
} from "#base";

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
 * Keys whose signature is SHA-256(secret ‖ message) ‖ zeros. Verifying needs the secret, which only this mill holds: inside a simulation
 * that is as unforgeable as Ed25519, at a fiftieth of the time.
 */
export function standInKeys(hasher: Hasher): KeyMill {
  const secrets = new Map<string, Uint8Array>();
  const sign = (secret: Uint8Array, message: Uint8Array): Uint8Array => {
    const signature = new Uint8Array(64);
    signature.set(hasher.sha256(concatBytes(secret, message)));
    return signature;
  };
  const verify = ({ publicKey, message, signature }: SignatureClaim): boolean => {
    const secret = secrets.get(toBase64Url(publicKey));
    if (secret === undefined || signature.length !== 64) return false;
    const expected = sign(secret, message);
    return expected.every((byte, index) => byte === signature[index]);
  };
  return {
    keyOf: (name) => {
      const secret = hasher.sha256(encodeUtf8(`secret ${name}`));
      const publicKey = parsePublicKey(toBase64Url(hasher.sha256(encodeUtf8(`public ${name}`))));
      secrets.set(publicKey, secret);
      return { publicKey, sign: (message) => sign(secret, message) };
    },
    verifier: { verify: (claims, done) => done(claims.map(verify)) },
  };
}

/** The keys of one simulated node. */
export function nodeSigner(mill: KeyMill, node: string): NodeSigner {
  const keys = new Map<KeyRole, SimulatedKey>();
  for (const role of ["vote", "log", "witness", "gateway"] as const) keys.set(role, mill.keyOf(`${node}/${role}`));
  return {
    sign: (role, message, done) => {
      const key = keys.get(role);
      if (key !== undefined) done(key.sign(message));
    },
  };
}
