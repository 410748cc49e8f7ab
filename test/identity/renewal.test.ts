import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type PublicKey, toBase64Url } from "#base";
import { loadSodium, type Sodium } from "#crypto";
import {
  findRenewedKey,
  loadNodeIdentity,
  type NodeIdentity,
  readNodeFile,
  renewNodeIdentity,
  saveNodeIdentity,
  saveRenewal,
  settleRenewal,
} from "#identity";
import { expectCode } from "../refusals.ts";
import { makeNode, NOW_MS } from "./nodes.ts";

describe("the renewal of a node's keys", () => {
  let sodium: Sodium;
  let folder: string;
  let identity: NodeIdentity;
  let renewed: NodeIdentity;

  before(async () => {
    sodium = await loadSodium();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorumgate-renewal-"));
    identity = makeNode(sodium, "bank-a");
    renewed = renewNodeIdentity(sodium, identity, { nowMs: NOW_MS, peerAddress: "10.0.0.9:7501" });
    saveNodeIdentity(folder, identity);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const file = (...parts: string[]): string => join(folder, ...parts);
  const find = (role: "log" | "witness" | "vote", key: PublicKey): boolean => findRenewedKey(sodium, folder, { role, key }) !== undefined;

  it("makes new L and W keys and states them under every key of the node", () => {
    const { member } = readNodeFile(sodium, renewed.nodeFile);
    expect(member).to.deep.equal(renewed.member);
    expect(member.keys.log).not.to.equal(identity.member.keys.log);
    expect(member.keys.witness).not.to.equal(identity.member.keys.witness);
    const { log, witness } = member.keys;
    expect(member).to.deep.equal({ ...identity.member, peerAddress: "10.0.0.9:7501", keys: { ...identity.member.keys, log, witness } });
  });

  it("lies beside the present keys, readable by the owner alone, until its epoch begins", () => {
    saveRenewal(folder, renewed);
    expect(loadNodeIdentity(sodium, folder).member).to.deep.equal(identity.member);
    expect([find("log", renewed.member.keys.log), find("witness", renewed.member.keys.witness)]).to.deep.equal([true, true]);
    expect([find("log", identity.member.keys.log), find("vote", identity.member.keys.vote)]).to.deep.equal([true, false]);
    if (process.platform !== "win32") expect(statSync(file("renewal", "log.key")).mode & 0o777).to.equal(0o600);
    expectCode("IDENTITY_FOLDER_INVALID", () => saveRenewal(folder, renewed));
    expect(settleRenewal(sodium, folder, identity.member), "the ledger names the old keys still").to.equal(false);
    expect(existsSync(file("renewal", "node.json"))).to.equal(true);
  });

  it("takes the place of the old keys, of which nothing is left", () => {
    saveRenewal(folder, renewed);
    expect(settleRenewal(sodium, folder, { ...renewed.member, weight: 5 })).to.equal(true);
    const loaded = loadNodeIdentity(sodium, folder);
    expect(loaded.member).to.deep.equal(renewed.member);
    expect(toBase64Url(loaded.keys.log.publicKey)).to.equal(renewed.member.keys.log);
    expect(existsSync(file("renewal"))).to.equal(false);
    expect(settleRenewal(sodium, folder, renewed.member), "once").to.equal(false);
    expect(find("log", identity.member.keys.log)).to.equal(false);
    // A node that signs nothing in the epoch before its first height is certified looks for them only now.
    for (const role of ["log", "witness"] as const) expect(find(role, renewed.member.keys[role]), role).to.equal(true);
    const again = renewNodeIdentity(sodium, loaded, { nowMs: NOW_MS });
    saveRenewal(folder, again);
    expect(settleRenewal(sodium, folder, again.member)).to.equal(true);
  });

  const steps: readonly (readonly [string, string])[] = [
    ["renewal/log.key", "keys/log.key"],
    ["renewal/witness.key", "keys/witness.key"],
    ["renewal/node.json", "node.json"],
  ];
  for (const done of [1, 2, 3]) {
    it(`goes on at the next start when it was interrupted after ${done} of ${steps.length} steps`, () => {
      saveRenewal(folder, renewed);
      for (const [from, to] of steps.slice(0, done)) renameSync(file(from), file(to));
      expect(loadNodeIdentity(sodium, folder).member).to.deep.equal(renewed.member);
      expect(loadNodeIdentity(sodium, folder).member).to.deep.equal(renewed.member);
      saveRenewal(folder, renewNodeIdentity(sodium, renewed, { nowMs: NOW_MS }));
    });
  }

  it("begins anew over what a crash left before its statement was written", () => {
    mkdirSync(file("renewal"));
    saveRenewal(folder, renewed);
    rmSync(file("renewal", "node.json"));
    expect(loadNodeIdentity(sodium, folder).member).to.deep.equal(identity.member);
    const again = renewNodeIdentity(sodium, identity, { nowMs: NOW_MS });
    saveRenewal(folder, again);
    expect(find("log", again.member.keys.log)).to.equal(true);
  });
});
