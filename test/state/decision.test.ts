import { expect } from "chai";
import fc from "fast-check";
import type { CanonicalObject, SignedCommand } from "#base";
import { AUDIT_LEVELS, type Capability, type CapabilityPattern, RISK_LEVELS, SCOPES } from "#state";
import { keyOf, LedgerKit, SECOND, START } from "./ledger-kit.ts";

/** Volumes and rates as texts with what they mean, written down by hand: the oracle parses nothing. */
const VOLUMES = [
  ["1000B", 1_000],
  ["1kB", 1_000],
  ["1KiB", 1_024],
  ["2MB", 2_000_000],
  ["1GB", 1_000_000_000],
] as const;
const RATES = [
  ["1/sec", 3_600],
  ["60/min", 3_600],
  ["100/hour", 100],
  ["2/sec", 7_200],
] as const;
const RESOURCES = ["a", "ab", "abc", "b", "market/eu", "market/us"];
const PATTERNS = ["*", "a", "a*", "ab", "b", "market/*"];

const constraints = fc.record(
  {
    dataVolume: fc.constantFrom(...VOLUMES.map(([text]) => text)),
    rateLimit: fc.constantFrom(...RATES.map(([text]) => text)),
    userConsent: fc.boolean(),
    auditLevel: fc.constantFrom(...AUDIT_LEVELS),
  },
  { requiredKeys: [] },
);

const request = fc.record(
  {
    domain: fc.constantFrom("data", "compute"),
    operation: fc.constantFrom("read", "write"),
    scope: fc.constantFrom(...SCOPES),
    temporal: fc.constantFrom("immediate", "batch"),
    riskLevel: fc.constantFrom(...RISK_LEVELS),
    resources: fc.uniqueArray(fc.constantFrom(...RESOURCES), { maxLength: 3 }),
    constraints,
  },
  { requiredKeys: ["domain", "operation", "scope", "temporal", "riskLevel", "resources"] },
);

const granted = fc.record({
  capability: fc.record(
    {
      domain: fc.constantFrom("data", "compute"),
      operation: fc.constantFrom("read", "write", "*"),
      scope: fc.constantFrom(...SCOPES),
      temporal: fc.uniqueArray(fc.constantFrom("immediate", "batch", "*"), { minLength: 1, maxLength: 2 }),
      riskLevel: fc.constantFrom(...RISK_LEVELS),
      resources: fc.uniqueArray(fc.constantFrom(...PATTERNS), { maxLength: 3 }),
      constraints,
    },
    { requiredKeys: ["domain", "operation", "scope", "temporal", "riskLevel", "resources"] },
  ),
  end: fc.constantFrom("none", "none", "expired", "future", "revoked"),
});

type Granted = { readonly capability: CapabilityPattern; readonly end: string };

