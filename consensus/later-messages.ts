import { LIMITS, type NodeId } from "#base";
import type { ConsensusMessage } from "./messages.ts";

interface Kept {
  readonly message: ConsensusMessage;
  readonly bytes: number;
}

/** Messages of later heights and views, by sender; bounded in number and in bytes, and the oldest of a sender makes room. */
export class LaterMessages {
  readonly #bySender = new Map<NodeId, Kept[]>();
  readonly #perSenderMax: number;

  /** @param perSenderMax how many of one sender are kept */
  constructor(perSenderMax: number) {
    this.#perSenderMax = perSenderMax;
  }

  add(from: NodeId, message: ConsensusMessage): void {
    const kept = this.#bySender.get(from) ?? [];
    kept.push({ message, bytes: bytesIn(message) });
    let bytes = kept.reduce((sum, item) => sum + item.bytes, 0);
    while (kept.length > this.#perSenderMax || bytes > LIMITS.laterBytesPerSenderMax) bytes -= kept.shift()?.bytes ?? 0;
    this.#bySender.set(from, kept);
  }

  /** All that is kept, which is forgotten. */
  take(): [NodeId, ConsensusMessage][] {
    if (this.#bySender.size === 0) return [];
    const taken = [...this.#bySender].flatMap(([from, kept]) => kept.map(({ message }): [NodeId, ConsensusMessage] => [from, message]));
    this.#bySender.clear();
    return taken;
  }
}

/** Bytes in arrays of a message, however deep: what makes it long. */
function bytesIn(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce((sum: number, part: unknown) => sum + bytesIn(part), 0);
}
