import { expect } from "chai";
import { type CanonicalObject, encodeCanonical, parseCanonicalObject, toBase64Url } from "#base";
import { createCertificateAuthority, identifyPeer, loadSodium, type Sodium } from "#crypto";
import { type NodeIdentity, readNodeFile } from "#identity";
import { codeThrownBy, expectCode } from "../refusals.ts";
import { makeNode, NOW_MS } from "./nodes.ts";

describe("node.json", () => {
  let sodium: Sodium;
  let node: NodeIdentity;
  let content: CanonicalObject;
  before(async () => {
    sodium = await loadSodium();
    node = makeNode(sodium, "node-1");
    content = parseCanonicalObject(node.nodeFile);
  });

  const part = (name: string): CanonicalObject => content[name] as CanonicalObject;
  const read = (change: CanonicalObject): unknown => readNodeFile(sodium, encodeCanonical({ ...content, ...change }));

  it("says what the node is, and its certificate is one that peers accept", () => {
    const file = readNodeFile(sodium, node.nodeFile);
    expect(file.member).to.deep.equal(node.member);
    expect(file.trustDomain).to.equal("bank.example");
    const membership = { epoch: 0, members: [file.member] };
    expect(identifyPeer({ certificateDer: file.certificateDer, membership, trustDomain: file.trustDomain, nowMs: NOW_MS })).to.equal(
      "node-1",
    );
  });

  it("holds no secret", () => {
    const text = Buffer.from(node.nodeFile).toString("latin1");
    for (const { secretKey } of Object.values(node.keys)) {
      expect(text).to.not.include(toBase64Url(secretKey.subarray(0, 32)));
    }
    expect(text).to.not.include("PRIVATE");
  });

  it("is refused after any change of a single byte", () => {
    for (let at = 0; at < node.nodeFile.length; at++) {
      const altered = Uint8Array.from(node.nodeFile);
      altered[at] = (altered[at] ?? 0) ^ 1;
      const code = codeThrownBy(() => readNodeFile(sodium, altered));
      expect(code, `byte ${at}`).to.match(/^(FORMAT|IDENTITY|MEMBERSHIP)_/);
    }
  });

  it("needs a proof by each of the five keys", () => {
    const other = makeNode(sodium, "node-1");
    const theirs = parseCanonicalObject(other.nodeFile)["proofs"] as CanonicalObject;
    for (const role of ["vote", "log", "witness", "gateway", "tls"]) {
      const proofs = { ...part("proofs"), [role]: theirs[role] ?? "" };
      expectCode("IDENTITY_NODE_FILE_INVALID", () => read({ proofs }));
      const { [role]: _, ...fewer } = part("proofs");
      expectCode("FORMAT_SHAPE_INVALID", () => read({ proofs: fewer }));
    }
  });

  it("takes the proof of no role for another", () => {
    const proofs = part("proofs");
    const keys = part("member")["keys"] as CanonicalObject;
    const swapped = { ...part("member"), keys: { ...keys, vote: keys["gateway"] ?? "", gateway: keys["vote"] ?? "" } };
    expectCode("IDENTITY_NODE_FILE_INVALID", () =>
      read({ member: swapped, proofs: { ...proofs, vote: proofs["gateway"] ?? "", gateway: proofs["vote"] ?? "" } }),
    );
    expectCode("IDENTITY_NODE_FILE_INVALID", () => read({ proofs: { ...proofs, log: proofs["witness"] ?? "" } }));
  });

  it("is refused with one key in two roles", () => {
    const keys = part("member")["keys"] as CanonicalObject;
    expectCode("MEMBERSHIP_INVALID", () => read({ member: { ...part("member"), keys: { ...keys, gateway: keys["vote"] ?? "" } } }));
  });

  it("is refused with another authority, another trust domain, fields that are not known or too many bytes", () => {
    const { certificateDer } = createCertificateAuthority({
      name: "node-1 authority",
      validity: { notBeforeMs: NOW_MS - 1, notAfterMs: NOW_MS + 1e9 },
    });
    expectCode("IDENTITY_NODE_FILE_INVALID", () => read({ member: { ...part("member"), tlsAuthority: toBase64Url(certificateDer) } }));
    expectCode("IDENTITY_NODE_FILE_INVALID", () => read({ trustDomain: "other.example" }));
    expectCode("IDENTITY_NODE_FILE_INVALID", () => read({ trustDomain: "Bank.example" }));
    expectCode("FORMAT_SHAPE_INVALID", () => read({ note: "hello" }));
    expectCode("FORMAT_TOO_LARGE", () => readNodeFile(sodium, new Uint8Array(40_000)));
  });

  it("is refused once its certificate has expired, a year after it was made", () => {
    const DAY_MS = 86_400_000;
    expect(codeThrownBy(() => readNodeFile(sodium, node.nodeFile, { nowMs: NOW_MS + 364 * DAY_MS }))).to.equal("nothing was thrown");
    expectCode("IDENTITY_NODE_FILE_INVALID", () => readNodeFile(sodium, node.nodeFile, { nowMs: NOW_MS + 366 * DAY_MS }));
  });

  it("is read alike by both builds of libsodium", async () => {
    const wrappers = await loadSodium("libsodium-wrappers");
    expect(readNodeFile(wrappers, node.nodeFile)).to.deep.equal(readNodeFile(sodium, node.nodeFile));
  });

  it("is made for development under names that begin with dev., and only there", () => {
    expectCode("CONFIG_INVALID", () => makeNode(sodium, "node-1", { trustDomain: "dev.local" }));
    expectCode("CONFIG_INVALID", () => makeNode(sodium, "node-1", { development: true }));
    expect(makeNode(sodium, "node-1", { trustDomain: "dev.local", development: true }).trustDomain).to.equal("dev.local");
  });

  it("may be made by a node with an id of 63 characters", () => {
    const name = "n".repeat(63);
    expect(readNodeFile(sodium, makeNode(sodium, name).nodeFile).member.id).to.equal(name);
  });
});
