import {
  ByteWriter,
  encodeCanonical,
  encodeUtf8,
  FieldReader,
  fromHex,
  type Hash,
  type Hasher,
  parseCanonical,
  parseHash,
  type StateChange,
  toHash,
} from "#base";
import { shapeError } from "./vocabulary.ts";

/** Commands by outcome. */
export interface Totals {
  readonly applied: number;
  readonly allowed: number;
  readonly denied: number;
  readonly refused: number;
}

/** What the state knows of itself. */
export interface Meta {
  readonly protocol: number;
  readonly height: number;
  readonly timeUs: number;
  readonly epoch: number;
  readonly totals: Totals;
  readonly stateHash: Hash;
}

/** Nothing counted yet. */
export const EMPTY_TOTALS: Totals = { applied: 0, allowed: 0, denied: 0, refused: 0 };

/** Counted before and in a block. */
export function addTotals(left: Totals, right: Totals): Totals {
  return {
    applied: left.applied + right.applied,
    allowed: left.allowed + right.allowed,
    denied: left.denied + right.denied,
    refused: left.refused + right.refused,
  };
}

const LEDGER_KEY = "meta/ledger";

/** Stored apart: the state hash covers all other changes of its block, so it can cover neither itself nor stand in the tree. */
export const STATE_HASH_KEY = "meta/stateHash";

/** Whether the state's tree stands over the key. */
export function isInTree(key: string): boolean {
  return key !== STATE_HASH_KEY;
}

const MAX = Number.MAX_SAFE_INTEGER;

/** The two stored values: of `meta/ledger`, then of `meta/stateHash`. */
export function writeMeta(meta: Meta): readonly [readonly [string, Uint8Array], readonly [string, Uint8Array]] {
  const { protocol, height, timeUs, epoch, totals, stateHash } = meta;
  const ledger = encodeCanonical({ protocol, height, time: String(timeUs), epoch, totals: { ...totals } });
  return [
    [LEDGER_KEY, ledger],
    [STATE_HASH_KEY, encodeCanonical(stateHash)],
  ];
}

/** Reads both stored values. @throws {QuorumgateError} format errors, and when one is missing or another key is there */
export function readMeta(stored: ReadonlyMap<string, Uint8Array>): Meta {
  const ledger = stored.get(LEDGER_KEY);
  const hash = stored.get(STATE_HASH_KEY);
  if (ledger === undefined || hash === undefined || stored.size !== 2) throw shapeError("the stored state lacks its meta values");
  const stateHash = parseCanonical(hash);
  if (typeof stateHash !== "string") throw shapeError("the stored state hash is not a text");
  const reader = new FieldReader(parseCanonical(ledger), "meta");
  const meta: Meta = {
    protocol: reader.integer("protocol", { min: 1, max: 1 }),
    height: reader.integer("height", { min: 1, max: MAX }),
    timeUs: reader.decimal("time"),
    epoch: reader.integer("epoch", { min: 0, max: MAX }),
    totals: readTotals(reader.object("totals")),
    stateHash: parseHash(stateHash),
  };
  reader.end();
  return meta;
}

/**
 * The state hash after a block: H(previous ‖ H(changes)), the changes in ascending key as
 * u16 length ‖ key ‖ u8 present ‖ (u32 length ‖ value when present).
 */
export function nextStateHash(hasher: Hasher, block: { readonly previous: Hash; readonly changes: readonly StateChange[] }): Hash {
  const writer = new ByteWriter();
  for (const { key, value } of block.changes) {
    const keyBytes = encodeUtf8(key);
    writer.u16(keyBytes.length).raw(keyBytes);
    if (value === undefined) writer.u8(0);
    else writer.u8(1).bytes(value);
  }
  const digest = hasher.sha256(writer.finish());
  return toHash(hasher.sha256(new ByteWriter().raw(fromHex(block.previous)).raw(digest).finish()));
}

function readTotals(reader: FieldReader): Totals {
  const bounds = { min: 0, max: MAX };
  const totals: Totals = {
    applied: reader.integer("applied", bounds),
    allowed: reader.integer("allowed", bounds),
    denied: reader.integer("denied", bounds),
    refused: reader.integer("refused", bounds),
  };
  reader.end();
  return totals;
}
