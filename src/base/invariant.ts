/** A broken invariant of our own: never caused by input. The replica that meets it stops. */
export class InvariantError extends Error {
  override readonly name: string = "InvariantError";
}

/** States what must hold, in production too. @throws {InvariantError} */
export function invariant(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new InvariantError(claim);
}

/** Closes an exhaustive switch: a new case that is not handled does not compile. */
export function unreachable(value: never): never {
  throw new InvariantError(`unhandled case ${JSON.stringify(value)}`);
}
