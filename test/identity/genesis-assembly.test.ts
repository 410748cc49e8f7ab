import { expect } from "chai";
import { parseGenesis, parseSubjectId } from "#base";
import { loadSodium, type Sodium } from "#crypto";
import { assembleGenesis, createServiceKey, type GenesisParts } from "#identity";
import { expectCode } from "../refusals.ts";
import { makeNode, NOW_MS } from "./nodes.ts";

describe("assembling genesis", () => {
  let sodium: Sodium;
  let files: readonly Uint8Array[];
  let parts: GenesisParts;
  before(async () => {
    sodium = await loadSodium();
    files = ["node-1", "node-2", "node-3", "node-4"].map((name) => makeNode(sodium, name).nodeFile);
    const [operator, issuer] = [createServiceKey(sodium, "operator-1"), createServiceKey(sodium, "issuer-1")];
    parts = {
      environment: "production",
      trustDomain: "bank.example",
      nodeFiles: files,
      operators: [{ id: operator.id, key: operator.publicKey, roles: ["operator"] }],
      issuers: [{ id: issuer.id, key: issuer.publicKey }],
      timeUs: NOW_MS * 1_000,
    };
  });

  it("gives the same bytes in whatever order the files come", () => {
    const bytes = assembleGenesis(sodium, parts);
    const reversed = assembleGenesis(sodium, { ...parts, nodeFiles: [...files].reverse() });
    expect(Buffer.from(bytes).equals(reversed)).to.equal(true);
    const genesis = parseGenesis(bytes);
    expect(genesis.membership.members.map(({ id }) => id)).to.deep.equal(["node-1", "node-2", "node-3", "node-4"]);
    expect(genesis.zeroFaultTolerance).to.equal(false);
  });

  it("declares zero fault tolerance for one to three nodes", () => {
    for (const count of [1, 2, 3]) {
      const bytes = assembleGenesis(sodium, { ...parts, nodeFiles: files.slice(0, count) });
      expect(parseGenesis(bytes).zeroFaultTolerance).to.equal(true);
    }
  });

  it("refuses no node, one node twice and a weight of a third or more among four", () => {
    expectCode("MEMBERSHIP_INVALID", () => assembleGenesis(sodium, { ...parts, nodeFiles: [] }));
    expectCode("MEMBERSHIP_INVALID", () => assembleGenesis(sodium, { ...parts, nodeFiles: [...files, ...files.slice(0, 1)] }));
    const namesake = makeNode(sodium, "node-1").nodeFile;
    expectCode("MEMBERSHIP_INVALID", () => assembleGenesis(sodium, { ...parts, nodeFiles: [...files, namesake] }));
    const heavy = makeNode(sodium, "node-5", { weight: 2 }).nodeFile;
    expectCode("MEMBERSHIP_INVALID", () => assembleGenesis(sodium, { ...parts, nodeFiles: [...files.slice(0, 3), heavy] }));
  });

  it("refuses a file for another trust domain, an altered one and an expired one", () => {
    const stranger = makeNode(sodium, "node-5", { trustDomain: "other.example" }).nodeFile;
    expectCode("GENESIS_INVALID", () => assembleGenesis(sodium, { ...parts, nodeFiles: [...files, stranger] }));
    const late = { ...parts, timeUs: (NOW_MS + 400 * 86_400_000) * 1_000 };
    expectCode("IDENTITY_NODE_FILE_INVALID", () => assembleGenesis(sodium, late));
    const [first = new Uint8Array(0), ...others] = files;
    const altered = Uint8Array.from(first, (byte, index) => (index === first.length - 10 ? byte ^ 1 : byte));
    expectCode(["IDENTITY_NODE_FILE_INVALID", "FORMAT_ENCODING_INVALID"], () =>
      assembleGenesis(sodium, { ...parts, nodeFiles: [altered, ...others] }),
    );
  });

  it("keeps development and production apart by name", () => {
    expectCode("GENESIS_INVALID", () => assembleGenesis(sodium, { ...parts, environment: "development" }));
    const nodeFiles = ["node-1", "node-2"].map((name) => makeNode(sodium, name, { trustDomain: "dev.local", development: true }).nodeFile);
    expectCode("GENESIS_INVALID", () => assembleGenesis(sodium, { ...parts, trustDomain: "dev.local", nodeFiles }));
    const bytes = assembleGenesis(sodium, { ...parts, environment: "development", trustDomain: "dev.local", nodeFiles });
    expect(parseGenesis(bytes).environment).to.equal("development");
  });

  it("refuses an operator whose key is another's", () => {
    const [operator] = parts.operators;
    if (operator === undefined) throw new Error("no operator");
    const twice = [operator, { ...operator, id: parseSubjectId("operator-2") }];
    expectCode("GENESIS_INVALID", () => assembleGenesis(sodium, { ...parts, operators: twice }));
  });
});
