import { LIMITS, type SignedCommand } from "#base";

/** A verified command that waits to be ordered. */
export interface PooledCommand {
  readonly signed: SignedCommand;
  /** Binary form, as it stands in a block. */
  readonly encoded: Uint8Array;
  /** Leaf hash of the binary form, the command's place in a block's commandsRoot. */
  readonly leaf: Uint8Array;
  /** By this node's clock, which may be set back: see `onClockSetBack`. */
  arrivedUs: number;
  /** The state knew no such key of the issuer when the command came. */
  readonly isStranger: boolean;
}

const NOTHING_UNDERWAY: ReadonlySet<string> = new Set();

/** Why a command was not taken. */
export type PoolRefusal = "pool-full" | "issuer-full" | "strangers-full";

/**
 * Verified commands in turn by caller: one that sends a flood waits behind itself, not in front of the others.
 * Source: fairness against hostile clients, Clement et al. 2009 (Aardvark), section 4.
 */
export class Mempool {
  readonly #byHash = new Map<string, PooledCommand>();
  readonly #byLeaf = new Map<string, PooledCommand>();
  /** Queues in the order in which issuers get their next turn. */
  readonly #queues = new Map<string, Map<string, PooledCommand>>();
  readonly #strangers = new Set<string>();

  get size(): number {
    return this.#byHash.size;
  }

  /** Everything that waits; removing what was given is fine. */
  all(): readonly PooledCommand[] {
    return [...this.#byHash.values()];
  }

  has(hash: string): boolean {
    return this.#byHash.has(hash);
  }

  get(hash: string): PooledCommand | undefined {
    return this.#byHash.get(hash);
  }

  /** A verified command by the key of its leaf hash (`leafKey`). */
  byLeaf(key: string): PooledCommand | undefined {
    return this.#byLeaf.get(key);
  }

  /** Why there is no room for a command, which is known before anybody verified its signature. */
  refusalOf({ issuer, isStranger }: { readonly issuer: string; readonly isStranger: boolean }): PoolRefusal | undefined {
    if (this.#byHash.size >= LIMITS.mempoolCommandsMax) return "pool-full";
    if (isStranger && this.#strangers.size >= LIMITS.mempoolStrangersMax) return "strangers-full";
    return (this.#queues.get(issuer)?.size ?? 0) >= LIMITS.mempoolPerIssuerMax ? "issuer-full" : undefined;
  }

  /** Adds a verified command; one that is there already stays. */
  add(pooled: PooledCommand): PoolRefusal | undefined {
    const { hash, command } = pooled.signed;
    if (this.#byHash.has(hash)) return undefined;
    const refusal = this.refusalOf({ issuer: command.issuer, isStranger: pooled.isStranger });
    if (refusal !== undefined) return refusal;
    if (pooled.isStranger) this.#strangers.add(hash);
    const queue = this.#queues.get(command.issuer) ?? new Map<string, PooledCommand>();
    queue.set(hash, pooled);
    this.#queues.set(command.issuer, queue);
    this.#byHash.set(hash, pooled);
    this.#byLeaf.set(leafKey(pooled.leaf), pooled);
    return undefined;
  }

  remove(hash: string): void {
    const pooled = this.#byHash.get(hash);
    if (pooled === undefined) return;
    this.#byHash.delete(hash);
    this.#strangers.delete(hash);
    this.#byLeaf.delete(leafKey(pooled.leaf));
    const queue = this.#queues.get(pooled.signed.command.issuer);
    queue?.delete(hash);
    if (queue?.size === 0) this.#queues.delete(pooled.signed.command.issuer);
  }

  /**
   * Commands for the next block, one of each issuer in turn, within the bounds of a block. They stay in the pool until decided.
   * @param limits.underway keys (`leafKey`) of commands in blocks that are proposed already
   * @param limits.issuedUntilUs commands that were issued later wait: at the block's time they would not be valid yet
   */
  select(limits: { readonly underway?: ReadonlySet<string>; readonly issuedUntilUs?: number } = {}): PooledCommand[] {
    const { underway = NOTHING_UNDERWAY, issuedUntilUs = Number.MAX_SAFE_INTEGER } = limits;
    const selected: PooledCommand[] = [];
    let bytes = 0;
    let turns = [...this.#queues.values()].map((queue) => queue.values());
    while (turns.length > 0) {
      const next: typeof turns = [];
      for (const turn of turns) {
        const item = turn.next();
        if (item.done === true) continue;
        const { signed, leaf } = item.value;
        if (signed.command.issuedAtUs > issuedUntilUs || (underway.size > 0 && underway.has(leafKey(leaf)))) {
          next.push(turn);
          continue;
        }
        bytes += item.value.encoded.length + 4;
        if (selected.length >= LIMITS.blockCommandsMax || bytes > LIMITS.blockBytesMax) return selected;
        selected.push(item.value);
        next.push(turn);
      }
      turns = next;
    }
    return selected;
  }

  /** Drops what has expired by the clock and returns it. */
  dropExpired(nowUs: number): SignedCommand[] {
    const dropped: SignedCommand[] = [];
    for (const { signed } of this.#byHash.values()) if (signed.command.expiresAtUs < nowUs) dropped.push(signed);
    for (const signed of dropped) this.remove(signed.hash);
    return dropped;
  }

  /** The clock was set back: what arrived by the old one in the future counts as arriving now, or nobody would be told of it until then. */
  onClockSetBack(nowUs: number): void {
    for (const pooled of this.#byHash.values()) pooled.arrivedUs = Math.min(pooled.arrivedUs, nowUs);
  }

  /** The commands that have waited since before the given time, oldest first, at most so many. */
  waitingSince(beforeUs: number, countMax: number): PooledCommand[] {
    const waiting: PooledCommand[] = [];
    for (const pooled of this.#byHash.values()) {
      // Insertion order is arrival order: the first young one ends the search.
      if (pooled.arrivedUs > beforeUs || waiting.length >= countMax) break;
      waiting.push(pooled);
    }
    return waiting;
  }
}

const units: number[] = new Array<number>(16).fill(0);

/** A leaf hash as a map key: two bytes in a character, in one text and not in parts that a map would have to join. */
export function leafKey(leaf: Uint8Array): string {
  for (let i = 0; i < 16; i++) units[i] = ((leaf[2 * i] ?? 0) << 8) | (leaf[2 * i + 1] ?? 0);
  return String.fromCharCode.apply(undefined, units);
}
