import { execFileSync, spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { fromBase64Url, type Member, type Membership, type NodeId, type PublicKey, parseNodeId, toBase64Url } from "#base";
import {
  type AlternativeName,
  basicConstraints,
  type CertificateWithKey,
  createCertificateAuthority,
  extendedKeyUsage,
  identifyPeer,
  issueLeaf,
  issueReplicaCertificate,
  KEY_USAGE_BIT,
  keyUsage,
  OID,
  parseCertificate,
  subjectAlternativeName,
  type X509Extension,
} from "#crypto";
import { expectCode } from "../refusals.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const VALIDITY = { notBeforeMs: NOW_MS - 1_000, notAfterMs: NOW_MS + 86_400_000 };
const TRUST_DOMAIN = "bank.example";
const NODE = parseNodeId("node-1");
const NAME = `spiffe://${TRUST_DOMAIN}/replicas/${NODE}`;
const uri = (value: string): AlternativeName => ({ type: "uri", value });
const { digitalSignature, keyCertSign, cRLSign } = KEY_USAGE_BIT;

/** A member that has this certificate and authority. */
function memberOf(id: NodeId, leaf: CertificateWithKey, authority: CertificateWithKey): Member {
  const key = (role: string): PublicKey => role as PublicKey;
  return {
    id,
    weight: 1,
    keys: { vote: key("vote"), log: key("log"), witness: key("witness"), gateway: key("gateway"), tls: leaf.publicKeySpki },
    peerAddress: "127.0.0.1:7501",
    httpUrl: "https://127.0.0.1:7401",
    tlsAuthority: toBase64Url(authority.certificateDer),
  };
}

const membershipOf = (...members: readonly Member[]): Membership => ({ epoch: 0, members });

describe("certificates", () => {
  const authority = createCertificateAuthority({ name: "institution 1", validity: VALIDITY });
  const leaf = issueReplicaCertificate({
    authority,
    trustDomain: TRUST_DOMAIN,
    nodeId: NODE,
    validity: VALIDITY,
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1", "::1"],
  });

  /** A leaf that is right but for what is given, in a membership that has its key. */
  const identifyWith = (change: Partial<Record<"constraints" | "usage" | "purposes" | "names", X509Extension | undefined>>): NodeId => {
    const extensions = {
      constraints: basicConstraints(false),
      usage: keyUsage([digitalSignature]),
      purposes: extendedKeyUsage([OID.serverAuth, OID.clientAuth]),
      names: subjectAlternativeName([uri(NAME)]),
      ...change,
    };
    const made = issueLeaf({
      authority,
      commonName: "leaf",
      validity: VALIDITY,
      extensions: Object.values(extensions).filter((extension) => extension !== undefined),
    });
    return identify(made, memberOf(NODE, made, authority));
  };
  const identify = (certificate: CertificateWithKey, ...members: readonly Member[]): NodeId =>
    identifyPeer({
      certificateDer: certificate.certificateDer,
      membership: membershipOf(...members),
      trustDomain: TRUST_DOMAIN,
      nowMs: NOW_MS,
    });
  const refuses = (run: () => unknown): void => expectCode("TRANSPORT_PEER_REFUSED", run);

  describe("that are issued", () => {
    it("satisfy openssl's strict path validation", function () {
      // Another implementation's word; who has none of it installed still runs every test of ours.
      if (spawnSync("openssl", ["version"]).status !== 0) return this.skip();
      const folder = mkdtempSync(join(tmpdir(), "quorumgate-certificates-"));
      try {
        writeFileSync(join(folder, "ca.pem"), authority.certificatePem);
        writeFileSync(join(folder, "leaf.pem"), leaf.certificatePem);
        const at = String(NOW_MS / 1_000);
        const output = execFileSync("openssl", ["verify", "-x509_strict", "-attime", at, "-CAfile", "ca.pem", "leaf.pem"], { cwd: folder });
        expect(output.toString()).to.include("leaf.pem: OK");
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    it("are read alike by Node and here", () => {
      const [node, ours] = [new X509Certificate(leaf.certificateDer), parseCertificate(leaf.certificateDer)];
      expect(node.subjectAltName).to.equal(`URI:${NAME}, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`);
      expect(node.ca).to.equal(false);
      expect(Date.parse(node.validFrom)).to.equal(ours.notBeforeMs);
      expect(Date.parse(node.validTo)).to.equal(ours.notAfterMs);
      expect(toBase64Url(node.publicKey.export({ format: "der", type: "spki" }))).to.equal(toBase64Url(ours.publicKey));
      expect(toBase64Url(ours.publicKey)).to.equal(leaf.publicKeySpki);
      expect(new X509Certificate(authority.certificateDer).ca).to.equal(true);
    });

    it("keep years beyond 2049 and refuse to end before they begin", () => {
      const far = createCertificateAuthority({ name: "far", validity: { notBeforeMs: NOW_MS, notAfterMs: Date.UTC(2061, 0, 2, 3, 4, 5) } });
      expect(new X509Certificate(far.certificateDer).validTo).to.equal("Jan  2 03:04:05 2061 GMT");
      expect(parseCertificate(far.certificateDer).notAfterMs).to.equal(Date.UTC(2061, 0, 2, 3, 4, 5));
      expectCode("CONFIG_INVALID", () => createCertificateAuthority({ name: "none", validity: { notBeforeMs: 1_000, notAfterMs: 1_000 } }));
    });

    it("never carry a name that could mean another", () => {
      const issue = (change: { trustDomain?: string; nodeId?: string; dnsNames?: string[]; ipAddresses?: string[] }): unknown =>
        issueReplicaCertificate({
          authority,
          trustDomain: TRUST_DOMAIN,
          validity: VALIDITY,
          ...change,
          nodeId: (change.nodeId ?? NODE) as NodeId,
        });
      for (const trustDomain of ["", "Bank.example", "bank/example", "bank%2eexample"])
        expectCode("CONFIG_INVALID", () => issue({ trustDomain }));
      for (const nodeId of ["", "..", "a/b", "NODE"]) expectCode("FORMAT_ID_INVALID", () => issue({ nodeId }));
      for (const name of ["", "a b", "a\0.example", "*.example"]) expectCode("CONFIG_INVALID", () => issue({ dnsNames: [name] }));
      for (const address of ["", "1.2.3", "fe80::1"]) expectCode("CONFIG_INVALID", () => issue({ ipAddresses: [address] }));
      expectCode("CONFIG_INVALID", () => createCertificateAuthority({ name: "a, O=b", validity: VALIDITY }));
    });
  });

  describe("that a peer presents", () => {
    it("name the member whose key and authority they have", () => {
      expect(identify(leaf, memberOf(NODE, leaf, authority))).to.equal(NODE);
      expect(identifyWith({})).to.equal(NODE);
      // SPIFFE asks for no extended key usage and no constraints; SAN alone names the peer.
      expect(identifyWith({ purposes: undefined, constraints: undefined })).to.equal(NODE);
    });

    it("are refused when the key is not the member's, though its authority signed them", () => {
      const other = issueReplicaCertificate({ authority, trustDomain: TRUST_DOMAIN, nodeId: NODE, validity: VALIDITY });
      refuses(() => identify(other, memberOf(NODE, leaf, authority)));
    });

    it("are refused for another member's name, and when that member's authority signed them", () => {
      const second = parseNodeId("node-2");
      const theirAuthority = createCertificateAuthority({ name: "institution 2", validity: VALIDITY });
      const theirs = issueReplicaCertificate({ authority: theirAuthority, trustDomain: TRUST_DOMAIN, nodeId: second, validity: VALIDITY });
      const [one, two] = [memberOf(NODE, leaf, authority), memberOf(second, theirs, theirAuthority)];
      expect([identify(leaf, one, two), identify(theirs, one, two)]).to.deep.equal([NODE, second]);
      const forged = issueReplicaCertificate({ authority: theirAuthority, trustDomain: TRUST_DOMAIN, nodeId: NODE, validity: VALIDITY });
      refuses(() => identify(forged, one, two));
      // Even with the right key in the membership: authorities are not pooled.
      refuses(() => identify(forged, memberOf(NODE, forged, authority), two));
      refuses(() => identify(leaf, two));
    });

    it("are refused when a forged authority copies the name of the true one", () => {
      const copy = createCertificateAuthority({ name: "institution 1", validity: VALIDITY });
      const forged = issueReplicaCertificate({ authority: copy, trustDomain: TRUST_DOMAIN, nodeId: NODE, validity: VALIDITY });
      refuses(() => identify(forged, memberOf(NODE, forged, authority)));
    });

    it("are refused for another trust domain, no URI, two URIs and paths that differ", () => {
      refuses(() =>
        identifyPeer({
          certificateDer: leaf.certificateDer,
          membership: membershipOf(memberOf(NODE, leaf, authority)),
          trustDomain: "other.example",
          nowMs: NOW_MS,
        }),
      );
      const names = [
        [],
        [uri(NAME), uri(NAME)],
        [uri(NAME), uri("https://bank.example")],
        [uri(`${NAME}/`)],
        [uri(`${NAME}/..`)],
        [uri(NAME.toUpperCase())],
        [uri(`spiffe://${TRUST_DOMAIN}`)],
        [uri(`spiffe://${TRUST_DOMAIN}/nodes/${NODE}`)],
        [uri(`spiffe://${TRUST_DOMAIN}/replicas/node%2d1`)],
        [uri(`${NAME}?x=1`)],
        [uri(`${NAME}\0`)],
        [{ type: "dns", value: NAME } as const],
      ];
      for (const list of names) refuses(() => identifyWith({ names: subjectAlternativeName(list) }));
      refuses(() => identifyWith({ names: undefined }));
    });

    it("are refused when they are an authority's, or may sign certificates, or lack digitalSignature", () => {
      refuses(() => identifyWith({ constraints: basicConstraints(true) }));
      refuses(() => identify(authority, memberOf(NODE, authority, authority)));
      for (const bits of [[keyCertSign], [cRLSign], [digitalSignature, keyCertSign], [digitalSignature, cRLSign]]) {
        refuses(() => identifyWith({ usage: keyUsage(bits) }));
      }
      refuses(() => identifyWith({ usage: undefined }));
      refuses(() => identifyWith({ usage: keyUsage([digitalSignature], false) }));
    });

    it("are refused when they are for servers only, or clients only", () => {
      refuses(() => identifyWith({ purposes: extendedKeyUsage([OID.serverAuth]) }));
      refuses(() => identifyWith({ purposes: extendedKeyUsage([OID.clientAuth]) }));
    });

    it("are refused with a critical extension that is not understood, and with one that is there twice", () => {
      const unknown = { oid: "1.3.6.1.4.1.99999.1", critical: true, value: Uint8Array.of(5, 0) };
      const base = [basicConstraints(false), keyUsage([digitalSignature]), subjectAlternativeName([uri(NAME)])];
      const made = (extensions: readonly X509Extension[]): CertificateWithKey =>
        issueLeaf({ authority, commonName: "leaf", validity: VALIDITY, extensions });
      const [good, critical, twice] = [
        made([...base, { ...unknown, critical: false }]),
        made([...base, unknown]),
        made([...base, subjectAlternativeName([uri(NAME)])]),
      ];
      expect(identify(good, memberOf(NODE, good, authority))).to.equal(NODE);
      refuses(() => identify(critical, memberOf(NODE, critical, authority)));
      refuses(() => identify(twice, memberOf(NODE, twice, authority)));
    });

    it("are refused before and after they hold, and when the authority no longer does", () => {
      const at = (nowMs: number, member: Member, certificate: CertificateWithKey): NodeId =>
        identifyPeer({ certificateDer: certificate.certificateDer, membership: membershipOf(member), trustDomain: TRUST_DOMAIN, nowMs });
      const member = memberOf(NODE, leaf, authority);
      refuses(() => at(VALIDITY.notBeforeMs - 1_000, member, leaf));
      refuses(() => at(VALIDITY.notAfterMs + 1_000, member, leaf));
      const long = issueReplicaCertificate({
        authority,
        trustDomain: TRUST_DOMAIN,
        nodeId: NODE,
        validity: { ...VALIDITY, notAfterMs: VALIDITY.notAfterMs + 86_400_000 },
      });
      refuses(() => at(VALIDITY.notAfterMs + 1_000, memberOf(NODE, long, authority), long));
      // Without a given time the machine's clock counts, and by that these are from the past or the future.
      const { certificateDer } = issueReplicaCertificate({
        authority,
        trustDomain: TRUST_DOMAIN,
        nodeId: NODE,
        validity: { notBeforeMs: 0, notAfterMs: 1_000 },
      });
      refuses(() => identifyPeer({ certificateDer, membership: membershipOf(member), trustDomain: TRUST_DOMAIN }));
    });

    it("are refused when the member's authority is a leaf", () => {
      const byLeaf = issueReplicaCertificate({ authority: leaf, trustDomain: TRUST_DOMAIN, nodeId: NODE, validity: VALIDITY });
      refuses(() => identify(byLeaf, memberOf(NODE, byLeaf, leaf)));
    });

    it("are refused after any change of a single byte, and with bytes behind them", () => {
      const member = memberOf(NODE, leaf, authority);
      const run = (certificateDer: Uint8Array): NodeId =>
        identifyPeer({ certificateDer, membership: membershipOf(member), trustDomain: TRUST_DOMAIN, nowMs: NOW_MS });
      for (let at = 0; at < leaf.certificateDer.length; at++) {
        const altered = Uint8Array.from(leaf.certificateDer);
        altered[at] = (altered[at] ?? 0) ^ 0x01;
        refuses(() => run(altered));
      }
      refuses(() => run(Buffer.concat([leaf.certificateDer, Uint8Array.of(0)])));
      for (let length = 0; length < leaf.certificateDer.length; length += 7) refuses(() => run(leaf.certificateDer.subarray(0, length)));
      refuses(() => run(Buffer.from(leaf.certificatePem)));
      refuses(() => run(new Uint8Array(100_000)));
    });

    it("are refused with one code, whatever bytes they are", () => {
      const membership = membershipOf(memberOf(NODE, leaf, authority));
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (certificateDer) =>
          refuses(() => identifyPeer({ certificateDer, membership, trustDomain: TRUST_DOMAIN, nowMs: NOW_MS })),
        ),
      );
      const broken: Member = { ...memberOf(NODE, leaf, authority), tlsAuthority: toBase64Url(fromBase64Url("AAAA")) };
      refuses(() => identify(leaf, broken));
    });
  });
});
