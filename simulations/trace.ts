/** A running hash of everything that happens in a run: equal for equal runs, in any process. */
export class TraceHash {
  #a = 0x811c9dc5;
  #b = 0x01000193;

  mix(value: number): void {
    const a = this.#a;
    this.#a = Math.imul(a ^ value, 0x01000193);
    this.#b = Math.imul(this.#b + value, 0x85ebca6b) ^ (a >>> 13);
  }

  text(line: string): void {
    for (let i = 0; i < line.length; i++) this.mix(line.charCodeAt(i));
  }

  /** 16 hexadecimal characters. */
  get hex(): string {
    return [this.#a, this.#b].map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
  }
}
