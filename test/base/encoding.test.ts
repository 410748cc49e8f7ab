import { expect } from "chai";
import fc from "fast-check";
import {
  ByteReader,
  ByteWriter,
  concatBytes,
  decodePortable,
  decodeUtf8,
  encodeUtf8,
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  isWellFormed,
  toBase64,
  toBase64Url,
  toHash,
  toHex,
  u64be,
  utf8Length,
} from "#base";
import { codeThrownBy, expectCode } from "../refusals.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
/** Any UTF-16, lone surrogates included. */
const utf16 = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd7f0, max: 0xe010 })), { maxLength: 40 })
  .map((units) => String.fromCharCode(...units));
const same = (left: Uint8Array, right: Uint8Array): void => {
  expect(Buffer.from(left).equals(right)).to.equal(true);
};

describe("UTF-8", () => {
  it("is encoded as TextEncoder does, and lone surrogates are refused", () => {
    fc.assert(
      fc.property(utf16, (text) => {
        if (isWellFormed(text)) same(encodeUtf8(text), new TextEncoder().encode(text));
        else expectCode("FORMAT_NOT_CANONICAL", () => encodeUtf8(text));
        expect(isWellFormed(text)).to.equal(Buffer.from(text, "utf8").toString("utf8") === text);
      }),
      { numRuns: 1_000 },
    );
  });

  it("has the length that is announced", () => {
    fc.assert(
      fc.property(utf16, (text) => utf8Length(text) === Buffer.byteLength(text)),
      { numRuns: 1_000 },
    );
  });

  it("is decoded as a fatal TextDecoder does, and refused where that refuses", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const nearUtf8 = fc.array(
      fc.oneof(
        fc.constantFrom(0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
        fc.nat(255),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          nearUtf8.map((list) => Uint8Array.from(list)),
          bytes,
          utf16.map((text) => new TextEncoder().encode(text)),
        ),
        (input) => {
          let expected: string | undefined;
          try {
            expected = decoder.decode(input);
          } catch {
            expected = undefined;
          }
          for (const decode of [decodeUtf8, decodePortable]) {
            if (expected === undefined) expectCode("FORMAT_UTF8_INVALID", () => decode(input));
            else expect(decode(input)).to.equal(expected);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("is decoded in any length", () => {
    const text = "aé€😀".repeat(20_000);
    for (const decode of [decodeUtf8, decodePortable]) expect(decode(encodeUtf8(text))).to.equal(text);
  });
});

describe("hexadecimal, base64 and base64url", () => {
  it("are written as Node writes them, and read back", () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(toHex(data)).to.equal(Buffer.from(data).toString("hex"));
        expect(toBase64(data)).to.equal(Buffer.from(data).toString("base64"));
        expect(toBase64Url(data)).to.equal(Buffer.from(data).toString("base64url"));
        same(fromHex(toHex(data)), data);
        same(fromBase64(toBase64(data)), data);
        same(fromBase64Url(toBase64Url(data)), data);
      }),
    );
  });

  it("are read only as they would have been written", () => {
    const nearly = fc.array(fc.constantFrom(..."AQgwBCabf019+/-_= \n\u00e9".split("")), { maxLength: 12 }).map((list) => list.join(""));
    const check = (text: string, read: (text: string) => Uint8Array, write: (data: Uint8Array) => string): void => {
      const code = codeThrownBy(() => read(text));
      if (code === "nothing was thrown") expect(write(read(text))).to.equal(text);
      else expect(code).to.equal("FORMAT_ENCODING_INVALID");
    };
    fc.assert(
      fc.property(nearly, (text) => {
        check(text, fromHex, toHex);
        check(text, fromBase64, toBase64);
        check(text, fromBase64Url, toBase64Url);
      }),
      { numRuns: 5_000 },
    );
  });

  it("refuse padding, spare bits, other alphabets and capitals where these do not belong", () => {
    for (const text of ["A", "AB", "AAB", "AA==", "AA+/", "AA AA", "AAAA\n", "ÀAAA"])
      expectCode("FORMAT_ENCODING_INVALID", () => fromBase64Url(text));
    for (const text of ["AA", "AA=", "AB==", "AAB=", "====", "A===", "AA==AA==", "AA-_", " AAA"])
      expectCode("FORMAT_ENCODING_INVALID", () => fromBase64(text));
    for (const text of ["a", "AA", "0x", "0g", " 00", "00\n"]) expectCode("FORMAT_ENCODING_INVALID", () => fromHex(text));
  });
});

describe("bytes", () => {
  it("are joined and compared as Buffers are", () => {
    fc.assert(
      fc.property(bytes, bytes, (left, right) => {
        same(concatBytes(left, right), Buffer.concat([left, right]));
        expect(equalBytes(left, right)).to.equal(Buffer.from(left).equals(right));
        expect(equalBytes(left, Uint8Array.from(left))).to.equal(true);
      }),
    );
  });

  it("become a hash only when there are 32", () => {
    expect(toHash(new Uint8Array(32))).to.equal("0".repeat(64));
    for (const length of [0, 31, 33, 64]) expectCode("FORMAT_HASH_INVALID", () => toHash(new Uint8Array(length)));
  });

  it("of a 64-bit integer are big-endian, and only for safe integers", () => {
    const expected = Buffer.alloc(8);
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expected.writeBigUInt64BE(BigInt(value));
        same(u64be(value), expected);
      }),
    );
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) expectCode("FORMAT_INTEGER_RANGE", () => u64be(value));
  });
});

