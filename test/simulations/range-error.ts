import { expect } from "chai";

/** Awaits a promise that has to be rejected as a caller's mistake. */
export async function expectAsyncRangeError(promise: Promise<unknown>): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).to.be.instanceOf(RangeError);
}
