import { LIMITS, QuorumgateError } from "#base";

/** What a frame between nodes is. */
export const FRAME_KIND = { hello: 1, data: 2, heartbeat: 3 } as const;

/** Length of the header: u32be length of kind and payload, u8 kind. */
export const FRAME_HEADER_BYTES = 5;

/** The longest kind and payload. */
export const FRAME_BODY_BYTES_MAX: number = LIMITS.frameBytesMax + 1;

const LENGTH_BYTES = 4;
/** First allocation for a frame that comes in pieces: a stranger's length alone must not reserve megabytes. */
const FIRST_ALLOCATION_BYTES = 65_536;

/** Writes header and payload into a buffer that has the room, and gives the offset behind them. */
export function writeFrame(target: Buffer, at: number, kind: number, payload: Uint8Array): number {
  target.writeUInt32BE(payload.length + 1, at);
  target[at + LENGTH_BYTES] = kind;
  target.set(payload, at + FRAME_HEADER_BYTES);
  return at + FRAME_HEADER_BYTES + payload.length;
}

/** One frame as bytes of its own. */
export function encodeFrame(kind: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrame(frame, 0, kind, payload);
  return frame;
}

/**
 * Cuts a stream of bytes into frames, however the bytes arrive.
 *
 * It holds at most twice the bytes that have come of one frame, never what a length only announces. Bodies are copied out of the
 * chunks: a small vote that is kept must not keep the socket's whole buffer alive.
 */
export class FrameDecoder {
  #bodyBytesMax: number;
  readonly #length = new Uint8Array(LENGTH_BYTES);
  #lengthFilled = 0;
  #body: Uint8Array | undefined;
  #bodyLength = 0;
  #bodyFilled = 0;

  /** @param bodyBytesMax longest kind and payload that is accepted */
  constructor(bodyBytesMax: number = FRAME_BODY_BYTES_MAX) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Changes the bound for the frames to come, such as once a peer has proved who it is. */
  setBodyBytesMax(bodyBytesMax: number): void {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /**
   * Takes the next bytes and visits each frame that they complete.
   * @throws {QuorumgateError} TRANSPORT_FRAME_INVALID for an empty or too long frame; the stream is of no use afterwards
   */
  push(chunk: Uint8Array, visit: (kind: number, payload: Uint8Array) => void): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#body === undefined ? this.#takeLength(chunk, at) : this.#takeBody(this.#body, chunk, at);
      if (this.#body === undefined || this.#bodyFilled < this.#bodyLength) continue;
      const body = this.#body;
      this.#body = undefined;
      visit(body[0] ?? 0, body.subarray(1));
    }
  }

  #takeLength(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.#lengthFilled < LENGTH_BYTES) this.#length[this.#lengthFilled++] = chunk[at++] ?? 0;
    if (this.#lengthFilled < LENGTH_BYTES) return at;
    this.#lengthFilled = 0;
    const [a = 0, b = 0, c = 0, d = 0] = this.#length;
    const length = a * 0x1_00_00_00 + ((b << 16) | (c << 8) | d);
    if (length === 0 || length > this.#bodyBytesMax) {
      throw new QuorumgateError("TRANSPORT_FRAME_INVALID", "a frame is empty or too long", { data: { length } });
    }
    this.#bodyLength = length;
    this.#bodyFilled = 0;
    this.#body = new Uint8Array(Math.min(length, Math.max(FIRST_ALLOCATION_BYTES, chunk.length - at)));
    return at;
  }

  #takeBody(body: Uint8Array, chunk: Uint8Array, from: number): number {
    const end = Math.min(chunk.length, from + this.#bodyLength - this.#bodyFilled);
    const filled = this.#bodyFilled + end - from;
    const target = filled <= body.length ? body : this.#grow(body, filled);
    target.set(chunk.subarray(from, end), this.#bodyFilled);
    this.#bodyFilled = filled;
    return end;
  }

  #grow(body: Uint8Array, needed: number): Uint8Array {
    const grown = new Uint8Array(Math.min(this.#bodyLength, Math.max(needed, 2 * body.length)));
    grown.set(body.subarray(0, this.#bodyFilled));
    this.#body = grown;
    return grown;
  }
}
