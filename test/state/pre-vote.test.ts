import { generateKeyPairSync, sign, verify } from "node:crypto";
import { expect } from "chai";
import { type CanonicalObject, errorCode, fromBase64Url, parsePublicKey, type SignedCommand, signedBytes, toBase64Url } from "#base";
import {
  AUDIT_LEVELS,
  attestationBytes,
  CAPABILITY_PRESETS,
  CapabilityBuilder,
  capabilityPreset,
  capabilityToCanonical,
  checkCommandShape,
  commandClaims,
  parseCapability,
  parseDataVolume,
  parseRateLimit,
} from "#state";
import { hasher, ISSUER, keyOf, LedgerKit, SECOND } from "./ledger-kit.ts";

const kit = new LedgerKit();

function codeOf(action: () => unknown): string {
  try {
    action();
    return "OK";
  } catch (error) {
    return errorCode(error);
  }
}

function shapeOf(signed: SignedCommand): string {
  return codeOf(() => checkCommandShape(signed.command, { cluster: kit.cluster }));
}

/** The command with one place of its body changed; `undefined` takes the field away. */
function changed(signed: SignedCommand, path: string, value: unknown): SignedCommand {
  const body = structuredClone(signed.command.body) as Record<string, unknown>;
  const names = path.split(".");
  const last = names.pop() ?? "";
  const holder = names.reduce((object, name) => object[name] as Record<string, unknown>, body);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return kit.command({ kind: signed.command.kind, by: signed.command.issuer, key: signed.command.key, body: body as CanonicalObject });
}

describe("state: what a command's bytes must be before a vote", () => {
  const authorize = kit.authorize("trader", { constraints: { dataVolume: "10GB", rateLimit: "1000/sec", userConsent: true } });
  const register = kit.register("trader");
  const grant = kit.grant("trader");
  const revoke = kit.revokeService("trader");

  it("accepts every kind in its right shape", () => {
    const grantRevoke = kit.revokeGrant("0".repeat(64));
    for (const command of [authorize, register, grant, revoke, grantRevoke]) expect(shapeOf(command)).to.equal("OK");
  });

  const refusals: readonly (readonly [claim: string, command: () => SignedCommand, code: string])[] = [
    ["an unknown field of a body", () => changed(authorize, "extra", 1), "FORMAT_SHAPE_INVALID"],
    ["an unknown dimension of a capability", () => changed(authorize, "capability.colour", "red"), "FORMAT_SHAPE_INVALID"],
    ["an unknown constraint", () => changed(authorize, "capability.constraints.budget", "1"), "FORMAT_SHAPE_INVALID"],
    ["a scope outside the order", () => changed(authorize, "capability.scope", "galaxy"), "FORMAT_SHAPE_INVALID"],
    ["a risk level outside the order", () => changed(authorize, "capability.riskLevel", "mild"), "FORMAT_SHAPE_INVALID"],
    ["a domain outside the grammar", () => changed(authorize, "capability.domain", "data store"), "FORMAT_SHAPE_INVALID"],
    ["a wildcard operation in a request", () => changed(authorize, "capability.operation", "*"), "FORMAT_SHAPE_INVALID"],
    ["a wildcard resource in a request", () => changed(authorize, "capability.resources", ["a*"]), "FORMAT_SHAPE_INVALID"],
    ["a resource named twice", () => changed(authorize, "capability.resources", ["a", "a"]), "FORMAT_SHAPE_INVALID"],
    ["too many resources", () => changed(authorize, "capability.resources", Array.from({ length: 65 }, String)), "FORMAT_TOO_LARGE"],
    ["an inner wildcard in a grant", () => changed(grant, "grant.capability.resources", ["a*b"]), "FORMAT_SHAPE_INVALID"],
    ["a volume without a unit", () => changed(authorize, "capability.constraints.dataVolume", "10"), "FORMAT_SHAPE_INVALID"],
    ["a rate without a period", () => changed(authorize, "capability.constraints.rateLimit", "10"), "FORMAT_SHAPE_INVALID"],
    ["a nested context", () => changed(authorize, "context", { a: { b: 1 } }), "FORMAT_SHAPE_INVALID"],
    ["a missing field", () => changed(authorize, "capability.resources", undefined), "FORMAT_SHAPE_INVALID"],
    ["a grant that ends before it begins", () => changed(grant, "grant.notAfter", "1"), "FORMAT_SHAPE_INVALID"],
    ["a grant without a temporal pattern", () => changed(grant, "grant.capability.temporal", []), "FORMAT_SHAPE_INVALID"],
    ["a registration in another's name", () => changed(register, "service.id", "other"), "IDENTITY_KEY_MISMATCH"],
    ["a registration of another's key", () => changed(register, "service.publicKey", keyOf("other")), "IDENTITY_KEY_MISMATCH"],
    [
      "an attestation signature that is too short",
      () => changed(register, "service.attestation.signature", "AAAA"),
      "FORMAT_SHAPE_INVALID",
    ],
    ["an attestation with a parent", () => changed(register, "service.attestation.parent", "x"), "FORMAT_SHAPE_INVALID"],
    ["a reason that is too long", () => changed(revoke, "reason", "x".repeat(513)), "FORMAT_TOO_LARGE"],
    ["an unknown kind", () => kit.command({ kind: "nothing", by: "trader", body: {} }), "COMMAND_KIND_UNKNOWN"],
    ["another cluster", () => kit.authorize("trader", {}, { cluster: "1".repeat(64) as SignedCommand["hash"] }), "COMMAND_CLUSTER"],
    ["a lifetime of nothing", () => kit.authorize("trader", {}, { issuedAtUs: 5, expiresAtUs: 5 }), "COMMAND_WINDOW"],
    ["a lifetime beyond 120 s", () => kit.authorize("trader", {}, { issuedAtUs: 0, expiresAtUs: 120 * SECOND + 1 }), "COMMAND_WINDOW"],
  ];
  for (const [claim, command, code] of refusals) {
    it(`refuses ${claim}`, () => {
      expect(shapeOf(command())).to.equal(code);
    });
  }

  it("asks for the attestation to verify under the key that genesis names, and over every attested field", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const raw = publicKey.export({ format: "jwk" }).x ?? "";
    const issuers = [{ id: ISSUER.id, key: parsePublicKey(raw) }];
    const service = kit.registration("trader");
    const bytes = attestationBytes({ cluster: kit.cluster, subject: service, attestation: service.attestation });
    const signature = toBase64Url(sign(null, signedBytes("attestation", bytes), privateKey));
    const signed = changed(register, "service.attestation.signature", signature);
    const verifies = (command: SignedCommand): boolean =>
      commandClaims(command.command, { issuers, operators: [], hasher }).every((claim) =>
        verify(null, claim.message, publicKey, claim.signature),
      );
    expect(commandClaims(signed.command, { issuers, operators: [], hasher })[0]?.publicKey).to.deep.equal(fromBase64Url(raw));
    expect(verifies(signed)).to.equal(true);
    const tampered = [
      ["service.meshRole", "validator"],
      ["service.consensusWeight", 2],
      ["service.trustedPeers", ["node-3"]],
      ["service.attestation.claims.level", 4],
      ["service.attestation.notBefore", "1"],
      ["service.attestation.notAfter", "9000000000000000"],
    ] as const;
    for (const [path, value] of tampered) expect(verifies(changed(signed, path, value)), path).to.equal(false);
  });

  it("makes no claim for an issuer that genesis does not name, nor for other kinds", () => {
    expect(commandClaims(register.command, { issuers: [], operators: [], hasher })).to.deep.equal([]);
    expect(commandClaims(authorize.command, { issuers: [ISSUER], operators: [], hasher })).to.deep.equal([]);
  });
});

