import { expect } from "chai";
import fc from "fast-check";
import {
  type BatchPosition,
  type CanonicalObject,
  type Command,
  decodeSignedCommand,
  encodeCanonical,
  encodeCommand,
  encodeSignedCommand,
  portableHasher as hasher,
  hashLeaf,
  LIMITS,
  merklePath,
  PURPOSES,
  parseCanonical,
  parseCommand,
  parseSubjectId,
  type SignedCommand,
  signatureClaim,
  signedBytes,
  signedCommandFromJson,
  signedCommandOf,
  signedCommandToJson,
  toBase64Url,
  ZERO_HASH,
} from "#base";
import { codeThrownBy, expectCode } from "../refusals.ts";
import { someKey } from "./members.ts";

const COMMAND: Command = {
  cluster: ZERO_HASH,
  kind: "authorize",
  id: toBase64Url(new Uint8Array(16).fill(5)),
  issuer: parseSubjectId("trading-service-001"),
  key: someKey(),
  issuedAtUs: 1_780_000_000_000_000,
  expiresAtUs: 1_780_000_060_000_000,
  body: { purpose: "Zürich €", amount: 5, nested: { list: [true, "x"] } },
};
const BYTES = encodeCommand(COMMAND);
const SIGNATURE = new Uint8Array(64).fill(9);

/** A command in a batch of the size, at the index. */
function inBatch(size: number, index: number): SignedCommand {
  const leaves = Array.from({ length: size }, (_, at) => hashLeaf(hasher, at === index ? BYTES : Uint8Array.of(at)));
  return signedCommandOf(hasher, { bytes: BYTES, signature: SIGNATURE, batch: { size, index, path: merklePath(hasher, leaves, index) } });
}

const ALONE = signedCommandOf(hasher, { bytes: BYTES, signature: SIGNATURE });
const message = (signed: SignedCommand): string => Buffer.from(signatureClaim(hasher, signed).message).toString("hex");

describe("a command", () => {
  it("is read back from its bytes", () => {
    expect(parseCommand(BYTES)).to.deep.equal(COMMAND);
    expect(ALONE.hash).to.equal(Buffer.from(hasher.sha256(BYTES)).toString("hex"));
  });

  it("is refused with a field missing, unknown, null or of another form", () => {
    const fields = parseCanonical(BYTES) as CanonicalObject;
    const read = (change: Record<string, unknown>): string =>
      codeThrownBy(() => parseCommand(encodeCanonical({ ...fields, ...change } as CanonicalObject)));
    for (const name of Object.keys(fields)) expect(read({ [name]: undefined }), name).to.equal("FORMAT_SHAPE_INVALID");
    expect(read({ extra: 1 })).to.equal("FORMAT_SHAPE_INVALID");
    for (const [name, value, code] of [
      ["v", 2, "FORMAT_SHAPE_INVALID"],
      ["v", "1", "FORMAT_SHAPE_INVALID"],
      ["cluster", "F".repeat(64), "FORMAT_HASH_INVALID"],
      ["kind", "x".repeat(65), "FORMAT_TOO_LARGE"],
      ["id", toBase64Url(new Uint8Array(15)), "FORMAT_ID_INVALID"],
      ["id", `${COMMAND.id}=`, "FORMAT_ENCODING_INVALID"],
      ["issuer", "../etc", "FORMAT_ID_INVALID"],
      ["key", `${COMMAND.key.slice(0, 42)}B`, "FORMAT_KEY_INVALID"],
      ["issuedAt", 5, "FORMAT_SHAPE_INVALID"],
      ["issuedAt", "05", "FORMAT_INTEGER_RANGE"],
      ["expiresAt", "9007199254740992", "FORMAT_INTEGER_RANGE"],
      ["body", [], "FORMAT_SHAPE_INVALID"],
      ["body", "x", "FORMAT_SHAPE_INVALID"],
    ] as const) {
      expect(read({ [name]: value }), `${name} ${String(value)}`).to.equal(code);
    }
    expectCode("FORMAT_TOO_LARGE", () => parseCommand(new Uint8Array(LIMITS.commandBytesMax + 1)));
  });
});

