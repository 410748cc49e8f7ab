import { type Hasher, invariant } from "#base";
import { type SubtreeHashes, treeRoot } from "./proof.ts";
import { HashTile, rowLength, TILE_HEIGHT, TILE_WIDTH } from "./tile.ts";

/** Gives a tile that lies behind the right edge, or undefined when it is not stored. */
export type TileLookup = (level: number, index: number) => HashTile | undefined;

/** A tile of the tree that has grown; `bytes` are its hashes so far, `full` is the tile itself once it grows no more. */
export interface GrownTile {
  readonly level: number;
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly full?: HashTile;
}

/** Tells that a tile of the tree has grown. */
export type TileListener = (tile: GrownTile) => void;

/**
 * A growing RFC 6962 tree that keeps only the tiles of its right edge: one hash per leaf and on average one more for the inner nodes.
 */
export class GrowingTree {
  readonly #hasher: Hasher;
  /** The partial tile of each level; what was full has left. */
  readonly #edge: HashTile[];
  #size: number;

  constructor(hasher: Hasher, size = 0, edge: readonly HashTile[] = []) {
    this.#hasher = hasher;
    this.#size = size;
    this.#edge = [...edge];
  }

  /** Leaves so far. */
  get size(): number {
    return this.#size;
  }

  /** A tree of its own with the same leaves. */
  fork(): GrowingTree {
    return new GrowingTree(
      this.#hasher,
      this.#size,
      this.#edge.map((tile) => HashTile.of(this.#hasher, tile.row())),
    );
  }

  /** Adds a leaf hash. Tells of each tile that it fills, and of upper partial tiles that grew: those cannot be made from few entries. */
  append(leafHash: Uint8Array, onTile: TileListener): void {
    this.#push(0, leafHash, onTile);
    this.#size += 1;
  }

  /** Root of the whole tree. */
  root(): Uint8Array {
    return treeRoot(this.hashes(noTile), this.#size);
  }

  /** The hashes of this tree, for proofs. */
  hashes(lookup: TileLookup): SubtreeHashes {
    return subtreeHashes(this.#hasher, (level, index) => (this.#isEdge(level, index) ? this.#edge[level] : lookup(level, index)));
  }

  /** A tile as it is now. */
  tile(level: number, index: number, lookup: TileLookup): HashTile | undefined {
    return this.#isEdge(level, index) ? this.#edge[level] : lookup(level, index);
  }

  /** Partial tiles of the right edge that hold something. */
  partialTiles(): { readonly level: number; readonly index: number; readonly bytes: Uint8Array }[] {
    const tiles = this.#edge.map((tile, level) => ({ level, index: this.#edgeIndex(level), bytes: tile.row() }));
    return tiles.filter(({ bytes }) => bytes.length > 0);
  }

  #push(level: number, hash: Uint8Array, onTile: TileListener): void {
    const tile = this.#edge[level] ?? new HashTile(this.#hasher);
    const index = Math.floor(Math.floor(this.#size / TILE_WIDTH ** level) / TILE_WIDTH);
    this.#edge[level] = tile;
    tile.push(hash);
    if (tile.width < TILE_WIDTH) {
      if (level > 0) onTile({ level, index, bytes: tile.row() });
      return;
    }
    onTile({ level, index, bytes: tile.row(), full: tile });
    this.#edge[level] = new HashTile(this.#hasher);
    this.#push(level + 1, tile.node(TILE_HEIGHT, 0), onTile);
  }

  #isEdge(level: number, index: number): boolean {
    return index === this.#edgeIndex(level);
  }

  #edgeIndex(level: number): number {
    return Math.floor(rowLength(this.#size, level) / TILE_WIDTH);
  }
}

/** Complete subtrees, looked up in tiles. */
export function subtreeHashes(hasher: Hasher, lookup: TileLookup): SubtreeHashes {
  return {
    hasher,
    subtree(height: number, index: number): Uint8Array {
      const level = Math.floor(height / TILE_HEIGHT);
      const within = height % TILE_HEIGHT;
      const perTile = TILE_WIDTH / 2 ** within;
      const tile = lookup(level, Math.floor(index / perTile));
      invariant(tile !== undefined, "every tile of the log is stored");
      return tile.node(within, index % perTile);
    },
  };
}

function noTile(): undefined {
  return undefined;
}
