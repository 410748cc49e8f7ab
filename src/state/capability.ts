import { type CanonicalObject, FieldReader, LIMITS } from "#base";
import { parseDataVolume, parseRateLimit } from "./quantities.ts";
import {
  AUDIT_LEVELS,
  type AuditLevel,
  checkWord,
  optional,
  RISK_LEVELS,
  type RiskLevel,
  readOneOf,
  readResources,
  readWord,
  SCOPES,
  type Scope,
  shapeError,
} from "./vocabulary.ts";

/**
 * Limits of use. In a request: what the service will keep to, and that consent was obtained. In a grant: the most that may be
 * asked, that consent is needed, and the least audit level.
 */
export interface Constraints {
  /** Such as `10GB` or `512MiB`. */
  readonly dataVolume?: string;
  /** Such as `1000/sec`. */
  readonly rateLimit?: string;
  readonly userConsent?: boolean;
  readonly auditLevel?: AuditLevel;
}

/** What a service asks to do. */
export interface Capability {
  readonly domain: string;
  readonly operation: string;
  readonly scope: Scope;
  readonly temporal: string;
  readonly riskLevel: RiskLevel;
  readonly resources: readonly string[];
  readonly constraints?: Constraints;
}

/** What a grant covers: an operation or `*`, any of the temporal patterns (or `*`), resource names that may end in `*`. */
export interface CapabilityPattern {
  readonly domain: string;
  readonly operation: string;
  readonly scope: Scope;
  readonly temporal: readonly string[];
  readonly riskLevel: RiskLevel;
  readonly resources: readonly string[];
  readonly constraints?: Constraints;
}

/** The ordered dimensions as integers, made once when a capability is read. Absent limits are undefined. */
export interface Measures {
  readonly scopeRank: number;
  readonly riskRank: number;
  readonly volumeBytes: number | undefined;
  readonly ratePerHour: number | undefined;
  readonly userConsent: boolean;
  readonly auditRank: number;
}

/** Reads what a service asks. @throws {QuorumgateError} FORMAT_SHAPE_INVALID, FORMAT_TOO_LARGE */
export function readCapability(reader: FieldReader): Capability {
  const constraints = optional(reader, "constraints", () => readConstraints(reader.object("constraints")));
  const capability: Capability = {
    domain: readWord(reader, "domain"),
    operation: readWord(reader, "operation"),
    scope: readOneOf(reader, "scope", SCOPES),
    temporal: readWord(reader, "temporal"),
    riskLevel: readOneOf(reader, "riskLevel", RISK_LEVELS),
    resources: readResources(reader, { patterns: false }),
  };
  reader.end();
  return constraints === undefined ? capability : { ...capability, constraints };
}

/** Checks a capability that did not come through a command, such as one from the HTTP API. @throws {QuorumgateError} as readCapability */
export function parseCapability(value: CanonicalObject): Capability {
  return readCapability(new FieldReader(value, "capability"));
}

/** Reads what a grant covers. @throws {QuorumgateError} FORMAT_SHAPE_INVALID, FORMAT_TOO_LARGE */
export function readCapabilityPattern(reader: FieldReader): CapabilityPattern {
  const constraints = optional(reader, "constraints", () => readConstraints(reader.object("constraints")));
  const operation = reader.text("operation", LIMITS.wordLengthMax);
  const pattern: CapabilityPattern = {
    domain: readWord(reader, "domain"),
    operation: operation === "*" ? operation : checkWord(operation, "operation"),
    scope: readOneOf(reader, "scope", SCOPES),
    temporal: readTemporalPatterns(reader),
    riskLevel: readOneOf(reader, "riskLevel", RISK_LEVELS),
    resources: readResources(reader, { patterns: true }),
    ...(constraints === undefined ? {} : { constraints }),
  };
  reader.end();
  return pattern;
}

/** The canonical form of a capability or of what a grant covers. */
export function capabilityToCanonical(capability: Capability | CapabilityPattern): CanonicalObject {
  const { constraints } = capability;
  return {
    domain: capability.domain,
    operation: capability.operation,
    scope: capability.scope,
    temporal: typeof capability.temporal === "string" ? capability.temporal : [...capability.temporal],
    riskLevel: capability.riskLevel,
    resources: [...capability.resources],
    ...(constraints === undefined ? {} : { constraints: { ...constraints } }),
  };
}

/** Turns the ordered dimensions into integers. An absent audit level is the lowest. @throws {QuorumgateError} FORMAT_SHAPE_INVALID */
export function measure(capability: Capability | CapabilityPattern): Measures {
  const { dataVolume, rateLimit, userConsent, auditLevel } = capability.constraints ?? {};
  return {
    scopeRank: SCOPES.indexOf(capability.scope),
    riskRank: RISK_LEVELS.indexOf(capability.riskLevel),
    volumeBytes: dataVolume === undefined ? undefined : parseDataVolume(dataVolume),
    ratePerHour: rateLimit === undefined ? undefined : parseRateLimit(rateLimit),
    userConsent: userConsent === true,
    auditRank: auditLevel === undefined ? 0 : AUDIT_LEVELS.indexOf(auditLevel),
  };
}

/** True when the granted name is the resource, or a prefix of it that ends in `*`. */
export function coversResource(granted: string, resource: string): boolean {
  return granted === resource || (granted.endsWith("*") && resource.startsWith(granted.slice(0, -1)));
}

function readConstraints(reader: FieldReader): Constraints {
  const dataVolume = optional(reader, "dataVolume", () => reader.text("dataVolume", 32));
  const rateLimit = optional(reader, "rateLimit", () => reader.text("rateLimit", 32));
  const userConsent = optional(reader, "userConsent", () => reader.boolean("userConsent"));
  const auditLevel = optional(reader, "auditLevel", () => readOneOf(reader, "auditLevel", AUDIT_LEVELS));
  if (dataVolume !== undefined) parseDataVolume(dataVolume);
  if (rateLimit !== undefined) parseRateLimit(rateLimit);
  reader.end();
  return {
    ...(dataVolume === undefined ? {} : { dataVolume }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(userConsent === undefined ? {} : { userConsent }),
    ...(auditLevel === undefined ? {} : { auditLevel }),
  };
}

function readTemporalPatterns(reader: FieldReader): readonly string[] {
  const patterns = reader.texts("temporal", { countMax: LIMITS.temporalPatternsMax, lengthMax: LIMITS.wordLengthMax });
  if (patterns.length === 0) throw shapeError("a grant names at least one temporal pattern");
  for (const pattern of patterns) if (pattern !== "*") checkWord(pattern, "temporal");
  if (new Set(patterns).size !== patterns.length) throw shapeError("a temporal pattern is named twice");
  return patterns;
}