/** Codes of all that is wrong with one grant, in the order of reasons; undefined when it is for another operation. */
function wrongs({ capability: grant, end }: Granted, asked: Capability): string[] | undefined {
  if (grant.domain !== asked.domain || (grant.operation !== "*" && grant.operation !== asked.operation)) return undefined;
  const found: string[] = [];
  const limits = grant.constraints ?? {};
  const stated = asked.constraints ?? {};
  const volume = (text: string | undefined): number => VOLUMES.find(([name]) => name === text)?.[1] ?? Number.POSITIVE_INFINITY;
  const rate = (text: string | undefined): number => RATES.find(([name]) => name === text)?.[1] ?? Number.POSITIVE_INFINITY;
  const covers = (pattern: string, resource: string): boolean =>
    pattern === "*" || pattern === resource || (pattern === "a*" && resource[0] === "a") || (pattern === "market/*" && resource.length > 7);
  if (end === "revoked") found.push("AUTHZ_GRANT_REVOKED");
  if (end === "expired" || end === "future") found.push("AUTHZ_GRANT_EXPIRED");
  if (SCOPES.indexOf(asked.scope) > SCOPES.indexOf(grant.scope)) found.push("AUTHZ_SCOPE_EXCEEDED");
  if (!grant.temporal.some((pattern) => pattern === "*" || pattern === asked.temporal)) found.push("AUTHZ_TEMPORAL_DENIED");
  const uncovered = asked.resources.filter((resource) => !grant.resources.some((pattern) => covers(pattern, resource)));
  if (uncovered.length > 0) found.push("AUTHZ_RESOURCE_DENIED");
  if (RISK_LEVELS.indexOf(asked.riskLevel) > RISK_LEVELS.indexOf(grant.riskLevel)) found.push("AUTHZ_RISK_EXCEEDED");
  if (volume(stated.dataVolume) > volume(limits.dataVolume)) found.push("AUTHZ_CONSTRAINT_EXCEEDED");
  if (rate(stated.rateLimit) > rate(limits.rateLimit)) found.push("AUTHZ_CONSTRAINT_EXCEEDED");
  if (limits.userConsent === true && stated.userConsent !== true) found.push("AUTHZ_CONSENT_MISSING");
  const level = (text: (typeof AUDIT_LEVELS)[number] | undefined): number => AUDIT_LEVELS.indexOf(text ?? "minimal");
  if (level(stated.auditLevel) < level(limits.auditLevel)) found.push("AUTHZ_AUDIT_LEVEL");
  return found;
}

/** What the rules say, by brute force over all grants. */
function oracle(grants: readonly Granted[], asked: Capability): string {
  const judged = grants.flatMap((grant, place) => {
    const found = wrongs(grant, asked);
    return found === undefined ? [] : [{ found, ended: grant.end !== "none", place }];
  });
  if (judged.length === 0) return "AUTHZ_NO_GRANT";
  judged.sort(
    (left, right) => left.found.length - right.found.length || Number(left.ended) - Number(right.ended) || left.place - right.place,
  );
  return judged[0]?.found[0] ?? "OK";
}

/** A ledger in which the grants stand as drawn when the next block, ten seconds on, asks. */
function ledgerWith(grants: readonly Granted[]): LedgerKit {
  const kit = new LedgerKit();
  const commands = grants.map(({ capability, end }): SignedCommand => {
    const notAfterUs = end === "expired" ? START + 5 * SECOND : START + 1_000 * SECOND;
    return kit.grant("trader", capability, { notBeforeUs: end === "future" ? START + 500 * SECOND : START, notAfterUs });
  });
  kit.apply([kit.register("trader"), ...commands]);
  kit.apply(commands.filter((_command, index) => grants[index]?.end === "revoked").map(({ hash }) => kit.revokeGrant(hash)));
  return kit;
}

