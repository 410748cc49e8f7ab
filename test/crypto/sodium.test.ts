import { expect } from "chai";
import fc from "fast-check";
import type { SignatureClaim } from "#base";
import { loadSodium, nodeHasher, openSecret, type Sodium, sealSecret } from "#crypto";
import { expectCode, expectCodeLater } from "../refusals.ts";
import { needVectors, readVectors } from "../vectors.ts";
import { edgeCases, type SignatureSuite, type SpecCase, smallOrderEncodings } from "./edge-cases.ts";

interface AgreementSuite {
  readonly testGroups: readonly {
    readonly tests: readonly {
      readonly public: string;
      readonly private: string;
      readonly shared: string;
      readonly flags: readonly string[];
    }[];
  }[];
}

/** Verdicts of libsodium 1.0.22, frozen: another verdict in a later release would split clusters that run both. */
const SPECCHECK_VERDICTS = "000100000000";
const EDGE_CASE_VERDICTS = "64aa97753a177c3c5b37681838018bebd40d5911e5e05f6a140e210ed9bf5648";

const fromHex = (text: string): Uint8Array => Buffer.from(text, "hex");
const verdicts = (sodium: Sodium, claims: readonly SignatureClaim[]): string =>
  claims.map(({ publicKey, message, signature }) => (sodium.verify(publicKey, message, signature) ? "1" : "0")).join("");

