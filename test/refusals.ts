import { expect } from "chai";
import { type ErrorCode, errorCode } from "#base";

/** Expects a call to throw an error with this code, or one of these. */
export function expectCode(code: ErrorCode | readonly ErrorCode[], run: () => unknown): void {
  const allowed: readonly string[] = typeof code === "string" ? [code] : code;
  expect(allowed).to.include(codeThrownBy(run));
}

/** Expects a promise to be refused with this code. */
export async function expectCodeLater(code: ErrorCode, run: () => Promise<unknown>): Promise<void> {
  let thrown: string = "nothing was thrown";
  try {
    await run();
  } catch (error) {
    thrown = errorCode(error);
  }
  expect(thrown).to.equal(code);
}

/** The code of what a call throws: INTERNAL_ERROR for an error that is not ours, "nothing was thrown" for none. */
export function codeThrownBy(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return errorCode(error);
  }
  return "nothing was thrown";
}
