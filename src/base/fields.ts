import { type CanonicalObject, type CanonicalValue, isObject } from "./canonical.ts";
import { QuorumgateError } from "./errors.ts";

/**
 * Reads the fields of a hostile object once, with their types and bounds, and refuses unknown ones at the end.
 * @throws {QuorumgateError} FORMAT_SHAPE_INVALID, FORMAT_TOO_LARGE
 */
export class FieldReader {
  readonly #object: CanonicalObject;
  /** A few names: a set of them costs more to make than to search this. */
  readonly #seen: string[] = [];
  readonly #where: string;

  constructor(value: CanonicalValue | undefined, where: string) {
    if (!isObject(value)) throw new QuorumgateError("FORMAT_SHAPE_INVALID", `${where} must be an object`);
    this.#object = value;
    this.#where = where;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name);
  }

  value(name: string): CanonicalValue {
    this.#seen.push(name);
    const value = this.has(name) ? this.#object[name] : undefined;
    if (value === undefined) throw this.#invalid(name, "is missing");
    return value;
  }

  text(name: string, lengthMax = 256): string {
    const value = this.value(name);
    if (typeof value !== "string") throw this.#invalid(name, "must be a text");
    if (value.length > lengthMax)
      throw new QuorumgateError("FORMAT_TOO_LARGE", `${this.#where}.${name} is too long`, { data: { lengthMax } });
    return value;
  }

  boolean(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== "boolean") throw this.#invalid(name, "must be true or false");
    return value;
  }

  integer(name: string, bounds: { min: number; max: number }): number {
    const value = this.value(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value)) throw this.#invalid(name, "must be an integer");
    if (value < bounds.min || value > bounds.max) throw this.#invalid(name, `must be within ${bounds.min} and ${bounds.max}`);
    return value;
  }

  /** A 64-bit value written as decimal text, read as a safe integer (times in microseconds, volumes). */
  decimal(name: string): number {
    return parseDecimal(this.text(name, 20), `${this.#where}.${name}`);
  }

  list(name: string, countMax: number): readonly CanonicalValue[] {
    const value = this.value(name);
    if (!Array.isArray(value)) throw this.#invalid(name, "must be a list");
    if (value.length > countMax)
      throw new QuorumgateError("FORMAT_TOO_LARGE", `${this.#where}.${name} has too many items`, { data: { countMax } });
    return value as readonly CanonicalValue[];
  }

  texts(name: string, bounds: { countMax: number; lengthMax: number }): readonly string[] {
    return this.list(name, bounds.countMax).map((item) => {
      if (typeof item !== "string" || item.length > bounds.lengthMax) throw this.#invalid(name, "must hold short texts");
      return item;
    });
  }

  object(name: string): FieldReader {
    return new FieldReader(this.value(name), `${this.#where}.${name}`);
  }

  /** The names that are there, for objects with an open vocabulary. */
  names(): readonly string[] {
    return Object.keys(this.#object).sort();
  }

  /** Refuses fields that nobody asked for: a field that is ignored today would change its meaning tomorrow. */
  end(): void {
    for (const name of Object.keys(this.#object))
      if (!this.#seen.includes(name)) throw this.#invalid(name.slice(0, 64), "is not a known field");
  }

  #invalid(name: string, what: string): QuorumgateError {
    return new QuorumgateError("FORMAT_SHAPE_INVALID", `${this.#where}.${name} ${what}`);
  }
}

/** Reads `0|[1-9][0-9]*` as a safe integer. @throws {QuorumgateError} FORMAT_INTEGER_RANGE */
export function parseDecimal(text: string, where: string): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new QuorumgateError("FORMAT_INTEGER_RANGE", `${where} must be a decimal integer`);
  return value;
}
