import { expect } from "chai";
import {
  type CanonicalObject,
  clusterIdOf,
  encodeCanonical,
  encodeGenesis,
  type Genesis,
  parseCanonicalObject,
  parseGenesis,
  parseSubjectId,
  portableHasher,
} from "#base";
import { codeThrownBy, expectCode } from "../refusals.ts";
import { someGenesis, someKey, someMember } from "./members.ts";

const GENESIS = someGenesis();
const BYTES = encodeGenesis(GENESIS);

describe("genesis", () => {
  it("is read back from its bytes, whose hash names the cluster", () => {
    expect(parseGenesis(BYTES)).to.deep.equal(GENESIS);
    expect(clusterIdOf(portableHasher, BYTES)).to.equal(Buffer.from(portableHasher.sha256(BYTES)).toString("hex"));
  });

  it("is another cluster, or none, after a change of any byte", () => {
    for (let at = 0; at < BYTES.length; at++) {
      const altered = Uint8Array.from(BYTES);
      altered[at] = (altered[at] ?? 0) ^ 1;
      const code = codeThrownBy(() => {
        if (Buffer.from(encodeGenesis(parseGenesis(altered))).equals(BYTES)) throw new Error("two texts, one genesis");
      });
      expect(code, `byte ${at}`).to.match(/^(nothing was thrown|FORMAT_|GENESIS_INVALID|MEMBERSHIP_INVALID)/);
    }
  });

  it("is refused with a field missing, unknown or out of range", () => {
    const fields = parseCanonicalObject(BYTES);
    const read = (change: Record<string, unknown>): string =>
      codeThrownBy(() => parseGenesis(encodeCanonical({ ...fields, ...change } as CanonicalObject)));
    for (const name of Object.keys(fields)) expect(read({ [name]: undefined }), name).to.equal("FORMAT_SHAPE_INVALID");
    expect(read({ extra: 1 })).to.equal("FORMAT_SHAPE_INVALID");
    for (const [name, value] of [
      ["environment", "test"],
      ["engine", "paxos"],
      ["trustDomain", "Bank"],
      ["trustDomain", ""],
    ] as const) {
      expect(read({ [name]: value }), name).to.equal("GENESIS_INVALID");
    }
    for (const [name, value] of [
      ["v", 2],
      ["protocol", 2],
      ["window", 9],
      ["activationDelay", 1],
    ] as const) {
      expect(read({ [name]: value }), name).to.equal("FORMAT_SHAPE_INVALID");
    }
    expect(read({ operators: [{ id: "o", key: someKey(), roles: ["king"] }] })).to.equal("GENESIS_INVALID");
  });

  it("is refused with one key or one id for two", () => {
    const refused = (change: Partial<Genesis>): void =>
      expectCode("GENESIS_INVALID", () => parseGenesis(encodeGenesis(someGenesis({ membership: GENESIS.membership, ...change }))));
    const key = someKey();
    const [member] = GENESIS.membership.members;
    if (member === undefined) throw new Error("no member");
    const issuer = (id: string, its = someKey()): Genesis["issuers"][number] => ({ id: parseSubjectId(id), key: its });
    refused({ issuers: [issuer("one", key), issuer("two", key)] });
    refused({ issuers: [issuer("one"), issuer("one")] });
    refused({ issuers: [issuer("one", member.keys.vote)] });
    refused({ issuers: [issuer("one", key)], operators: [{ ...issuer("two", key), roles: ["operator"] }] });
  });

  it("needs the declaration of zero fault tolerance for three nodes", () => {
    const three = { epoch: 0, members: ["a", "b", "c"].map((id) => someMember(id)) };
    expectCode("MEMBERSHIP_INVALID", () => parseGenesis(encodeGenesis(someGenesis({ membership: three }))));
    const declared = someGenesis({ membership: three, zeroFaultTolerance: true });
    expect(codeThrownBy(() => parseGenesis(encodeGenesis(declared)))).to.equal("nothing was thrown");
  });
});
