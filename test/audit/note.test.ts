import { expect } from "chai";
import fc from "fast-check";
import {
  assembleCheckpoint,
  checkpointText,
  cosignatureClaims,
  formatNote,
  formatVerifierKey,
  type LogPoint,
  leastSufficientCount,
  logKeyOf,
  parseCheckpointText,
  parseNote,
  parsePolicy,
  parseVerifierKey,
  policyText,
  SIGNATURE_TYPE,
  verifyCheckpoint,
} from "#audit";
import { encodeUtf8, fromBase64Url, isByzantineQuorum, parseHash, type SignatureClaim } from "#base";
import { expectCode } from "../refusals.ts";
import { cosign, FOUR, hasher, membershipOf, noteOf, POLICY, policyFor, START, sodium, TRUST_DOMAIN } from "./log-kit.ts";

const POINT: LogPoint = {
  origin: "bank.example/audit/c1c1c1c1/2026h2",
  shard: "2026h2",
  size: 42,
  root: parseHash("5e".repeat(32)),
  timeUs: START + 999_999,
};
const options = {
  hasher,
  ed25519: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => sodium.verify(key, message, signature),
};

const namesOf = (note: string): string[] => parseNote(note).signatures.map(({ name }) => name.replace(`${TRUST_DOMAIN}/`, ""));