describe("the byte writer and reader", () => {
  it("read what they wrote, to the last byte", () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.nat(65_535),
        fc.nat(0xffff_ffff),
        fc.maxSafeNat(),
        fc.maxSafeInteger(),
        bytes,
        fc.string({ unit: "binary" }),
        (u8, u16, u32, u64, i64, data, text) => {
          const written = new ByteWriter().u8(u8).u16(u16).u32(u32).u64(u64).i64(i64).bytes(data).text(text).raw(data).finish();
          const reader = new ByteReader(written);
          expect([reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.i64()]).to.deep.equal([u8, u16, u32, u64, i64]);
          same(reader.bytes(300), data);
          expect(reader.text(10_000)).to.equal(text);
          same(reader.raw(data.length), data);
          reader.end();
          expectCode("FORMAT_TRUNCATED", () => reader.u8());
        },
      ),
    );
  });

  it("refuse numbers that do not fit instead of cutting them", () => {
    const writes: readonly ((value: number) => unknown)[] = [
      (value) => new ByteWriter().u8(value),
      (value) => new ByteWriter().u16(value),
      (value) => new ByteWriter().u32(value),
      (value) => new ByteWriter().u64(value),
    ];
    for (const [index, write] of writes.entries()) {
      for (const value of [-1, 0.5, Number.NaN, 2 ** (8 * 2 ** index)]) expectCode("FORMAT_INTEGER_RANGE", () => write(value));
    }
    for (const value of [0.5, Number.NaN, 2 ** 53, -(2 ** 53)]) expectCode("FORMAT_INTEGER_RANGE", () => new ByteWriter().i64(value));
  });

  it("refuse cut bytes, trailing bytes, counts above their bound and integers that are not safe", () => {
    const written = new ByteWriter().bytes(new Uint8Array(40)).finish();
    for (let length = 0; length < written.length; length++)
      expectCode("FORMAT_TRUNCATED", () => new ByteReader(written.subarray(0, length)).bytes(40));
    expectCode("FORMAT_TOO_LARGE", () => new ByteReader(written).bytes(39));
    expectCode("FORMAT_TOO_LARGE", () => new ByteReader(Uint8Array.of(255, 255, 255, 255)).count(1_000));
    expectCode("FORMAT_NOT_CANONICAL", () => new ByteReader(written).end());
    expectCode("FORMAT_INTEGER_RANGE", () => new ByteReader(new Uint8Array(8).fill(255)).u64());
    expectCode("FORMAT_INTEGER_RANGE", () => new ByteReader(Uint8Array.of(128, 0, 0, 0, 0, 0, 0, 0)).i64());
    expectCode("FORMAT_UTF8_INVALID", () => new ByteReader(new ByteWriter().bytes(Uint8Array.of(255)).finish()).text(10));
  });

  it("never leave the bytes that they were given", () => {
    const large = new Uint8Array(64).fill(9);
    const reader = new ByteReader(large.subarray(10, 14));
    expect(reader.u32()).to.equal(0x09090909);
    expectCode("FORMAT_TRUNCATED", () => reader.raw(1));
    expectCode("FORMAT_INTEGER_RANGE", () => new ByteReader(large.subarray(10, 14)).raw(-1));
  });
});