describe("state: decisions", () => {
  it("are what the rules say by brute force over every grant, with the closest grant's reason", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(granted, { maxLength: 6 }), fc.array(request, { minLength: 1, maxLength: 8 }), (grants, requests) => {
        const kit = ledgerWith(grants);
        const applied = kit.apply(
          requests.map((capability) =>
            kit.command({ kind: "authorize", by: "trader", body: { capability: capability as CanonicalObject } }),
          ),
          10 * SECOND,
        );
        requests.forEach((capability, index) => {
          const expected = oracle(grants, capability);
          seen.add(expected);
          expect(applied.results[index]?.code).to.equal(expected);
          expect(applied.results[index]?.outcome).to.equal(expected === "OK" ? "allowed" : "denied");
        });
      }),
      { numRuns: 400 },
    );
    expect([...seen]).to.include.members(["OK", "AUTHZ_NO_GRANT", "AUTHZ_SCOPE_EXCEEDED", "AUTHZ_GRANT_REVOKED", "AUTHZ_GRANT_EXPIRED"]);
  });

  it("are the same in a dry run against the state as at commit", () => {
    fc.assert(
      fc.property(fc.array(granted, { maxLength: 6 }), request, (grants, capability) => {
        const kit = ledgerWith(grants);
        const committed = kit.apply([kit.command({ kind: "authorize", by: "trader", body: { capability: capability as CanonicalObject } })])
          .results[0];
        const before = kit.state.stateHash;
        const dry = kit.state.evaluate({ serviceId: "trader", key: keyOf("trader"), capability });
        expect({ decision: dry.decision, reason: dry.reason }).to.deep.equal({ decision: committed?.outcome, reason: committed?.code });
        expect(kit.state.stateHash).to.equal(before);
      }),
      { numRuns: 100 },
    );
  });

  it("become allowed once every hint of a denial is followed", () => {
    const kit = new LedgerKit();
    kit.apply([
      kit.register("trader"),
      kit.grant("trader", {
        scope: "application",
        riskLevel: "elevated",
        temporal: ["batch"],
        resources: ["market/eu"],
        constraints: { dataVolume: "1GB", rateLimit: "60/min", userConsent: true, auditLevel: "detailed" },
      }),
    ]);
    const asked = {
      domain: "compute",
      operation: "execute",
      scope: "global",
      temporal: "immediate",
      riskLevel: "critical",
      resources: ["x"],
    } as const;
    const denied = kit.state.evaluate({ serviceId: "trader", capability: asked });
    expect(denied.wouldAllow).to.deep.equal([
      { change: "scope", to: "application" },
      { change: "temporal", to: "batch" },
      { change: "resources", to: "market/eu" },
      { change: "riskLevel", to: "elevated" },
      { change: "dataVolume", to: "1GB" },
      { change: "rateLimit", to: "60/min" },
      { change: "userConsent", to: "with consent" },
      { change: "auditLevel", to: "detailed" },
    ]);
    const followed: Capability = {
      ...asked,
      scope: "application",
      temporal: "batch",
      resources: ["market/eu"],
      riskLevel: "elevated",
      constraints: { dataVolume: "1GB", rateLimit: "60/min", userConsent: true, auditLevel: "detailed" },
    };
    expect(kit.state.evaluate({ serviceId: "trader", capability: followed }).decision).to.equal("allowed");
  });

  it("name the grant for the very operation before one for every operation, and the older before the newer", () => {
    const kit = new LedgerKit();
    const grants = [kit.grant("trader", { operation: "*" }), kit.grant("trader"), kit.grant("trader")];
    const applied = kit.apply([kit.register("trader"), ...grants, kit.authorize("trader"), kit.authorize("trader", { operation: "read" })]);
    const named = applied.results.slice(-2).map(({ answer }) => answer["grant"]);
    expect(named).to.deep.equal([grants[1]?.hash, grants[0]?.hash]);
  });

  it("name the identity before any grant", () => {
    const kit = new LedgerKit();
    kit.apply([kit.register("trader"), kit.grant("trader")]);
    const capability: Capability = { ...kit.pattern(), temporal: "continuous", resources: [] };
    const reasonFor = (serviceId: string, key = keyOf("trader")): string => kit.state.evaluate({ serviceId, key, capability }).reason;
    expect(reasonFor("stranger")).to.equal("IDENTITY_UNKNOWN");
    expect(reasonFor("trader", keyOf("thief"))).to.equal("IDENTITY_KEY_MISMATCH");
    expect(reasonFor("trader")).to.equal("OK");
  });
});

describe("decisions of a cluster that tolerates crashes only", () => {
  it("are made up to elevated risk, and denied above with a code that says why, whatever is granted", () => {
    for (const [engine, allowed] of [
      ["raft", 2],
      ["pbft", 4],
      ["tendermint", 4],
    ] as const) {
      const kit = new LedgerKit(engine);
      kit.apply([kit.register("trader"), kit.grant("trader")]);
      kit.apply([kit.grant("trader")]);
      const applied = kit.apply(RISK_LEVELS.map((riskLevel) => kit.authorize("trader", { riskLevel })));
      const outcomes = applied.results.map(({ outcome, code }) => `${outcome} ${code}`);
      const denied = Array.from({ length: 4 - allowed }, () => "denied AUTHZ_ENGINE_TOO_WEAK");
      expect(outcomes, engine).to.deep.equal([...Array.from({ length: allowed }, () => "allowed OK"), ...denied]);
    }
  });
});