describe("state: quantities and presets", () => {
  it("reads volumes in decimal and binary units, exactly", () => {
    const cases: readonly (readonly [string, number])[] = [
      ["1B", 1],
      ["10GB", 10_000_000_000],
      ["10GiB", 10_737_418_240],
      ["1TB", 1e12],
      ["9PB", 9e15],
    ];
    for (const [text, bytes] of cases) expect(parseDataVolume(text), text).to.equal(bytes);
  });

  it("compares rates by the hour", () => {
    expect(parseRateLimit("1/sec")).to.equal(parseRateLimit("60/min"));
    expect(parseRateLimit("60/min")).to.equal(parseRateLimit("3600/hour"));
  });

  it("refuses quantities that could be read in two ways or not at all", () => {
    for (const text of ["", "0GB", "010GB", "1.5GB", "-1GB", "10 GB", "10gb", "10G", "10PB", "1e3B", "９GB", "10GB\n"]) {
      expect(
        codeOf(() => parseDataVolume(text)),
        text,
      ).to.equal("FORMAT_SHAPE_INVALID");
    }
    for (const text of ["", "0/sec", "1/day", "1 /sec", "1/s", "1.5/sec", "/sec", "1000000000000/sec"]) {
      expect(
        codeOf(() => parseRateLimit(text)),
        text,
      ).to.equal("FORMAT_SHAPE_INVALID");
    }
  });

  it("gives the documented presets by family and by name", () => {
    expect(CapabilityBuilder.memory("read")).to.deep.include({ domain: "data", operation: "read", riskLevel: "elevated" });
    expect(CapabilityBuilder.memory("delete")).to.deep.include({ domain: "data", operation: "delete", riskLevel: "dangerous" });
    expect(CapabilityBuilder.filesystem("write")).to.deep.include({ domain: "storage", operation: "write", scope: "user" });
    expect(CapabilityBuilder.network("fetch")).to.deep.include({ domain: "network", operation: "fetch", riskLevel: "elevated" });
    expect(CapabilityBuilder.compute("execute")).to.deep.include({ domain: "compute", operation: "execute", riskLevel: "critical" });
    expect(CapabilityBuilder.ai("generate")).to.deep.include({ domain: "compute", operation: "generate", riskLevel: "elevated" });
    expect(capabilityPreset("subprocess-run")).to.deep.equal(CapabilityBuilder.subprocess("run"));
    expect(capabilityPreset("memory-write")).to.deep.equal(CapabilityBuilder.memory("write"));
    for (const name of ["memory", "memory-", "-read", "memory-fly", "constructor-name", "memory-constructor"]) {
      expect(capabilityPreset(name), name).to.equal(undefined);
    }
  });

  it("makes presets that are well-formed requests, with what the caller adds", () => {
    for (const name of CAPABILITY_PRESETS) {
      const constraints = { auditLevel: AUDIT_LEVELS[3], userConsent: true };
      const capability = capabilityPreset(name, { resources: ["a"], constraints });
      if (capability === undefined) throw new Error(name);
      expect(parseCapability(capabilityToCanonical(capability))).to.deep.equal(capability);
    }
  });
});
