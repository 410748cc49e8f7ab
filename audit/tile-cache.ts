import { type Hasher, QuorumgateError } from "#base";
import { LOG_KEYS, type StoreReader } from "./log-store.ts";
import type { ShardName } from "./shard.ts";
import { HashTile } from "./tile.ts";
import type { TileLookup } from "./tree.ts";

/** Expanded tiles kept: 16 KiB each. Proofs for recent entries and audits that walk the log meet the same tiles again. */
const CACHED_TILES_MAX = 256;

/** Stored tiles with their inner nodes; the longest unused leave first. */
export class TileCache {
  readonly #hasher: Hasher;
  readonly #tiles = new Map<string, HashTile>();

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  /** A lookup for one shard. Only tiles that cannot grow any more may be looked up. @throws {QuorumgateError} STORAGE_CORRUPT */
  lookup(shard: ShardName, read: StoreReader): TileLookup {
    return (level, index) => {
      const key = LOG_KEYS.tile({ shard, level, index });
      const tile = this.#tiles.get(key) ?? this.#load(key, read);
      this.#tiles.delete(key);
      this.#tiles.set(key, tile);
      return tile;
    };
  }

  /** Keeps a tile that was just filled: receipts of the same block are about to ask for it, and would hash all of it again. */
  keep(key: string, tile: HashTile): void {
    this.#makeRoom();
    this.#tiles.set(key, tile);
  }

  #load(key: string, read: StoreReader): HashTile {
    const bytes = read(key);
    if (bytes === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "a tile is missing");
    this.#makeRoom();
    return HashTile.of(this.#hasher, bytes);
  }

  #makeRoom(): void {
    const oldest = this.#tiles.keys().next();
    if (this.#tiles.size >= CACHED_TILES_MAX && oldest.done !== true) this.#tiles.delete(oldest.value);
  }
}
