import { expect } from "chai";
import {
  decodeSignedCommand,
  encodeSignedCommand,
  hashLeaf,
  LIMITS,
  merkleRoot,
  parseSubjectId,
  type SignedCommand,
  signatureClaim,
  ZERO_HASH,
} from "#base";
import { type CommandFields, createSigner, loadSodium, nodeHasher, type Signer, type Sodium, signCommand, signCommandBatch } from "#crypto";
import { codeThrownBy, expectCodeLater } from "../refusals.ts";

const fields = (text: string): CommandFields => ({
  cluster: ZERO_HASH,
  kind: "grant.create",
  issuer: parseSubjectId("operator-1"),
  issuedAtUs: 1_000_000,
  expiresAtUs: 2_000_000,
  body: { text },
});

describe("signing commands", () => {
  let sodium: Sodium;
  let signer: Signer;
  before(async () => {
    sodium = await loadSodium();
    signer = createSigner(sodium, sodium.generateKeyPair());
  });

  const verifies = (signed: SignedCommand): boolean => {
    const claim = signatureClaim(nodeHasher, signed);
    return sodium.verify(claim.publicKey, claim.message, claim.signature);
  };

  it("signs one command so that its claim verifies, with an id of its own", async () => {
    const [one, other] = [await signCommand(signer, fields("a")), await signCommand(signer, fields("a"))];
    expect([verifies(one), verifies(other)]).to.deep.equal([true, true]);
    expect(one.command.id).to.not.equal(other.command.id);
    expect(one.command.key).to.equal(signer.publicKey);
  });

  it("waits for a signer that takes its time", async () => {
    const slow: Signer = { publicKey: signer.publicKey, sign: async (message) => signer.sign(message) };
    expect(verifies(await signCommand(slow, fields("a")))).to.equal(true);
  });

  it("signs batches of 1 to 33 commands with one signature, each provable alone", async () => {
    for (let size = 1; size <= 33; size++) {
      const batch = await signCommandBatch(
        signer,
        Array.from({ length: size }, (_, index) => fields(`command ${index}`)),
      );
      expect(batch.length).to.equal(size);
      expect(batch.every(verifies)).to.equal(true);
      expect(new Set(batch.map(({ signature }) => Buffer.from(signature).toString("hex"))).size).to.equal(1);
      const claims = new Set(batch.map((signed) => Buffer.from(signatureClaim(nodeHasher, signed).message).toString("hex")));
      expect(claims.size).to.equal(1);
    }
  });

  it("takes no command into a batch that its tree does not hold", async () => {
    const [first, second] = await signCommandBatch(signer, [fields("a"), fields("b")]);
    const [foreign] = await signCommandBatch(signer, [fields("c"), fields("d")]);
    if (first === undefined || second === undefined || foreign === undefined) throw new Error("a batch is missing");
    expect(verifies({ ...foreign, signature: first.signature })).to.equal(false);
    if (second.batch === undefined) throw new Error("the position is missing");
    expect(verifies({ ...first, batch: second.batch })).to.equal(false);
    const { batch: _, ...alone } = first;
    expect(verifies(alone)).to.equal(false);
  });

  it("makes a signed command of which no altered byte passes", async () => {
    const [, signed] = await signCommandBatch(signer, [fields("a"), fields("b"), fields("c")]);
    if (signed === undefined) throw new Error("the batch is too small");
    const encoded = encodeSignedCommand(signed);
    for (let at = 0; at < encoded.length; at++) {
      const altered = Uint8Array.from(encoded);
      altered[at] = (altered[at] ?? 0) ^ 1;
      const accepted = codeThrownBy(() => {
        if (!verifies(decodeSignedCommand(nodeHasher, altered))) throw new Error("refused");
      });
      expect(accepted, `byte ${at}`).to.not.equal("nothing was thrown");
    }
  });

  it("refuses an empty batch and one that is too large", async () => {
    await expectCodeLater("FORMAT_SHAPE_INVALID", () => signCommandBatch(signer, []));
    await expectCodeLater("FORMAT_TOO_LARGE", () =>
      signCommandBatch(signer, new Array<CommandFields>(2 ** LIMITS.batchPathMax + 1).fill(fields("a"))),
    );
  });

  it("signs over the tree of RFC 6962", async () => {
    const batch = await signCommandBatch(signer, [fields("a"), fields("b"), fields("c")]);
    const root = merkleRoot(
      nodeHasher,
      batch.map(({ bytes }) => hashLeaf(nodeHasher, bytes)),
    );
    const [first] = batch;
    const message = first === undefined ? new Uint8Array(0) : signatureClaim(nodeHasher, first).message;
    expect(Buffer.from(message).includes(Buffer.from(root))).to.equal(true);
  });
});