describe("libsodium", () => {
  let native: Sodium;
  let wrappers: Sodium;
  let both: readonly Sodium[];

  before(async () => {
    native = await loadSodium("sodium-native");
    wrappers = await loadSodium("libsodium-wrappers");
    both = [native, wrappers];
  });

  it("is sodium-native where that is installed", async () => {
    expect((await loadSodium()).backend).to.equal("sodium-native");
    expect(wrappers.backend).to.equal("libsodium-wrappers");
  });

  describe("Ed25519", () => {
    it("gives Wycheproof's verdicts with both builds", function () {
      const suite = readVectors<SignatureSuite>(needVectors(this, "wycheproof"), "ed25519_test.json");
      const tests = suite.testGroups.flatMap(({ publicKey, tests }) => tests.map((test) => ({ ...test, pk: publicKey.pk })));
      expect(tests.length).to.be.greaterThan(140);
      for (const sodium of both) {
        for (const { pk, msg, sig, result, tcId } of tests) {
          expect(sodium.verify(fromHex(pk), fromHex(msg), fromHex(sig)), String(tcId)).to.equal(result === "valid");
        }
      }
    });

    it("gives the frozen verdicts on ed25519-speccheck with both builds", function () {
      const cases = readVectors<readonly SpecCase[]>(needVectors(this, "ed25519-speccheck"), "cases.json");
      const claims = cases.map((item) => ({
        publicKey: fromHex(item.pub_key),
        message: fromHex(item.message),
        signature: fromHex(item.signature),
      }));
      for (const sodium of both) expect(verdicts(sodium, claims)).to.equal(SPECCHECK_VERDICTS);
    });

    it("gives the frozen verdicts on points of small and mixed order and scalars out of range with both builds", () => {
      const claims = edgeCases();
      expect(claims.length).to.equal(780);
      for (const sodium of both)
        expect(Buffer.from(nodeHasher.sha256(Buffer.from(verdicts(sodium, claims)))).toString("hex")).to.equal(EDGE_CASE_VERDICTS);
    });

    it("signs the same bytes with both builds, and each verifies them", () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 300 }), (seed, message) => {
          const [left, right] = [native.generateKeyPair(seed), wrappers.generateKeyPair(seed)];
          expect(Buffer.from(left.secretKey).equals(right.secretKey)).to.equal(true);
          const [one, other] = [native.sign(left.secretKey, message), wrappers.sign(right.secretKey, message)];
          expect(Buffer.from(one).equals(other)).to.equal(true);
          for (const sodium of both) expect(sodium.verify(left.publicKey, message, one)).to.equal(true);
        }),
        { numRuns: 50 },
      );
    });

    it("refuses a signature with any single bit flipped, with both builds", () => {
      const { publicKey, secretKey } = native.generateKeyPair(new Uint8Array(32).fill(7));
      const message = Buffer.from("one message");
      const signature = native.sign(secretKey, message);
      for (let bit = 0; bit < 512; bit++) {
        const altered = Uint8Array.from(signature);
        altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        for (const sodium of both) expect(sodium.verify(publicKey, message, altered)).to.equal(false);
      }
    });

    it("answers false, never an error, for keys and signatures of other lengths", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 70 }), (publicKey, signature) => {
          for (const sodium of both) expect(sodium.verify(publicKey, new Uint8Array(0), signature)).to.equal(false);
        }),
      );
    });

    it("refuses seeds and secret keys of other lengths", () => {
      for (const sodium of both) {
        expectCode("CRYPTO_LENGTH_INVALID", () => sodium.generateKeyPair(new Uint8Array(31)));
        expectCode("CRYPTO_LENGTH_INVALID", () => sodium.sign(new Uint8Array(32), new Uint8Array(1)));
      }
    });

    it("wipes a secret", () => {
      for (const sodium of both) {
        const { secretKey } = sodium.generateKeyPair();
        expect(secretKey.some((byte) => byte !== 0)).to.equal(true);
        sodium.memzero(secretKey);
        expect(secretKey.every((byte) => byte === 0)).to.equal(true);
      }
    });
  });

  describe("X25519", () => {
    it("gives Wycheproof's shared points with both builds and refuses what would be zero", function () {
      const suite = readVectors<AgreementSuite>(needVectors(this, "wycheproof"), "x25519_test.json");
      for (const test of suite.testGroups.flatMap((group) => group.tests)) {
        for (const sodium of both) {
          const run = (): Uint8Array => sodium.agree(fromHex(test.private), fromHex(test.public));
          if (test.flags.includes("ZeroSharedSecret")) expectCode("CRYPTO_KEY_REJECTED", run);
          else expect(Buffer.from(run()).toString("hex")).to.equal(test.shared);
        }
      }
    });

    it("gives both sides the same point", () => {
      const [alice, bob] = [native.generateAgreementKeyPair(), wrappers.generateAgreementKeyPair()];
      const shared = native.agree(alice.secretKey, bob.publicKey);
      expect(Buffer.from(shared).equals(wrappers.agree(bob.secretKey, alice.publicKey))).to.equal(true);
    });
  });

  describe("XSalsa20-Poly1305", () => {
    const key = new Uint8Array(32).fill(1);
    const nonce = new Uint8Array(24).fill(2);

    it("seals the same bytes with both builds, each opens the other's, and one altered bit is refused", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (message, flip) => {
          const [one, other] = [native.secretBox({ key, nonce, message }), wrappers.secretBox({ key, nonce, message })];
          expect(Buffer.from(one).equals(other)).to.equal(true);
          const altered = Uint8Array.from(one);
          const at = flip % altered.length;
          altered[at] = (altered[at] ?? 0) ^ 1;
          for (const sodium of both) {
            expect(Buffer.from(sodium.openSecretBox({ key, nonce, ciphertext: one })).equals(message)).to.equal(true);
            expectCode("CRYPTO_DECRYPTION_FAILED", () => sodium.openSecretBox({ key, nonce, ciphertext: altered }));
          }
        }),
      );
    });

    it("refuses ciphertexts that are too short, and keys and nonces of other lengths", () => {
      for (const sodium of both) {
        for (let length = 0; length < 16; length++) {
          expectCode("CRYPTO_DECRYPTION_FAILED", () => sodium.openSecretBox({ key, nonce, ciphertext: new Uint8Array(length) }));
        }
        expectCode("CRYPTO_LENGTH_INVALID", () => sodium.secretBox({ key: key.subarray(1), nonce, message: key }));
        expectCode("CRYPTO_LENGTH_INVALID", () => sodium.secretBox({ key, nonce: nonce.subarray(1), message: key }));
        expectCode("CRYPTO_LENGTH_INVALID", () => openSecret(sodium, key, new Uint8Array(23)));
      }
    });

    it("draws a fresh nonce for each secret that it seals", () => {
      const message = Buffer.from("the same message");
      const [one, other] = [sealSecret(native, key, message), sealSecret(native, key, message)];
      expect(Buffer.from(one).equals(other)).to.equal(false);
      expect(Buffer.from(openSecret(wrappers, key, one)).equals(message)).to.equal(true);
    });

    it("boxes between two keys, and refuses a public key of small order", () => {
      const [alice, bob] = [native.generateAgreementKeyPair(), native.generateAgreementKeyPair()];
      const message = Buffer.from("for bob");
      const boxed = both.map((sodium) => sodium.box({ secretKey: alice.secretKey, publicKey: bob.publicKey, nonce, message }));
      for (const ciphertext of boxed) {
        for (const sodium of both) {
          expect(
            Buffer.from(sodium.openBox({ secretKey: bob.secretKey, publicKey: alice.publicKey, nonce, ciphertext })).equals(message),
          ).to.equal(true);
          expectCode("CRYPTO_DECRYPTION_FAILED", () =>
            sodium.openBox({ secretKey: alice.secretKey, publicKey: alice.publicKey, nonce, ciphertext }),
          );
        }
      }
      for (const sodium of both) {
        expectCode("CRYPTO_KEY_REJECTED", () => sodium.box({ secretKey: alice.secretKey, publicKey: new Uint8Array(32), nonce, message }));
      }
    });
  });

  describe("Argon2id", () => {
    const options = {
      password: Buffer.from("correct horse"),
      salt: new Uint8Array(16).fill(3),
      operations: 2,
      memoryBytes: 262_144,
      length: 32,
    };

    it("derives the same key with both builds, and another one for another salt", async () => {
      const [one, other] = [await native.argon2id(options), await wrappers.argon2id(options)];
      expect(Buffer.from(one).equals(other)).to.equal(true);
      const salted = await native.argon2id({ ...options, salt: new Uint8Array(16) });
      expect(Buffer.from(one).equals(salted)).to.equal(false);
    });

    it("refuses costs and lengths out of bounds", async () => {
      for (const sodium of both) {
        for (const wrong of [
          { memoryBytes: 2 ** 31 },
          { memoryBytes: 8_193 },
          { operations: 0 },
          { length: 15 },
          { salt: new Uint8Array(15) },
        ]) {
          await expectCodeLater("CRYPTO_LENGTH_INVALID", () => sodium.argon2id({ ...options, ...wrong }));
        }
      }
    });
  });

  it("knows fourteen encodings and more of points of small order", () => {
    expect(new Set(smallOrderEncodings().map((point) => Buffer.from(point).toString("hex"))).size).to.be.greaterThan(13);
  });
});
