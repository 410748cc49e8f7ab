import { expect } from "chai";
import { type PublicKey, type SignatureClaim, toBase64Url } from "#base";
import { createNodeSigner, createVerifier, type Ed25519, type KeyPair, loadSodium, type Sodium } from "#crypto";

/** libsodium that counts how often it is asked. */
function counting(sodium: Sodium): { readonly ed25519: Ed25519; asked: number } {
  const counter = { asked: 0 };
  const ed25519: Ed25519 = {
    ...sodium,
    verify(publicKey, message, signature) {
      counter.asked += 1;
      return sodium.verify(publicKey, message, signature);
    },
  };
  return Object.assign(counter, { ed25519 });
}

describe("the verifier", () => {
  let sodium: Sodium;
  before(async () => {
    sodium = await loadSodium();
  });

  const claim = (text: string): SignatureClaim => {
    const { publicKey, secretKey } = sodium.generateKeyPair(new Uint8Array(32).fill(1));
    const message = Buffer.from(text);
    return { publicKey, message, signature: sodium.sign(secretKey, message) };
  };

  it("answers within the call, in the order of the claims", () => {
    const good = claim("good");
    const answers: (readonly boolean[])[] = [];
    createVerifier(sodium).verify([good, { ...good, message: Buffer.from("bad") }, good], (verdicts) => answers.push(verdicts));
    expect(answers).to.deep.equal([[true, false, true]]);
  });

  it("verifies the signature of a batch once, however many commands it covers", () => {
    const counter = counting(sodium);
    const verifier = createVerifier(counter.ed25519);
    const claims = Array.from({ length: 16 }, () => claim("the root of sixteen commands"));
    verifier.verify(claims, (verdicts) => expect(verdicts.every(Boolean)).to.equal(true));
    verifier.verify(claims, (verdicts) => expect(verdicts.every(Boolean)).to.equal(true));
    expect(counter.asked).to.equal(1);
  });

  it("takes no other key, message or signature for the one that it remembers", () => {
    const verifier = createVerifier(sodium);
    const good = claim("remembered");
    verifier.verify([good], ([verdict]) => expect(verdict).to.equal(true));
    const flipped = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, index) => (index === 5 ? byte ^ 1 : byte));
    // The same bytes cut at another place would join to the same string.
    const shifted = {
      ...good,
      signature: good.signature.subarray(0, 63),
      message: Buffer.concat([good.signature.subarray(63), good.message]),
    };
    const wrong = [
      { ...good, publicKey: flipped(good.publicKey) },
      { ...good, message: flipped(good.message) },
      { ...good, signature: flipped(good.signature) },
      shifted,
    ];
    verifier.verify(wrong, (verdicts) => expect(verdicts).to.deep.equal([false, false, false, false]));
  });

  it("takes no bytes for verified that were written over what it verified last", () => {
    const verifier = createVerifier(sodium);
    const good = claim("overwritten");
    const message = Uint8Array.from(good.message);
    verifier.verify([{ ...good, message }], ([verdict]) => expect(verdict).to.equal(true));
    message[3] = 0;
    verifier.verify([{ ...good, message }, good], (verdicts) => expect(verdicts).to.deep.equal([false, true]));
  });

  it("remembers no forged signature, and forgets the one unused for longest", () => {
    const counter = counting(sodium);
    const verifier = createVerifier(counter.ed25519, { remembered: 2 });
    const ask = (claims: readonly SignatureClaim[]): number => {
      const before = counter.asked;
      verifier.verify(claims, () => undefined);
      return counter.asked - before;
    };
    const [one, two, three] = [claim("1"), claim("2"), claim("3")];
    const forged = { ...one, message: Buffer.from("forged") };
    expect(ask([one, two])).to.equal(2);
    expect(ask([forged, forged, forged])).to.equal(3);
    expect(ask([one, two])).to.equal(0);
    expect(ask([one, three])).to.equal(1);
    expect(ask([one])).to.equal(0);
    expect(ask([two])).to.equal(1);
  });

  it("finds what a node's signer signed under the key of the role, and no other", () => {
    const roles = ["vote", "log", "witness", "gateway"] as const;
    const pair = (): KeyPair => sodium.generateKeyPair();
    const pairs = { vote: pair(), log: pair(), witness: pair(), gateway: pair() };
    const renewed = pair();
    const renewedKey = toBase64Url(renewed.publicKey) as PublicKey;
    const signer = createNodeSigner(sodium, pairs, (role, key) => (role === "log" && key === renewedKey ? renewed : undefined));
    for (const role of roles) {
      signer.sign(role, Buffer.from(role), (signature) => {
        const holders = roles.filter((other) => sodium.verify(pairs[other].publicKey, Buffer.from(role), signature));
        expect(holders).to.deep.equal([role]);
      });
      expect(signer.holds(role, toBase64Url(pairs[role].publicKey) as PublicKey)).to.equal(true);
      expect(signer.holds(role, renewedKey)).to.equal(role === "log");
    }
    const bytes = Buffer.from("x");
    const signed = (signature: Uint8Array): unknown => expect(sodium.verify(renewed.publicKey, bytes, signature)).to.equal(true);
    signer.sign("log", bytes, signed, renewedKey);
  });
});
