import { ed25519 } from "@noble/curves/ed25519.js";
import { expect } from "chai";
import { verifyEd25519 } from "#audit";
import type { SignatureClaim } from "#base";
import { edgeCases, type SignatureSuite, type SpecCase } from "../crypto/edge-cases.ts";
import { needVectors, readVectors } from "../vectors.ts";
import { sodium } from "./log-kit.ts";

const fromHex = (text: string): Uint8Array => Buffer.from(text, "hex");

/** Asserts that both predicates give one verdict, and returns it. */
function agreedVerdict({ publicKey, message, signature }: SignatureClaim, label: string): boolean {
  const verdict = verifyEd25519(publicKey, message, signature);
  expect(verdict, label).to.equal(sodium.verify(publicKey, message, signature));
  return verdict;
}

describe("the verifier's Ed25519", () => {
  it("gives the verdicts of Wycheproof, and libsodium's on each", function () {
    const suite = readVectors<SignatureSuite>(needVectors(this, "wycheproof"), "ed25519_test.json");
    for (const { publicKey, tests } of suite.testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        const claim = { publicKey: fromHex(publicKey.pk), message: fromHex(msg), signature: fromHex(sig) };
        expect(agreedVerdict(claim, `case ${tcId}`), `case ${tcId}`).to.equal(result === "valid");
      }
    }
  });

  it("gives libsodium's verdicts on the speccheck cases", function () {
    const cases = readVectors<SpecCase[]>(needVectors(this, "ed25519-speccheck"), "cases.json");
    const verdicts = cases.map((item, index) =>
      agreedVerdict(
        { publicKey: fromHex(item.pub_key), message: fromHex(item.message), signature: fromHex(item.signature) },
        `case ${index}`,
      ),
    );
    expect(verdicts.map(Number).join("")).to.equal("000100000000");
  });

  it("gives libsodium's verdicts on small-order, mixed-order and non-canonical points and scalars", () => {
    const cases = edgeCases();
    expect(cases.length).to.be.greaterThan(500);
    const valid = cases.filter((claim, index) => agreedVerdict(claim, `edge case ${index}`));
    expect(valid.length).to.be.greaterThan(8);
    // Where the plain library differs, this one must not follow it.
    const differing = cases.filter(({ publicKey, message, signature }, index) => {
      if (publicKey.length !== 32 || signature.length !== 64) return false;
      return ed25519.verify(signature, message, publicKey) !== agreedVerdict({ publicKey, message, signature }, `edge case ${index}`);
    });
    expect(differing.length).to.be.greaterThan(50);
  });
});