describe("checkpoints", () => {
  it("have the text of C2SP tlog-checkpoint", () => {
    expect(checkpointText(POINT)).to.equal("bank.example/audit/c1c1c1c1/2026h2\n42\nXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl4=\n");
    expect(parseCheckpointText(checkpointText(POINT))).to.deep.equal({ origin: POINT.origin, size: 42, root: POINT.root });
    for (const text of [
      "",
      "a\n1\n",
      "a\n01\nXl4=\n",
      "a\n1\nXl4=\n",
      `${checkpointText(POINT)}extension\n`,
      `\n${checkpointText(POINT)}`,
    ]) {
      expectCode("VERIFY_MALFORMED", () => parseCheckpointText(text));
    }
  });

  it("carry the L lines and then the W lines of one minimal quorum in ascending id", () => {
    const lines = (nodes: readonly string[]): string[] => namesOf(noteOf(POINT, nodes));
    const log = "audit/c1c1c1c1/2026h2";
    expect(lines(["node-4", "node-2", "node-1", "node-3"])).to.deep.equal([
      log,
      log,
      log,
      "replicas/node-1",
      "replicas/node-2",
      "replicas/node-3",
    ]);
    expect(lines(["node-4", "node-2", "node-1"]).slice(3)).to.deep.equal(["replicas/node-1", "replicas/node-2", "replicas/node-4"]);
    expect(() => noteOf(POINT, ["node-1", "node-2"])).to.throw("no quorum");
  });

  it("have a quorum of which no proper subset is one, for any weights", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 7 }), fc.nat(127), (weights, absent) => {
        const membership = membershipOf(weights);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const present = membership.members.filter((_, at) => ((absent >> at) & 1) === 0);
        const note = assembleCheckpoint({
          ...{ membership, trustDomain: TRUST_DOMAIN, point: POINT, faultModel: "byzantine" as const, hasher },
          cosignatures: present.map(({ id }) => cosign(id, POINT)),
        });
        const reachable = isByzantineQuorum(
          present.reduce((sum, { weight }) => sum + weight, 0),
          total,
        );
        expect(note !== undefined).to.equal(reachable);
        if (note === undefined) return;
        const names = namesOf(note).slice(parseNote(note).signatures.length / 2);
        const taken = membership.members.filter(({ id }) => names.includes(`replicas/${id}`)).map(({ weight }) => weight);
        const sum = taken.reduce((left, right) => left + right, 0);
        expect(isByzantineQuorum(sum, total)).to.equal(true);
        for (const weight of taken) expect(isByzantineQuorum(sum - weight, total)).to.equal(false);
      }),
      { numRuns: 40 },
    );
  });

  it("state the block's time in whole seconds, and count no cosignature that states another", () => {
    const good = cosign("node-2", POINT);
    expect(good.seconds).to.equal(START / 1_000_000);
    const claims = cosignatureClaims(FOUR, POINT, good) ?? [];
    expect(claims.map(({ publicKey, message, signature }: SignatureClaim) => sodium.verify(publicKey, message, signature))).to.deep.equal([
      true,
      true,
    ]);
    expect(Buffer.from(claims[1]?.message ?? new Uint8Array(0)).toString()).to.equal(
      `cosignature/v1\ntime 1790000000\n${checkpointText(POINT)}`,
    );
    expect(cosignatureClaims(FOUR, POINT, { ...good, seconds: good.seconds + 1 })).to.equal(undefined);
    expect(cosignatureClaims(FOUR, { ...POINT, size: 43 }, good)).to.equal(undefined);
    expect(cosignatureClaims(FOUR, { ...POINT, root: parseHash("00".repeat(32)) }, good)).to.equal(undefined);
    expect(cosignatureClaims(membershipOf([1]), POINT, good)).to.equal(undefined);
  });

  it("verify alone, with lines of unknown keys ignored and bad lines of known keys not", () => {
    const note = noteOf(POINT);
    expect(verifyCheckpoint(note, POLICY, options)).to.include({ ok: true, exitCode: 0 });
    const stranger = `${note}\u2014 witness.example ${Buffer.alloc(76, 7).toString("base64")}\n`;
    expect(verifyCheckpoint(stranger, POLICY, options)).to.include({ ok: true, exitCode: 0 });
    const swapped = parseNote(note).signatures;
    const [first, second] = swapped;
    if (first === undefined || second === undefined) throw new Error("six lines");
    const crossed = formatNote({ ...parseNote(note), signatures: [{ ...first, signature: second.signature }, ...swapped.slice(1)] });
    const result = verifyCheckpoint(crossed, POLICY, options);
    expect(result.findings.map(({ code }) => code)).to.deep.equal(["VERIFY_ALTERED", "VERIFY_QUORUM"]);
    expect(verifyCheckpoint(`${note}${note.split("\n\n")[1]}`, POLICY, options).exitCode).to.equal(17);
  });

  it("need the quorum by L keys and by W keys, each", () => {
    const { text, signatures } = parseNote(noteOf(POINT));
    const onlyLog = formatNote({ text, signatures: signatures.slice(0, 3) });
    const onlyWitness = formatNote({ text, signatures: signatures.slice(3) });
    const oneLogShort = formatNote({ text, signatures: signatures.slice(1) });
    for (const note of [onlyLog, onlyWitness, oneLogShort]) expect(verifyCheckpoint(note, POLICY, options).exitCode).to.equal(12);
  });

  it("are refused under the policy of another cluster or epoch", () => {
    const other = policyText(policyFor(FOUR, { cluster: parseHash("ee".repeat(32)) }), "2026h2", hasher);
    expect(verifyCheckpoint(noteOf(POINT), other, options).findings.map(({ exit }) => exit)).to.include(13);
    const [first, ...others] = FOUR.members;
    if (first === undefined) throw new Error("four members");
    const renewed = others.map((member, at) => ({
      ...member,
      keys: membershipOf([1, 1, 1, 1, 1, 1, 1, 1]).members[at + 4]?.keys ?? member.keys,
    }));
    const nextEpoch = policyText(policyFor({ epoch: 1, members: [first, ...renewed] }), "2026h2", hasher);
    expect(verifyCheckpoint(noteOf(POINT), nextEpoch, options).exitCode).to.equal(12);
  });
});

