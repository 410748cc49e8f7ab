import { hash } from "node:crypto";
import {
  concatBytes,
  invariant,
  type KeyRole,
  LIMITS,
  type NodeSigner,
  type PublicKey,
  type SignatureClaim,
  type SignatureVerifier,
  type Telemetry,
  toBase64Url,
} from "#base";
import type { Ed25519, KeyPair } from "./sodium.ts";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const MESSAGE_AT = KEY_BYTES + SIGNATURE_BYTES;
const VALID = { verdict: "valid" };
const INVALID = { verdict: "invalid" };

/**
 * Verifies within the call, and remembers what was valid: a batch signature is met once per command that it covers, and a
 * command at its gateway, in its relay and in its proposal.
 *
 * Only valid signatures are remembered, so that a flood of forged ones pushes nothing out.
 */
export function createVerifier(
  ed25519: Ed25519,
  options: { readonly remembered?: number; readonly telemetry?: Telemetry } = {},
): SignatureVerifier {
  const valid = new RecentNames(options.remembered ?? LIMITS.verifiedSignaturesKept);
  let latest: Uint8Array | undefined;
  const check = (claim: SignatureClaim): boolean => {
    // The commands of a batch come one after the other and share their claim: comparing bytes is a tenth of naming them.
    if (latest !== undefined && isJoinOf(latest, claim)) return true;
    const name = nameOf(claim);
    if (name === undefined) return false;
    const verdict = valid.has(name) || verify(claim, name);
    if (verdict) latest = join(claim);
    return verdict;
  };
  const verify = (claim: SignatureClaim, name: string): boolean => {
    const verdict = ed25519.verify(claim.publicKey, claim.message, claim.signature);
    if (verdict) valid.add(name);
    options.telemetry?.count("quorumgate_signatures_verified_total", 1, verdict ? VALID : INVALID);
    return verdict;
  };
  return { verify: (claims, done) => done(claims.map(check)) };
}

/** Signs with a node's keys within the call. Renewed keys are looked for when they are first asked for: they may come while the node runs. */
export function createNodeSigner(
  ed25519: Ed25519,
  keys: Readonly<Record<KeyRole, KeyPair>>,
  findRenewed: (role: KeyRole, key: PublicKey) => KeyPair | undefined = () => undefined,
): NodeSigner {
  const find = (role: KeyRole, key: PublicKey): KeyPair | undefined =>
    toBase64Url(keys[role].publicKey) === key ? keys[role] : findRenewed(role, key);
  return {
    sign: (role, message, done, key) => {
      const pair = key === undefined ? keys[role] : find(role, key);
      invariant(pair !== undefined, "only a key that is held is asked to sign");
      done(ed25519.sign(pair.secretKey, message));
    },
    holds: (role, key) => find(role, key) !== undefined,
  };
}

/** One name for one claim: key and signature have fixed lengths, so that no two claims join to the same bytes. */
function nameOf(claim: SignatureClaim): string | undefined {
  if (claim.publicKey.length !== KEY_BYTES || claim.signature.length !== SIGNATURE_BYTES) return undefined;
  return hash("sha256", join(claim), "base64");
}

function join({ publicKey, message, signature }: SignatureClaim): Uint8Array {
  return concatBytes(publicKey, signature, message);
}

/** True when joining the claim would give these bytes, and its parts have their lengths. */
function isJoinOf(bytes: Uint8Array, { publicKey, message, signature }: SignatureClaim): boolean {
  return (
    publicKey.length === KEY_BYTES &&
    signature.length === SIGNATURE_BYTES &&
    bytes.length === MESSAGE_AT + message.length &&
    holds(bytes, publicKey, 0) &&
    holds(bytes, signature, KEY_BYTES) &&
    holds(bytes, message, MESSAGE_AT)
  );
}

function holds(bytes: Uint8Array, part: Uint8Array, at: number): boolean {
  for (let i = 0; i < part.length; i++) if (bytes[at + i] !== part[i]) return false;
  return true;
}

/** The names used last, up to a number. */
class RecentNames {
  readonly #capacity: number;
  // A Map keeps the order of insertion: the first key is the one unused for longest.
  readonly #names = new Map<string, true>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(name: string): boolean {
    if (!this.#names.delete(name)) return false;
    this.#names.set(name, true);
    return true;
  }

  add(name: string): void {
    this.#names.set(name, true);
    if (this.#names.size <= this.#capacity) return;
    const oldest = this.#names.keys().next();
    if (!oldest.done) this.#names.delete(oldest.value);
  }
}
