import { concatBytes, type Hasher, hashNode, invariant } from "#base";

/** Hashes in a full tile (C2SP tlog-tiles): 256, eight levels of the tree. */
export const TILE_WIDTH = 256;
/** Levels of the tree in one tile. */
export const TILE_HEIGHT = 8;
/** Length of a SHA-256 hash. */
export const HASH_BYTES = 32;

/**
 * One tile with its inner nodes, so that proofs look hashes up instead of computing them.
 *
 * Height 0 is the tile's row of up to 256 hashes, height 8 its root. Nodes are completed as hashes are pushed: one node hash per hash.
 */
export class HashTile {
  readonly #hasher: Hasher;
  readonly #nodes = new Uint8Array((2 * TILE_WIDTH - 1) * HASH_BYTES);
  #width = 0;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  /** Expands stored bytes of whole hashes. */
  static of(hasher: Hasher, bytes: Uint8Array): HashTile {
    invariant(bytes.length % HASH_BYTES === 0 && bytes.length <= TILE_WIDTH * HASH_BYTES, "a tile holds at most 256 whole hashes");
    const tile = new HashTile(hasher);
    for (let at = 0; at < bytes.length; at += HASH_BYTES) tile.push(bytes.subarray(at, at + HASH_BYTES));
    return tile;
  }

  /** Hashes in the row. */
  get width(): number {
    return this.#width;
  }

  push(hash: Uint8Array): void {
    invariant(this.#width < TILE_WIDTH && hash.length === HASH_BYTES, "a tile takes 256 hashes of 32 bytes");
    let index = this.#width;
    this.#nodes.set(hash, index * HASH_BYTES);
    for (let height = 0; index % 2 === 1; height++) {
      const parent = hashNode(this.#hasher, this.#at(height, index - 1), this.#at(height, index));
      index = (index - 1) / 2;
      this.#nodes.set(parent, (offsetOf(height + 1) + index) * HASH_BYTES);
    }
    this.#width += 1;
  }

  /** A complete node. The result is a view and must not be changed. */
  node(height: number, index: number): Uint8Array {
    invariant(height <= TILE_HEIGHT && (index + 1) * 2 ** height <= this.#width, "the node is complete");
    return this.#at(height, index);
  }

  /** The row's first hashes as they are stored and served; a copy. */
  row(width: number = this.#width): Uint8Array {
    invariant(width <= this.#width, "the row is that wide");
    return this.#nodes.slice(0, width * HASH_BYTES);
  }

  #at(height: number, index: number): Uint8Array {
    const start = (offsetOf(height) + index) * HASH_BYTES;
    return this.#nodes.subarray(start, start + HASH_BYTES);
  }
}

/** Where a served resource lies: a tile of hashes, or a bundle of entries. */
export interface TileCoordinates {
  /** Tile level, or `entries`. */
  readonly level: number | "entries";
  readonly index: number;
  /** Hashes or entries in it, 1 to 256. */
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`; N in groups of three digits, all but the last with `x`. Source: C2SP tlog-tiles. */
export function tilePath({ level, index, width }: TileCoordinates): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  const groups = padded.match(/.{3}/g) ?? [];
  const path = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join("/");
  return `tile/${level}/${path}${width === TILE_WIDTH ? "" : `.p/${width}`}`;
}

const TILE_PATH = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,4}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** Reads a path strictly: one that `tilePath` would not have written is no path. */
export function parseTilePath(path: string): TileCoordinates | undefined {
  const match = TILE_PATH.exec(path);
  if (match === null) return undefined;
  const [, level = "", groups = "", width] = match;
  const coordinates: TileCoordinates = {
    level: level === "entries" ? "entries" : Number(level),
    index: Number(groups.replaceAll(/[x/]/g, "")),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  return tilePath(coordinates) === path && coordinates.width <= TILE_WIDTH ? coordinates : undefined;
}

/** How many hashes of tile level `level` a tree of that size has. Partial subtrees are never hashed upward. */
export function rowLength(size: number, level: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** Bundle of entries: u16be length ‖ bytes, for each. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...entries.flatMap((entry) => [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]));
}

/** Splits a bundle into views of its entries; undefined when it ends within one. */
export function decodeEntryBundle(bytes: Uint8Array): Uint8Array[] | undefined {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    if (at + 2 + length > bytes.length) return undefined;
    entries.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return entries;
}

function offsetOf(height: number): number {
  return 2 * TILE_WIDTH - ((2 * TILE_WIDTH) >> height);
}
