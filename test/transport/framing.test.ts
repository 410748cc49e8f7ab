import { expect } from "chai";
import fc from "fast-check";
import { errorCode, LIMITS } from "#base";
import { FRAME_BODY_BYTES_MAX, FRAME_KIND, FrameDecoder } from "#transport";

/** The wire form written out by hand: u32be length of kind and payload, kind, payload. */
function wire(kind: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(payload.length + 1, 0);
  header[4] = kind;
  return Buffer.concat([header, payload]);
}

function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

function decode(decoder: FrameDecoder, chunks: readonly Uint8Array[]): [number, number[]][] {
  const frames: [number, number[]][] = [];
  for (const chunk of chunks) decoder.push(chunk, (kind, payload) => frames.push([kind, [...payload]]));
  return frames;
}

describe("frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    const frame = fc.record({ kind: fc.integer({ min: 0, max: 255 }), payload: fc.uint8Array({ maxLength: 300 }) });
    const lengths = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 10 }), lengths, (frames, cuts) => {
        const stream = Buffer.concat(frames.map(({ kind, payload }) => wire(kind, payload)));
        const expected = frames.map(({ kind, payload }) => [kind, [...payload]]);
        expect(decode(new FrameDecoder(), cut(stream, cuts))).to.deep.equal(expected);
      }),
    );
  });

  it("come out whole when they are much longer than what arrives at once", () => {
    const payload = Buffer.alloc(1_000_003, Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
    const found: Uint8Array[] = [];
    const decoder = new FrameDecoder();
    for (const chunk of cut(wire(FRAME_KIND.data, payload), [16_384, 1, 70_000])) decoder.push(chunk, (_kind, body) => found.push(body));
    expect(found).to.have.length(1);
    expect(Buffer.compare(found[0] ?? new Uint8Array(), payload)).to.equal(0);
  });

  it("are copies: they survive the buffer they came in", () => {
    const chunk = wire(FRAME_KIND.data, Uint8Array.of(1, 2, 3));
    const found: Uint8Array[] = [];
    new FrameDecoder().push(chunk, (_kind, payload) => found.push(payload));
    chunk.fill(0);
    expect([...(found[0] ?? [])]).to.deep.equal([1, 2, 3]);
  });

  it("are refused by their length alone when they are empty or too long", () => {
    const decoder = new FrameDecoder(100);
    for (const length of [0, 101, 0x7f_ff_ff_ff, 0x80_00_00_00, 0xff_ff_ff_ff]) {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(length);
      expect(refusal(new FrameDecoder(100), header), String(length)).to.equal("TRANSPORT_FRAME_INVALID");
    }
    expect(decode(decoder, [wire(1, new Uint8Array(99))])).to.have.length(1);
  });

  it("may be exactly as long as the limit", () => {
    const found: number[] = [];
    new FrameDecoder().push(wire(FRAME_KIND.data, new Uint8Array(LIMITS.frameBytesMax)), (_kind, payload) => found.push(payload.length));
    expect(found).to.deep.equal([LIMITS.frameBytesMax]);
    expect(FRAME_BODY_BYTES_MAX).to.equal(LIMITS.frameBytesMax + 1);
  });

  it("reserve no memory for a length that is only announced", () => {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(FRAME_BODY_BYTES_MAX);
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 64 }, () => new FrameDecoder());
    for (const decoder of decoders) decoder.push(header, () => expect.fail("no frame is complete"));
    // 64 announced frames of 8 MiB would be half a gigabyte.
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(16 * 1024 * 1024);
  });

  it("never throw anything but the refusal of a frame, for any bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
        const decoder = new FrameDecoder(1_000);
        try {
          for (const chunk of chunks) decoder.push(chunk, (_kind, payload) => expect(payload.length).to.be.below(1_000));
        } catch (error) {
          expect(errorCode(error)).to.equal("TRANSPORT_FRAME_INVALID");
        }
      }),
    );
  });
});

function refusal(decoder: FrameDecoder, bytes: Uint8Array): string {
  try {
    decoder.push(bytes, () => {});
    return "accepted";
  } catch (error) {
    return errorCode(error);
  }
}