describe("a signed command", () => {
  it("is the same after the binary form and after the JSON form, alone and in every place of a batch", () => {
    const all = [
      ALONE,
      ...Array.from({ length: 9 }, (_, size) => size + 1).flatMap((size) =>
        Array.from({ length: size }, (_, index) => inBatch(size, index)),
      ),
    ];
    for (const signed of all) {
      const binary = encodeSignedCommand(signed);
      expect(encodeSignedCommand(decodeSignedCommand(hasher, binary))).to.deep.equal(binary);
      const json = JSON.parse(JSON.stringify(signedCommandToJson(signed)));
      expect(encodeSignedCommand(signedCommandFromJson(hasher, json))).to.deep.equal(binary);
      expect(message(decodeSignedCommand(hasher, binary))).to.equal(message(signed));
    }
  });

  it("asks for another signature, or is refused, after a change of any byte", () => {
    for (const signed of [ALONE, inBatch(1, 0), inBatch(3, 2), inBatch(5, 1), inBatch(7, 6)]) {
      const encoded = encodeSignedCommand(signed);
      const claim = signatureClaim(hasher, signed);
      for (let at = 0; at < encoded.length; at++) {
        for (const bit of [1, 0x80]) {
          const altered = Uint8Array.from(encoded);
          altered[at] = (altered[at] ?? 0) ^ bit;
          const code = codeThrownBy(() => {
            const other = signatureClaim(hasher, decodeSignedCommand(hasher, altered));
            const same = [
              [other.message, claim.message],
              [other.publicKey, claim.publicKey],
              [other.signature, claim.signature],
            ] as const;
            expect(
              same.every(([left, right]) => Buffer.from(left).equals(right)),
              `byte ${at}`,
            ).to.equal(false);
          });
          expect(code, `byte ${at}`).to.match(/^(nothing was thrown|FORMAT_|COMMAND_SIGNATURE_INVALID)/);
        }
      }
    }
  });

  it("is refused when cut, lengthened or with a batch flag of its own", () => {
    const encoded = encodeSignedCommand(inBatch(3, 1));
    for (let length = 0; length < encoded.length; length++) {
      expect(codeThrownBy(() => decodeSignedCommand(hasher, encoded.subarray(0, length)))).to.match(/^FORMAT_/);
    }
    expectCode("FORMAT_NOT_CANONICAL", () => decodeSignedCommand(hasher, Buffer.concat([encoded, Uint8Array.of(0)])));
    const flagged = encodeSignedCommand(ALONE);
    flagged[flagged.length - 1] = 2;
    expectCode("FORMAT_NOT_CANONICAL", () => decodeSignedCommand(hasher, flagged));
  });

  it("never crashes the reader, whatever the bytes or the JSON", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => /^FORMAT_/.test(codeThrownBy(() => decodeSignedCommand(hasher, bytes)))),
    );
    fc.assert(fc.property(fc.jsonValue(), (value) => /^FORMAT_/.test(codeThrownBy(() => signedCommandFromJson(hasher, value as never)))));
    expect(codeThrownBy(() => signedCommandFromJson(hasher, null))).to.equal("FORMAT_SHAPE_INVALID");
  });

  it("is refused as JSON with another kid, a signature of other length or positions out of range", () => {
    const json = signedCommandToJson(inBatch(3, 1));
    const signature = json["signature"] as CanonicalObject;
    const batch = signature["batch"] as CanonicalObject;
    const read = (change: CanonicalObject): string =>
      codeThrownBy(() => signedCommandFromJson(hasher, { ...json, signature: { ...signature, ...change } }));
    expect(read({})).to.equal("nothing was thrown");
    expect(read({ kid: someKey() })).to.equal("COMMAND_SIGNATURE_INVALID");
    expect(read({ val: toBase64Url(new Uint8Array(63)) })).to.equal("FORMAT_SHAPE_INVALID");
    expect(read({ extra: 1 })).to.equal("FORMAT_SHAPE_INVALID");
    for (const change of [
      { size: 0 },
      { size: 2 ** 17 },
      { index: -1 },
      { index: 3 },
      { path: ["AA"] },
      { path: [1] },
      { extra: 1 },
    ] as const) {
      expect(read({ batch: { ...batch, ...change } as CanonicalObject }), JSON.stringify(change)).to.equal("FORMAT_SHAPE_INVALID");
    }
    const long = Array.from({ length: 17 }, () => toBase64Url(new Uint8Array(32)));
    expect(read({ batch: { ...batch, path: long } })).to.equal("FORMAT_TOO_LARGE");
  });

  it("is refused when its path does not fit its tree", () => {
    const signed = inBatch(3, 1);
    const batch: BatchPosition = { size: 3, index: 1, path: [] };
    expectCode("COMMAND_SIGNATURE_INVALID", () => signatureClaim(hasher, { ...signed, batch }));
  });
});

describe("domains of signatures", () => {
  it("keep the same body under two purposes apart, and no prefix begins another", () => {
    const prefixes = PURPOSES.map((purpose) => Buffer.from(signedBytes(purpose, new Uint8Array(0))).toString("latin1"));
    expect(prefixes.every((prefix) => prefix.endsWith("/v1\0"))).to.equal(true);
    for (const one of prefixes) expect(prefixes.filter((other) => other.startsWith(one))).to.deep.equal([one]);
    expect(Buffer.from(signedBytes("command", Uint8Array.of(1))).toString("latin1")).to.equal("quorumgate/command/v1\0\x01");
  });
});
