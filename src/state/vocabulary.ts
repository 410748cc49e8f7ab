import { type FieldReader, LIMITS, QuorumgateError } from "#base";

/** Access levels, narrow to wide. Closed: an unknown level has no place in the order, so it is refused. */
export const SCOPES = ["user", "application", "system", "global"] as const;
/** See SCOPES. */
export type Scope = (typeof SCOPES)[number];

/** Risk levels, low to high. Closed, as the scopes are. */
export const RISK_LEVELS = ["safe", "elevated", "dangerous", "critical"] as const;
/** See RISK_LEVELS. */
export type RiskLevel = (typeof RISK_LEVELS)[number];

/** How much is to be recorded, little to much. Closed, as the scopes are. */
export const AUDIT_LEVELS = ["minimal", "standard", "detailed", "comprehensive"] as const;
/** See AUDIT_LEVELS. */
export type AuditLevel = (typeof AUDIT_LEVELS)[number];

/** Values of claims and of a request's context. */
export type OpenFields = Readonly<Record<string, string | number | boolean>>;

const WORD = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const RESOURCE = /^[!-)+-~]+$/;
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

/** Reads a word of an open vocabulary: letters, digits, and `.`, `_`, `-` inside. @throws {QuorumgateError} FORMAT_SHAPE_INVALID, FORMAT_TOO_LARGE */
export function readWord(reader: FieldReader, name: string): string {
  return checkWord(reader.text(name, LIMITS.wordLengthMax), name);
}

/** Checks a word of an open vocabulary. @throws {QuorumgateError} FORMAT_SHAPE_INVALID */
export function checkWord(text: string, name: string): string {
  if (!WORD.test(text)) throw shapeError(`${name} uses letters and digits, with dot, underscore and hyphen inside`);
  return text;
}

/** Reads one of a closed set. @throws {QuorumgateError} FORMAT_SHAPE_INVALID */
export function readOneOf<T extends string>(reader: FieldReader, name: string, allowed: readonly T[]): T {
  const text = reader.text(name, LIMITS.wordLengthMax);
  const found = allowed.find((item) => item === text);
  if (found === undefined) throw shapeError(`${name} is one of ${allowed.join(", ")}`);
  return found;
}

/**
 * Checks the resources of a request (exact names), or of a grant, where a name may end in `*` for any continuation.
 * Printable ASCII without space; distinct.
 * @throws {QuorumgateError} FORMAT_SHAPE_INVALID, FORMAT_TOO_LARGE
 */
export function readResources(reader: FieldReader, options: { readonly patterns: boolean }): readonly string[] {
  const resources = reader.texts("resources", { countMax: LIMITS.resourcesMax, lengthMax: LIMITS.resourceLengthMax });
  for (const resource of resources) {
    const name = options.patterns && resource.endsWith("*") ? resource.slice(0, -1) : resource;
    const wildcardAlone = options.patterns && resource === "*";
    if (!wildcardAlone && !RESOURCE.test(name)) throw shapeError("a resource is printable ASCII without space or *");
  }
  if (resources.length > 1 && new Set(resources).size !== resources.length) throw shapeError("a resource is named twice");
  return resources;
}

/** Reads an object of named texts, integers and booleans. @throws {QuorumgateError} FORMAT_SHAPE_INVALID, FORMAT_TOO_LARGE */
export function readOpenFields(reader: FieldReader, countMax: number): OpenFields {
  const names = reader.names();
  if (names.length > countMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "too many fields", { data: { countMax } });
  const fields: Record<string, string | number | boolean> = {};
  for (const name of names) {
    if (!FIELD_NAME.test(name)) throw shapeError("a field name has letters, digits, dot, underscore and hyphen, at most 64");
    const value = reader.value(name);
    if (typeof value === "string") reader.text(name, LIMITS.freeTextMax);
    else if (typeof value !== "boolean") reader.integer(name, { min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    fields[name] = value as string | number | boolean;
  }
  return fields;
}

/** The value that `read` gives when the field is there. */
export function optional<T>(reader: FieldReader, name: string, read: () => T): T | undefined {
  return reader.has(name) ? read() : undefined;
}

/** A FORMAT_SHAPE_INVALID. */
export function shapeError(reason: string): QuorumgateError {
  return new QuorumgateError("FORMAT_SHAPE_INVALID", reason);
}
