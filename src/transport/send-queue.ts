import { LIMITS } from "#base";
import { FRAME_HEADER_BYTES, FRAME_KIND, writeFrame } from "./framing.ts";

/**
 * Frames that wait for a socket, bounded in bytes. The oldest is dropped for the newest: of consensus messages the newest is the
 * most useful, and what was lost is sent again.
 */
export class SendQueue {
  readonly #bytesMax: number;
  #frames: (Uint8Array | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number = LIMITS.peerQueueBytesMax) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#head === this.#frames.length;
  }

  /** Adds a frame and gives the number of frames that were dropped for it. */
  push(frame: Uint8Array): number {
    this.#frames.push(frame);
    this.#bytes += FRAME_HEADER_BYTES + frame.length;
    let dropped = 0;
    while (this.#bytes > this.#bytesMax && this.#shift() !== undefined) dropped += 1;
    return dropped;
  }

  /** The next frames as they go over the wire, in one buffer: one write fills TLS records where one for each would not. */
  take(bytesMax: number): { readonly bytes: Buffer; readonly frames: number } {
    const taken: Uint8Array[] = [];
    let length = 0;
    for (let next = this.#frames[this.#head]; next !== undefined; next = this.#frames[this.#head]) {
      if (taken.length > 0 && length + FRAME_HEADER_BYTES + next.length > bytesMax) break;
      length += FRAME_HEADER_BYTES + next.length;
      taken.push(next);
      this.#shift();
    }
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    for (const frame of taken) at = writeFrame(bytes, at, FRAME_KIND.data, frame);
    return { bytes, frames: taken.length };
  }

  #shift(): Uint8Array | undefined {
    const frame = this.#frames[this.#head];
    if (frame === undefined) return undefined;
    this.#frames[this.#head] = undefined;
    this.#head += 1;
    this.#bytes -= FRAME_HEADER_BYTES + frame.length;
    // Moving the rest once per half emptied list keeps the cost per frame constant.
    if (this.#head > 1_024 && 2 * this.#head > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head);
      this.#head = 0;
    } else if (this.isEmpty) {
      this.#frames = [];
      this.#head = 0;
    }
    return frame;
  }
}
