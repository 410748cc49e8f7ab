import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { fromBase64Url, signedBytes, ZERO_HASH } from "#base";
import { loadSodium, type Sodium } from "#crypto";
import {
  attest,
  createServiceKey,
  encodePublicIdentity,
  gatewaySignerOf,
  loadNodeIdentity,
  loadServiceKey,
  nodeSignerOf,
  readPublicIdentity,
  saveNodeIdentity,
  saveServiceKey,
  serviceSignerOf,
} from "#identity";
import { attestationBytes } from "#state";
import { codeThrownBy, expectCode } from "../refusals.ts";
import { makeNode } from "./nodes.ts";

describe("identity folders", () => {
  let sodium: Sodium;
  let folder: string;
  before(async () => {
    sodium = await loadSodium();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorumgate-identity-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  describe("of nodes", () => {
    it("give back what was saved, and keep secrets to their owner", () => {
      const node = makeNode(sodium, "node-1");
      saveNodeIdentity(folder, node);
      const loaded = loadNodeIdentity(sodium, folder);
      expect(loaded.member).to.deep.equal(node.member);
      expect(loaded.tls).to.deep.equal(node.tls);
      expect(loaded.authority).to.deep.equal(node.authority);
      for (const role of ["vote", "log", "witness", "gateway"] as const) {
        expect(Buffer.from(loaded.keys[role].secretKey).equals(node.keys[role].secretKey)).to.equal(true);
      }
      expect(statSync(join(folder, "keys")).mode & 0o777).to.equal(0o700);
      for (const file of readdirSync(join(folder, "keys"))) expect(statSync(join(folder, "keys", file)).mode & 0o777, file).to.equal(0o600);
    });

    it("are never written over", () => {
      saveNodeIdentity(folder, makeNode(sodium, "node-1"));
      const before = readFileSync(join(folder, "keys", "vote.key"));
      expectCode("IDENTITY_FOLDER_INVALID", () => saveNodeIdentity(folder, makeNode(sodium, "node-1")));
      expect(readFileSync(join(folder, "keys", "vote.key")).equals(before)).to.equal(true);
    });

    it("are refused when a part is missing, swapped, foreign or readable by others", () => {
      const node = makeNode(sodium, "node-1");
      saveNodeIdentity(folder, node);
      const other = join(folder, "other");
      saveNodeIdentity(other, makeNode(sodium, "node-2"));
      const vote = join(folder, "keys", "vote.key");
      const load = (): unknown => loadNodeIdentity(sodium, folder);
      const original = readFileSync(vote);
      copyFileSync(join(folder, "keys", "gateway.key"), vote);
      expectCode("IDENTITY_FOLDER_INVALID", load);
      copyFileSync(join(other, "keys", "vote.key"), vote);
      expectCode("IDENTITY_FOLDER_INVALID", load);
      writeFileSync(vote, original);
      chmodSync(vote, 0o640);
      expectCode("SECRET_FILE_UNSAFE", load);
      unlinkSync(vote);
      expectCode("SECRET_FILE_UNREADABLE", load);
      writeFileSync(vote, original, { mode: 0o600 });
      expect(codeThrownBy(load)).to.equal("nothing was thrown");
      for (const file of ["tls.pem", "authority.pem"]) {
        const kept = readFileSync(join(folder, "keys", file));
        copyFileSync(join(other, "keys", file), join(folder, "keys", file));
        expectCode("IDENTITY_FOLDER_INVALID", load);
        writeFileSync(join(folder, "keys", file), "no key");
        expectCode("IDENTITY_FOLDER_INVALID", load);
        writeFileSync(join(folder, "keys", file), kept);
      }
      unlinkSync(join(folder, "node.json"));
      expectCode("IDENTITY_FOLDER_INVALID", load);
    });

    it("sign with the member's keys", () => {
      const node = makeNode(sodium, "node-1");
      const message = Buffer.from("message");
      nodeSignerOf(sodium, node).sign("witness", message, (signature) => {
        expect(sodium.verify(fromBase64Url(node.member.keys.witness), message, signature)).to.equal(true);
      });
      expect(gatewaySignerOf(sodium, node).publicKey).to.equal(node.member.keys.gateway);
    });
  });

  describe("of services and operators", () => {
    it("give back what was saved", () => {
      const path = join(folder, "deep", "trader");
      const service = createServiceKey(sodium, "trading-service-001");
      saveServiceKey(sodium, path, service);
      const loaded = loadServiceKey(sodium, path);
      expect([loaded.id, loaded.publicKey]).to.deep.equal([service.id, service.publicKey]);
      expect(serviceSignerOf(sodium, loaded).publicKey).to.equal(service.publicKey);
      expect(statSync(join(path, "identity.key")).mode & 0o777).to.equal(0o600);
      expectCode("IDENTITY_FOLDER_INVALID", () => saveServiceKey(sodium, path, service));
    });

    it("are refused with a foreign key, and their public file without a proof", () => {
      const [one, other] = [join(folder, "one"), join(folder, "other")];
      saveServiceKey(sodium, one, createServiceKey(sodium, "one"));
      saveServiceKey(sodium, other, createServiceKey(sodium, "other"));
      copyFileSync(join(other, "identity.key"), join(one, "identity.key"));
      expectCode("IDENTITY_FOLDER_INVALID", () => loadServiceKey(sodium, one));
      const bytes = encodePublicIdentity(sodium, createServiceKey(sodium, "service"));
      expect(readPublicIdentity(sodium, bytes).id).to.equal("service");
      for (let at = 0; at < bytes.length; at++) {
        const altered = Uint8Array.from(bytes);
        altered[at] = (altered[at] ?? 0) ^ 1;
        expect(
          codeThrownBy(() => readPublicIdentity(sodium, altered)),
          `byte ${at}`,
        ).to.match(/^(FORMAT|IDENTITY)_/);
      }
    });

    it("refuse ids outside the grammar", () => {
      for (const id of ["", "../x", "a b", "é"]) expectCode("FORMAT_ID_INVALID", () => createServiceKey(sodium, id));
    });
  });

  it("let an issuer sign what the state machine checks", async () => {
    const issuer = createServiceKey(sodium, "issuer");
    const service = createServiceKey(sodium, "service");
    const subject = { id: service.id, publicKey: service.publicKey, meshRole: "participant", consensusWeight: 1, trustedPeers: [] };
    const attestation = { issuer: issuer.id, claims: { purpose: "trading" }, notBeforeUs: 1, notAfterUs: 2 };
    const signed = await attest(serviceSignerOf(sodium, issuer), { cluster: ZERO_HASH, subject, attestation });
    const message = signedBytes("attestation", attestationBytes({ cluster: ZERO_HASH, subject, attestation }));
    expect(sodium.verify(fromBase64Url(issuer.publicKey), message, fromBase64Url(signed.signature))).to.equal(true);
  });
});