describe("signed notes", () => {
  it("split at the last empty line and keep the text's own", () => {
    const note = "one\n\ntwo\n\n\u2014 name AAAAAAA=\n";
    expect(parseNote(note)).to.deep.include({ text: "one\n\ntwo\n" });
    expect(formatNote(parseNote(note))).to.equal(note);
  });

  it("hold more than a hundred lines", () => {
    const lines = Array.from({ length: 130 }, (_, at) => `\u2014 witness-${at} AAAAAAA=\n`).join("");
    expect(parseNote(`text\n\n${lines}`).signatures).to.have.length(130);
    expectCode("VERIFY_MALFORMED", () => parseNote(`text\n\n${lines}${lines}`));
  });

  it("refuse what C2SP signed-note does not write", () => {
    const refused = [
      "",
      "text\n",
      "text\n\n",
      "text\n\n- name AAAAAAA=\n",
      "text\n\n\u2014 name AAAAAAA=",
      "text\n\n\u2014  AAAAAAA=\n",
      "text\n\n\u2014 na+me AAAAAAA=\n",
      "text\n\n\u2014 na\u00a0me AAAAAAA=\n",
      "text\n\n\u2014 name AAAAAAA= \n",
      "text\n\n\u2014 name AAAAAAB=\n",
      "text\n\n\u2014 name AAAAAAA\n",
      "text\n\n\u2014 name AAAA\n",
      "te\txt\n\n\u2014 name AAAAAAA=\n",
      "te\rxt\n\n\u2014 name AAAAAAA=\n",
      "text\n\n\u2014 name AAAAAAA=\n\u2014\n",
    ];
    for (const note of refused) expectCode("VERIFY_MALFORMED", () => parseNote(note));
  });

  it("print verifier keys that split at the first two plus signs only", () => {
    let withPlus = 0;
    for (let at = 0; at < 64; at++) {
      const key = { name: `example.com/${at}`, type: SIGNATURE_TYPE.ed25519, publicKey: hasher.sha256(encodeUtf8(`key ${at}`)) };
      const text = formatVerifierKey(hasher, key);
      if (text.split("+").length > 3) withPlus += 1;
      expect(parseVerifierKey(hasher, text)).to.deep.equal(key);
      expectCode("VERIFY_MALFORMED", () => parseVerifierKey(hasher, text.replace("example", "exemple")));
    }
    expect(withPlus).to.be.greaterThan(5);
    for (const text of ["", "a", "a+b", "a+00000000+AAAA", "+00000000+AAAA"])
      expectCode("VERIFY_MALFORMED", () => parseVerifierKey(hasher, text));
  });
});

describe("policies", () => {
  it("read back as they were written, for any weights", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 9 }), (weights) => {
        const policy = policyFor(membershipOf(weights), { environment: "development", zeroFaultTolerance: true, epoch: 3 });
        expect(parsePolicy(policyText(policy, "2027h1", hasher), hasher)).to.deep.equal(policy);
      }),
      { numRuns: 30 },
    );
  });

  it("count witnesses so that any K of them are a quorum, the lightest too", () => {
    expect(leastSufficientCount(policyFor(FOUR))).to.equal(3);
    expect(leastSufficientCount(policyFor(membershipOf([1, 1, 1, 1, 1, 1, 3])))).to.equal(7);
    expect(leastSufficientCount(policyFor(membershipOf([5, 5, 5, 5, 1])))).to.equal(4);
    expect(leastSufficientCount(policyFor(membershipOf([1, 1, 1, 1]), { faultModel: "crash" }))).to.equal(3);
    expect(leastSufficientCount(policyFor(membershipOf([1, 1, 1]), { faultModel: "crash" }))).to.equal(2);
  });

  it("name the L keys of one shard for stock tools, and hold for every shard here", () => {
    const member = FOUR.members[1];
    const line = `log ${formatVerifierKey(hasher, logKeyOf(member?.keys.log ?? "", POINT.origin))}`;
    expect(POLICY.split("\n")).to.include(line);
    const later: LogPoint = { ...POINT, origin: "bank.example/audit/c1c1c1c1/2031h1", shard: "2031h1" };
    expect(verifyCheckpoint(noteOf(later), POLICY, options).exitCode).to.equal(0);
    expect(fromBase64Url(member?.keys.log ?? "")).to.have.length(32);
  });

  it("are refused when a line is missing, repeated, unknown, or says something else than the others", () => {
    const lines = POLICY.split("\n");
    const significant = lines.map((line, at) => ({ line, at })).filter(({ line }) => line !== "" && !line.startsWith("# "));
    const refused = (changed: readonly string[]): void => expectCode("VERIFY_MALFORMED", () => parsePolicy(changed.join("\n"), hasher));
    for (const { line, at } of significant) {
      refused(lines.filter((_, index) => index !== at));
      refused([...lines, line]);
    }
    refused([...lines, "#quorumgate unheard-of 1"]);
    refused([...lines, "frobnicate"]);
    refused(lines.map((line) => line.replace("member node-1 weight 1", "member node-1 weight 9")));
    refused(lines.map((line) => line.replace("group cluster 3", "group cluster 2")));
    refused(lines.map((line) => line.replace("environment production", "environment staging")));
    expect(parsePolicy([...lines, "# a remark", ""].join("\n"), hasher)).to.deep.equal(policyFor(FOUR));
  });
});
