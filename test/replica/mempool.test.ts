import { createHash } from "node:crypto";
import { expect } from "chai";
import { encodeCommand, encodeUtf8, LIMITS, parsePublicKey, parseSubjectId, signedCommandOf, toBase64Url, ZERO_HASH } from "#base";
import { Mempool } from "#replica";

const hasher = { sha256: (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest()) };

let made = 0;

function pooled(
  issuer: string,
  about: { readonly arrivedUs?: number; readonly expiresAtUs?: number; readonly isStranger?: boolean } = {},
): Parameters<Mempool["add"]>[0] {
  made += 1;
  const id = toBase64Url(hasher.sha256(encodeUtf8(`command ${made}`)).slice(0, 16));
  const { arrivedUs = made, expiresAtUs = 2_000_000, isStranger = false } = about;
  const key = parsePublicKey(toBase64Url(hasher.sha256(encodeUtf8(issuer))));
  const fields = {
    cluster: ZERO_HASH,
    kind: "authorize",
    id,
    issuer: parseSubjectId(issuer),
    key,
    issuedAtUs: 1_000_000,
    expiresAtUs,
    body: {},
  };
  const bytes = encodeCommand(fields);
  const signed = signedCommandOf(hasher, { bytes, signature: new Uint8Array(64) });
  return { signed, encoded: bytes, leaf: hasher.sha256(bytes), arrivedUs, isStranger };
}

describe("the mempool", () => {
  it("takes turns between callers, so that a flood waits behind itself", () => {
    const pool = new Mempool();
    for (let i = 0; i < 5; i++) pool.add(pooled("flood-001"));
    pool.add(pooled("quiet-001"));
    pool.add(pooled("quiet-002"));
    const order = pool.select().map(({ signed }) => signed.command.issuer);
    expect(order.slice(0, 3)).to.have.members(["flood-001", "quiet-001", "quiet-002"]);
    expect(order.slice(3)).to.deep.equal(["flood-001", "flood-001", "flood-001", "flood-001"]);
  });

  it("bounds what one caller may have waiting, and leaves room for others", () => {
    const pool = new Mempool();
    for (let i = 0; i < LIMITS.mempoolPerIssuerMax; i++) expect(pool.add(pooled("flood-001"))).to.equal(undefined);
    expect(pool.add(pooled("flood-001"))).to.equal("issuer-full");
    expect(pool.add(pooled("quiet-001"))).to.equal(undefined);
  });

  it("has little room for issuers whom nobody registered, however many of them are made up, and all of it again once they are gone", () => {
    const pool = new Mempool();
    const strangers = Array.from({ length: LIMITS.mempoolStrangersMax }, (_, at) => pooled(`stranger-${at}`, { isStranger: true }));
    for (const stranger of strangers) expect(pool.add(stranger)).to.equal(undefined);
    expect(pool.add(pooled("stranger-more", { isStranger: true }))).to.equal("strangers-full");
    expect(pool.add(pooled("quiet-001"))).to.equal(undefined);
    for (const { signed } of strangers) pool.remove(signed.hash);
    expect(pool.add(pooled("stranger-more", { isStranger: true }))).to.equal(undefined);
  });

  it("keeps a command once, until it is ordered", () => {
    const pool = new Mempool();
    const item = pooled("quiet-001");
    for (const _again of [1, 2]) pool.add(item);
    expect(pool.size).to.equal(1);
    expect(pool.select()).to.deep.equal([item]);
    expect(pool.size, "selecting takes nothing out").to.equal(1);
    pool.remove(item.signed.hash);
    expect(pool.has(item.signed.hash)).to.equal(false);
    expect(pool.select()).to.deep.equal([]);
  });

  it("drops what has expired, and nothing else", () => {
    const pool = new Mempool();
    const [late, good] = [pooled("quiet-001", { expiresAtUs: 1_500_000 }), pooled("quiet-001", { expiresAtUs: 1_500_001 })];
    pool.add(late);
    pool.add(good);
    expect(pool.dropExpired(1_500_001)).to.deep.equal([late.signed]);
    expect(pool.select()).to.deep.equal([good]);
  });

  it("names the commands that have waited for too long, oldest first", () => {
    const pool = new Mempool();
    const items = [10, 20, 30].map((arrivedUs) => pooled("quiet-001", { arrivedUs }));
    for (const item of items) pool.add(item);
    expect(pool.waitingSince(20, 10)).to.deep.equal(items.slice(0, 2));
    expect(pool.waitingSince(30, 1)).to.deep.equal(items.slice(0, 1));
  });

  it("takes what arrived by a clock that was set back since as arriving now", () => {
    const pool = new Mempool();
    const late = pooled("quiet-001", { arrivedUs: 90 });
    pool.add(late);
    expect(pool.waitingSince(20, 10)).to.deep.equal([]);
    pool.onClockSetBack(10);
    expect(pool.waitingSince(20, 10)).to.deep.equal([late]);
  });
});
