/**
 * A seeded stream of pseudo-random numbers for simulations and tests: the same seed gives the same stream everywhere.
 * Never for keys or nonces. Source: sfc32 of PractRand, seeded by splitmix32.
 */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any integer; @param stream a name, so that each subsystem has a stream of its own and shrinking keeps the others */
  constructor(seed: number, stream = "") {
    let state = seed >>> 0 || 0x9e3779b9;
    for (let i = 0; i < stream.length; i++) state = mix(state ^ stream.charCodeAt(i));
    const high = Math.floor(seed / 0x1_0000_0000);
    // Mixed before it is joined: as it is, it would make one stream of seeds 43 and 42 + 2^32.
    this.#a = state = mix(state ^ (high === 0 ? 0 : mix(high)));
    this.#b = state = mix(state);
    this.#c = mix(state);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** Uniform in 0 … 2^32−1. */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.uint32() / 0x1_0000_0000) * bound);
  }

  /** Uniform integer in [min, max]. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uint32() < probability * 0x1_0000_0000;
  }

  /** One item of a list that is not empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) out[i] = this.uint32() & 0xff;
    return out;
  }
}

function mix(value: number): number {
  let x = (value + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
