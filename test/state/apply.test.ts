import { expect } from "chai";
import { encodeEntry, parseEntry } from "#audit";
import { encodeCanonical, LIMITS, parseHash, parseNodeId, type SignedCommand, ZERO_HASH } from "#base";
import { LedgerState, resultOfEntry } from "#state";
import { AUDITOR, codes, DAY, ISSUER, keyOf, LedgerKit, OPERATOR, SECOND, START, transcript } from "./ledger-kit.ts";

describe("state: applying blocks", () => {
  let kit: LedgerKit;
  beforeEach(() => {
    kit = new LedgerKit();
  });

  it("registers, grants, allows and denies, and seals every block", () => {
    expect(transcript(kit.apply([kit.register("trader"), kit.grant("trader")]))).to.deep.equal(["applied OK", "applied OK"]);
    const applied = kit.apply([kit.authorize("trader"), kit.authorize("trader", { scope: "global" }), kit.authorize("stranger")]);
    expect(transcript(applied)).to.deep.equal(["allowed OK", "denied AUTHZ_SCOPE_EXCEEDED", "refused IDENTITY_UNKNOWN (counted only)"]);
    expect(applied.entries.map(({ kind }) => kind)).to.deep.equal(["decision", "decision", "block.sealed"]);
    expect(applied.entries.at(-1)?.content).to.deep.include({
      height: 2,
      stateHash: kit.state.stateHash,
      counts: { applied: 0, allowed: 1, denied: 1, refused: 1, refusals: { IDENTITY_UNKNOWN: 1 } },
    });
    expect(kit.state.totals).to.deep.equal({ applied: 2, allowed: 1, denied: 1, refused: 1 });
  });

  it("explains a denial by the closest grant and says what would have allowed it", () => {
    kit.apply([kit.register("trader")]);
    const far = kit.grant("trader", { scope: "user", riskLevel: "safe" });
    const close = kit.grant("trader", { scope: "user" });
    kit.apply([far, close]);
    const [result] = kit.apply([kit.authorize("trader")]).results;
    expect(result?.answer).to.deep.include({
      decision: "denied",
      reason: "AUTHZ_SCOPE_EXCEEDED",
      closestGrant: close.hash,
      wouldAllow: [{ change: "scope", to: "user" }],
      service: "trader",
      riskLevel: "dangerous",
      height: 3,
    });
    expect(result?.answer["stages"]).to.deep.equal([
      { stage: "identity", result: "passed", code: "OK" },
      {
        stage: "capability",
        result: "failed",
        code: "AUTHZ_SCOPE_EXCEEDED",
        failed: [{ check: "scope", code: "AUTHZ_SCOPE_EXCEEDED", asked: "application" }],
      },
      { stage: "constraints", result: "passed", code: "OK" },
    ]);
  });

  it("gives answers that follow from the bytes of their entries", () => {
    const digest = parseHash("d1".repeat(32));
    for (const commands of [
      [kit.register("trader"), kit.grant("trader"), kit.grant("nobody")],
      [kit.authorize("trader"), kit.authorize("trader", { scope: "global" }), kit.revokeService("trader"), kit.authorize("trader")],
    ]) {
      const { results, entries } = kit.apply(commands);
      const { height, timeUs } = kit.state;
      const block = { height, timeUs, proposer: parseNodeId("node-1"), digest, originView: 0, algorithm: "pbft" };
      for (const { command, entry, ...result } of results) {
        const draft = entries[entry ?? -1];
        if (draft === undefined) throw new Error("every one of these has an entry");
        const read = parseEntry(encodeEntry(draft, block, { seq: 1, previousHash: ZERO_HASH }));
        expect([read.command, resultOfEntry(read, read.block)]).to.deep.equal([command, result]);
      }
    }
  });

  it("lets a revocation bind the later commands of the same block", () => {
    const grant = kit.grant("trader");
    kit.apply([kit.register("trader"), grant, kit.register("other"), kit.grant("other")]);
    const applied = kit.apply([
      kit.authorize("trader"),
      kit.revokeService("trader"),
      kit.authorize("trader"),
      kit.grant("trader"),
      kit.register("trader", { notAfterUs: START + 60 * DAY }),
      kit.authorize("other"),
    ]);
    expect(transcript(applied)).to.deep.equal([
      "allowed OK",
      "applied OK",
      "denied IDENTITY_REVOKED",
      "refused IDENTITY_REVOKED",
      "refused IDENTITY_REVOKED",
      "allowed OK",
    ]);
    expect(kit.state.service("trader")?.revoked).to.deep.include({ by: OPERATOR.id, height: 2, reason: "key lost" });
  });

  it("denies what a revoked or ended grant covered, and names the grant", () => {
    const grant = kit.grant("trader", {}, { notAfterUs: START + 3 * SECOND });
    kit.apply([kit.register("trader"), grant]);
    expect(codes(kit.apply([kit.authorize("trader")]))).to.deep.equal(["OK"]);
    expect(codes(kit.apply([kit.authorize("trader")]))).to.deep.equal(["AUTHZ_GRANT_EXPIRED"]);
    const applied = kit.apply([kit.revokeGrant(grant.hash), kit.authorize("trader"), kit.revokeGrant(grant.hash)]);
    expect(codes(applied)).to.deep.equal(["OK", "AUTHZ_GRANT_REVOKED", "AUTHZ_GRANT_REVOKED"]);
  });

  it("lets only operators and the service itself revoke, and only operators grant", () => {
    kit.apply([kit.register("trader"), kit.register("other")]);
    const byService = { ...kit.grant("trader").command, issuer: "trader" };
    const applied = kit.apply([
      kit.revokeService("trader", "other"),
      kit.revokeService("trader", AUDITOR.id),
      kit.command({ kind: "grant.create", by: "trader", body: byService.body }),
      kit.revokeGrant("0".repeat(64), AUDITOR.id),
      kit.revokeGrant("0".repeat(64)),
      kit.revokeService("nobody"),
      kit.grant("nobody"),
      kit.revokeService("trader", "trader"),
      kit.revokeService("trader"),
    ]);
    expect(codes(applied)).to.deep.equal([
      "IDENTITY_ROLE_MISSING",
      "IDENTITY_ROLE_MISSING",
      "IDENTITY_ROLE_MISSING",
      "IDENTITY_ROLE_MISSING",
      "AUTHZ_GRANT_UNKNOWN",
      "IDENTITY_UNKNOWN",
      "IDENTITY_UNKNOWN",
      "OK",
      "IDENTITY_REVOKED",
    ]);
    expect(applied.results.every(({ entry }) => entry !== undefined)).to.equal(true);
  });

  it("registers a key and an id for one role only", () => {
    kit.apply([kit.register("trader")]);
    const applied = kit.apply([
      kit.register("second", { publicKey: keyOf("trader") }),
      kit.register("third", { publicKey: OPERATOR.key }),
      kit.register("fourth", { publicKey: keyOf("node-1 vote") }),
      kit.register("fifth", { publicKey: ISSUER.key }),
      kit.register("trader", { publicKey: keyOf("new key") }),
      kit.register("node-1"),
      kit.register("sixth", { issuer: "unknown-ca" }),
      kit.register("seventh", { notBeforeUs: START + DAY }),
      kit.register("eighth", { notAfterUs: START + SECOND }),
    ]);
    expect(transcript(applied)).to.deep.equal([
      "refused IDENTITY_KEY_REUSED",
      "refused IDENTITY_KEY_REUSED",
      "refused IDENTITY_KEY_REUSED",
      "refused IDENTITY_KEY_REUSED",
      "refused IDENTITY_EXISTS",
      "refused IDENTITY_EXISTS",
      "refused IDENTITY_ISSUER_UNKNOWN (counted only)",
      "refused IDENTITY_EXPIRED",
      "refused IDENTITY_EXPIRED",
    ]);
    expect(kit.state.serviceCount).to.equal(1);
  });

  it("renews a registration with a later attestation only, and keeps its first height", () => {
    kit.apply([kit.register("trader", { notAfterUs: START + 5 * SECOND }), kit.grant("trader")]);
    expect(codes(kit.apply([kit.authorize("trader")], 10 * SECOND))).to.deep.equal(["IDENTITY_EXPIRED"]);
    const renewal = kit.register("trader", { notAfterUs: START + 60 * DAY });
    const older = kit.register("trader", { notAfterUs: START + 50 * DAY });
    const applied = kit.apply([renewal, older, kit.authorize("trader")]);
    expect(codes(applied)).to.deep.equal(["OK", "IDENTITY_EXISTS", "OK"]);
    expect(applied.results[0]?.answer["action"]).to.equal("service.renewed");
    expect(kit.state.service("trader")).to.deep.include({ registeredHeight: 1, renewedHeight: 3 });
  });

  it("records who asks under the key that is registered, and only counts any other", () => {
    kit.apply([kit.register("trader"), kit.grant("trader")]);
    const applied = kit.apply([
      kit.authorize("trader", {}, { key: keyOf("thief") }),
      kit.command({ kind: "grant.create", by: OPERATOR.id, key: keyOf("thief"), body: kit.grant("trader").command.body }),
      kit.authorize(OPERATOR.id),
    ]);
    expect(transcript(applied)).to.deep.equal([
      "refused IDENTITY_KEY_MISMATCH (counted only)",
      "refused IDENTITY_KEY_MISMATCH (counted only)",
      "denied IDENTITY_UNKNOWN",
    ]);
  });

  describe("at most once", () => {
    let command: SignedCommand;
    beforeEach(() => {
      kit.apply([kit.register("trader"), kit.grant("trader")]);
      command = kit.authorize("trader");
    });

    it("takes a command once, in one block or in two", () => {
      expect(codes(kit.apply([command, command]))).to.deep.equal(["OK", "COMMAND_DUPLICATE"]);
      expect(codes(kit.apply([command]))).to.deep.equal(["COMMAND_DUPLICATE"]);
      expect(kit.state.usedBy(command.command)).to.equal(command.hash);
    });

    it("refuses other bytes under a used id, and takes the same id under another key", () => {
      const { id } = command.command;
      kit.apply([command, kit.register("other"), kit.grant("other")]);
      const applied = kit.apply([kit.authorize("trader", { scope: "user" }, { id }), kit.authorize("other", {}, { id })]);
      expect(codes(applied)).to.deep.equal(["COMMAND_REPLAYED", "OK"]);
    });

    it("never takes a command again, however long after, and forgets its id once it has expired", () => {
      kit.apply([command]);
      const lifetime = command.command.expiresAtUs - kit.state.timeUs;
      expect(codes(kit.apply([command], lifetime - 1))).to.deep.equal(["COMMAND_DUPLICATE"]);
      expect(codes(kit.apply([command], 1))).to.deep.equal(["COMMAND_EXPIRED"]);
      expect(codes(kit.apply([command], 2 * SECOND))).to.deep.equal(["COMMAND_EXPIRED"]);
      expect(kit.state.usedBy(command.command)).to.equal(undefined);
      expect([...kit.state.entries()].filter(([key]) => key.startsWith("used/"))).to.deep.equal([]);
    });

    it("remembers an id until its very last microsecond, which need not end a second", () => {
      const odd = kit.authorize("trader", {}, { expiresAtUs: kit.state.timeUs + 2_500_000 });
      kit.apply([odd], SECOND);
      kit.apply([], SECOND);
      expect(codes(kit.apply([odd], 499_999))).to.deep.equal(["COMMAND_DUPLICATE"]);
      expect(codes(kit.apply([odd], 1))).to.deep.equal(["COMMAND_EXPIRED"]);
    });

    it("refuses other bytes under a used id as long as they live, though what used it expires before, and restored nodes do too", () => {
      const { id } = command.command;
      const lives = (seconds: number): SignedCommand =>
        kit.authorize("trader", { scope: "user" }, { id, expiresAtUs: start + seconds * SECOND });
      const start = kit.state.timeUs;
      const rows = (): number => [...kit.state.entries()].filter(([key]) => key.startsWith("used/")).length;
      const before = rows();
      const [first, second, third] = [lives(10), lives(40), lives(20)];
      expect(codes(kit.apply([first, second, third, second], SECOND))).to.deep.equal([
        "OK",
        ...Array.from({ length: 3 }, () => "COMMAND_REPLAYED"),
      ]);
      expect(rows(), "two more seconds at which something is forgotten").to.equal(before + 2);
      const stored = [...kit.stored()];
      const hashes = [stored, stored.toReversed()].map((order) => {
        const restored = LedgerState.restore(kit.options(), order);
        const applied = restored.apply(kit.block([first, second, third], 14 * SECOND));
        expect(codes(applied)).to.deep.equal(["COMMAND_EXPIRED", "COMMAND_REPLAYED", "COMMAND_REPLAYED"]);
        return applied.stateHash;
      });
      expect(codes(kit.apply([first, second, third], 14 * SECOND))).to.deep.equal([
        "COMMAND_EXPIRED",
        "COMMAND_REPLAYED",
        "COMMAND_REPLAYED",
      ]);
      expect(hashes).to.deep.equal([kit.state.stateHash, kit.state.stateHash]);
      expect(codes(kit.apply([second], 26 * SECOND))).to.deep.equal(["COMMAND_EXPIRED"]);
      expect(rows()).to.equal(before);
      expect(codes(kit.apply([lives(60)]))).to.deep.equal(["OK"]);
    });

    it("spends the id of a denial, and of a refusal that its issuer's later registration would lift", () => {
      const denied = kit.authorize("trader", { scope: "global" });
      const early = kit.authorize("latecomer");
      expect(codes(kit.apply([denied, early]))).to.deep.equal(["AUTHZ_SCOPE_EXCEEDED", "IDENTITY_UNKNOWN"]);
      kit.apply([kit.register("latecomer"), kit.grant("latecomer")]);
      expect(codes(kit.apply([denied, early, kit.authorize("latecomer")]))).to.deep.equal(["COMMAND_DUPLICATE", "COMMAND_DUPLICATE", "OK"]);
    });
  });

  it("refuses what has expired, is from the future, lives too long, or is for another cluster", () => {
    kit.apply([kit.register("trader"), kit.grant("trader")]);
    const now = kit.state.timeUs;
    const skew = LIMITS.clockSkewMaxUs;
    const applied = kit.apply(
      [
        kit.authorize("trader", {}, { issuedAtUs: now - 10 * SECOND, expiresAtUs: now + SECOND }),
        kit.authorize("trader", {}, { issuedAtUs: now - 10 * SECOND, expiresAtUs: now + SECOND + 1 }),
        kit.authorize("trader", {}, { issuedAtUs: now + SECOND + skew + 1 }),
        kit.authorize("trader", {}, { issuedAtUs: now + SECOND + skew }),
        kit.authorize("trader", {}, { expiresAtUs: now + LIMITS.commandLifetimeMaxUs + 1 }),
        kit.authorize("trader", {}, { expiresAtUs: now + LIMITS.commandLifetimeMaxUs }),
        kit.authorize("trader", {}, { cluster: "1".repeat(64) as SignedCommand["hash"] }),
        kit.command({ kind: "service.rename", by: "trader", body: {} }),
      ],
      SECOND,
    );
    expect(codes(applied)).to.deep.equal([
      "COMMAND_EXPIRED",
      "OK",
      "COMMAND_EXPIRED",
      "OK",
      "COMMAND_WINDOW",
      "OK",
      "COMMAND_CLUSTER",
      "COMMAND_KIND_UNKNOWN",
    ]);
  });

  it("bounds the grants for one operation, and lets a new one take the place of an ended one", () => {
    kit.apply([kit.register("trader")]);
    const grants = Array.from({ length: LIMITS.grantsPerOperationMax }, () => kit.grant("trader"));
    expect(new Set(codes(kit.apply(grants)))).to.deep.equal(new Set(["OK"]));
    const [first, second] = grants;
    expect(codes(kit.apply([kit.grant("trader"), kit.grant("trader", { operation: "read" })]))).to.deep.equal(["AUTHZ_GRANT_LIMIT", "OK"]);
    expect(codes(kit.apply([kit.revokeGrant(second?.hash ?? ""), kit.grant("trader")]))).to.deep.equal(["OK", "OK"]);
    expect(kit.state.grant(second?.hash ?? "")).to.equal(undefined);
    expect(kit.state.grant(first?.hash ?? "")).to.not.equal(undefined);
    expect(kit.state.grantsOf("trader")).to.have.length(LIMITS.grantsPerOperationMax + 1);
  });

  it("makes entries that fit a leaf of the log, from the largest commands", () => {
    kit.apply([kit.register("trader")]);
    const resources = Array.from({ length: LIMITS.resourcesMax }, (_, index) => `${index}-`.padEnd(LIMITS.resourceLengthMax - 1, "x"));
    const granted = kit.grant("trader", { resources: resources.map((resource) => `${resource}!`) });
    const claims = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`claim${index}`, "\u0001".repeat(LIMITS.freeTextMax)]));
    const registration = kit.registration("large");
    const large = kit.register("large", { attestation: { ...registration.attestation, claims } });
    const applied = kit.apply([granted, large, kit.authorize("trader", { resources, temporal: "x".repeat(LIMITS.wordLengthMax) })]);
    expect(codes(applied)).to.deep.equal(["OK", "OK", "AUTHZ_TEMPORAL_DENIED"]);
    for (const entry of applied.entries) expect(encodeCanonical({ ...entry }).length).to.be.below(LIMITS.entryBytesMax - 4_096);
  });

  it("looks at grants in the order in which they were made, after a restore too", () => {
    const grants = Array.from({ length: 5 }, () => kit.grant("trader", { scope: "user" }));
    kit.apply([kit.register("trader"), ...grants]);
    const ids = grants.map(({ hash }) => hash);
    for (const stored of [[...kit.stored()], [...kit.stored()].reverse(), [...kit.stored()].sort()]) {
      const restored = LedgerState.restore(kit.options(), stored);
      expect(restored.grantsOf("trader").map(({ id }) => id)).to.deep.equal(ids);
    }
    expect(kit.apply([kit.authorize("trader")]).results[0]?.answer["closestGrant"]).to.equal(ids[0]);
  });

  it("pages through services in ascending id", () => {
    kit.apply(["delta", "alpha", "charlie", "bravo"].map((id) => kit.register(id)));
    const first = kit.state.services({ limit: 3 });
    expect(first.items.map(({ id }) => id)).to.deep.equal(["alpha", "bravo", "charlie"]);
    const second = kit.state.services({ limit: 3, ...(first.next === undefined ? {} : { after: first.next }) });
    expect(second.items.map(({ id }) => id)).to.deep.equal(["delta"]);
    expect(second.next).to.equal(undefined);
  });

  it("refuses to apply a block that does not follow the last one", () => {
    const block = kit.block([]);
    kit.apply([]);
    expect(() => kit.state.apply(block)).to.throw("blocks are applied in order");
    expect(() => kit.state.apply(kit.block([], 0))).to.throw("agreed time goes forward");
  });
});
