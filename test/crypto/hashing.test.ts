import { createHash, createHmac } from "node:crypto";
import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import { sha3_256, sha3_512, shake128, shake256 } from "@noble/hashes/sha3.js";
import { expect } from "chai";
import fc from "fast-check";
import { hashOf, portableHasher } from "#base";
import { type HashAlgorithm, HashingUtils, nodeHasher } from "#crypto";
import { expectCode } from "../refusals.ts";
import { needVectors, readVectors } from "../vectors.ts";

interface MacSuite {
  readonly testGroups: readonly {
    readonly tagSize: number;
    readonly tests: readonly {
      readonly tcId: number;
      readonly key: string;
      readonly msg: string;
      readonly tag: string;
      readonly result: string;
    }[];
  }[];
}

const bytes = fc.uint8Array({ maxLength: 400 });
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");

describe("HashingUtils", () => {
  it("gives the published answers for the text abc", () => {
    expect(HashingUtils.hash("abc")).to.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(HashingUtils.hash("abc", "sha3-256")).to.equal("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    expect(HashingUtils.hash("abc", "sha3-512")).to.equal(
      "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
    );
    expect(HashingUtils.hash("abc", "blake2b")).to.equal(
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
    );
    // FIPS 202, of the empty message.
    expect(HashingUtils.hash("", "shake128")).to.equal("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26");
    expect(HashingUtils.hash("", "shake256", { outputLength: 32 })).to.equal(
      "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f",
    );
    // RFC 7693 has no shorter one; this is libsodium's and Python's of 32 bytes.
    expect(HashingUtils.hash("abc", "blake2b", { outputLength: 32 })).to.equal(
      "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
    );
  });

  it("agrees with other implementations on any bytes", () => {
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 300 }), (data, length) => {
        expect(HashingUtils.hash(data)).to.equal(createHash("sha256").update(data).digest("hex"));
        expect(HashingUtils.hash(data, "sha3-256")).to.equal(hex(sha3_256(data)));
        expect(HashingUtils.hash(data, "sha3-512")).to.equal(hex(sha3_512(data)));
        expect(HashingUtils.hash(data, "shake128", { outputLength: length })).to.equal(hex(shake128(data, { dkLen: length })));
        expect(HashingUtils.hash(data, "shake256", { outputLength: length })).to.equal(hex(shake256(data, { dkLen: length })));
        expect(HashingUtils.hash(data, "blake2b")).to.equal(createHash("blake2b512").update(data).digest("hex"));
        expect(hex(nodeHasher.sha256(data))).to.equal(hex(portableHasher.sha256(data)));
        expect(hashOf(nodeHasher, data)).to.equal(hashOf(portableHasher, data));
      }),
    );
  });

  it("takes a text as its UTF-8 and refuses a lone surrogate", () => {
    expect(HashingUtils.hash("grüezi €")).to.equal(HashingUtils.hash(Buffer.from("grüezi €", "utf8")));
    expectCode("FORMAT_NOT_CANONICAL", () => HashingUtils.hash("\ud800"));
  });

  it("computes HMAC with the block size of each function", () => {
    fc.assert(
      fc.property(bytes, fc.uint8Array({ minLength: 1, maxLength: 300 }), (data, key) => {
        expect(HashingUtils.hmac(data, key)).to.equal(createHmac("sha256", key).update(data).digest("hex"));
        expect(HashingUtils.hmac(data, key, "sha3-256")).to.equal(hex(nobleHmac(sha3_256, key, data)));
        expect(HashingUtils.hmac(data, key, "sha3-512")).to.equal(hex(nobleHmac(sha3_512, key, data)));
        expect(HashingUtils.hmac(data, key, "blake2b")).to.equal(createHmac("blake2b512", key).update(data).digest("hex"));
      }),
    );
    // RFC 4231, test case 2.
    expect(HashingUtils.hmac("what do ya want for nothing?", "Jefe")).to.equal(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
  });

  it("agrees with Wycheproof on HMAC-SHA-256", function () {
    const suite = readVectors<MacSuite>(needVectors(this, "wycheproof"), "hmac_sha256_test.json");
    for (const { tagSize, tests } of suite.testGroups) {
      for (const test of tests) {
        const tag = HashingUtils.hmac(Buffer.from(test.msg, "hex"), Buffer.from(test.key, "hex")).slice(0, tagSize / 4);
        expect(HashingUtils.compare(tag, test.tag), String(test.tcId)).to.equal(test.result === "valid");
      }
    }
  });

  it("refuses HMAC over SHAKE, and an empty key", () => {
    expectCode("CRYPTO_ALGORITHM_UNKNOWN", () => HashingUtils.hmac("a", "k", "shake128" as never));
    expectCode("CRYPTO_LENGTH_INVALID", () => HashingUtils.hmac("a", ""));
  });

  it("refuses unknown algorithms, those that every object inherits included", () => {
    for (const name of ["md5", "SHA256", "constructor", "__proto__", "toString", ""]) {
      expectCode("CRYPTO_ALGORITHM_UNKNOWN", () => HashingUtils.hash("a", name as HashAlgorithm));
      expectCode("CRYPTO_ALGORITHM_UNKNOWN", () => HashingUtils.hmac("a", "k", name as never));
      expectCode("CRYPTO_ALGORITHM_UNKNOWN", () => HashingUtils.verify("a", "", name as HashAlgorithm));
    }
  });

  it("refuses lengths that the function does not have", () => {
    for (const outputLength of [0, -1, 1.5, Number.NaN, 65_537, Number.POSITIVE_INFINITY]) {
      for (const algorithm of ["sha256", "sha3-512", "shake128", "shake256", "blake2b"] as const) {
        expectCode("CRYPTO_LENGTH_INVALID", () => HashingUtils.hash("a", algorithm, { outputLength }));
      }
    }
    expectCode("CRYPTO_LENGTH_INVALID", () => HashingUtils.hash("a", "sha256", { outputLength: 16 }));
    expectCode("CRYPTO_LENGTH_INVALID", () => HashingUtils.hash("a", "blake2b", { outputLength: 65 }));
  });

  it("verifies a stored hash and refuses it cut, altered or of another function", () => {
    for (const algorithm of ["sha256", "sha3-256", "sha3-512", "shake128", "shake256", "blake2b"] as const) {
      const stored = HashingUtils.hash("data", algorithm);
      expect(HashingUtils.verify("data", stored, algorithm)).to.equal(true);
      expect(HashingUtils.verify("Data", stored, algorithm)).to.equal(false);
      expect(HashingUtils.verify("data", stored.slice(0, 2), algorithm)).to.equal(false);
      expect(HashingUtils.verify("data", stored.toUpperCase(), algorithm)).to.equal(false);
    }
    const short = HashingUtils.hash("data", "shake256", { outputLength: 16 });
    expect(HashingUtils.verify("data", short, "shake256")).to.equal(false);
    expect(HashingUtils.verify("data", short, "shake256", { outputLength: 16 })).to.equal(true);
  });

  it("compares texts and bytes, of different lengths too", () => {
    expect(HashingUtils.compare("ab", Uint8Array.of(0x61, 0x62))).to.equal(true);
    expect(HashingUtils.compare("ab", "abc")).to.equal(false);
    expect(HashingUtils.compare("", "")).to.equal(true);
    fc.assert(fc.property(bytes, bytes, (left, right) => HashingUtils.compare(left, right) === Buffer.from(left).equals(right)));
  });
});
