import {
  type Entropy,
  encodeCanonical,
  equalBytes,
  FieldReader,
  fromBase64Url,
  type KeyValueStore,
  parseCanonicalObject,
  toBase64Url,
} from "#base";
import { STORE_KEYS } from "./keys.ts";
import type { GuardAnchor } from "./types.ts";

/** Tokens change at every start and after this many heights, so an old copy of the folder shows. */
export const TOKEN_HEIGHTS = 256;

const TOKEN_BYTES = 16;

interface StoredToken {
  readonly current: Uint8Array;
  readonly next: Uint8Array;
}

/** Ports of the token. */
export interface TokenPorts {
  readonly store: KeyValueStore;
  readonly anchor: GuardAnchor;
  readonly entropy: Entropy;
}

/**
 * True when the data folder is the one this node wrote last: its token stands in the anchor too. The store keeps the old and the
 * new token during a change, so that a crash between the two writes is not taken for a lost disk.
 */
export function isTokenCurrent(ports: Pick<TokenPorts, "store" | "anchor">): boolean {
  const anchored = ports.anchor.read();
  const stored = readToken(ports.store);
  if (anchored === undefined || stored === undefined) return false;
  return equalBytes(anchored, stored.current) || equalBytes(anchored, stored.next);
}

/** Gives store and anchor a new token; done when both are durable. */
export function renewToken(ports: TokenPorts, done: (error?: Error) => void): void {
  const { store, anchor, entropy } = ports;
  const next = entropy.bytes(TOKEN_BYTES);
  const current = anchor.read() ?? next;
  const value = encodeCanonical({ current: toBase64Url(current), next: toBase64Url(next) });
  store.write([{ key: STORE_KEYS.token, value }], (error) => {
    if (error !== undefined) done(error);
    else anchor.write(next, done);
  });
}

/**
 * Marks an empty data folder as that of a new node. Only what creates a node calls this: a node started without it has lost its disk
 * and rejoins by the vote guard's rule.
 */
export function initializeGuard(ports: TokenPorts, done: (error?: Error) => void): void {
  renewToken(ports, done);
}

function readToken(store: KeyValueStore): StoredToken | undefined {
  const bytes = store.get(STORE_KEYS.token);
  if (bytes === undefined) return undefined;
  const reader = new FieldReader(parseCanonicalObject(bytes), "token");
  return { current: fromBase64Url(reader.text("current")), next: fromBase64Url(reader.text("next")) };
}
