import { expect } from "chai";
import {
  describeError,
  ERROR_ROWS,
  type ErrorCode,
  errorCode,
  InvariantError,
  invariant,
  isErrorCode,
  QuorumgateError,
  unreachable,
} from "#base";

const CODES = Object.keys(ERROR_ROWS) as ErrorCode[];

describe("the error catalogue", () => {
  it("has for each code an area, an HTTP status, a title and a hint that says what to do", () => {
    for (const code of CODES) {
      const { status, title, hint } = describeError(code);
      expect(code).to.match(/^[A-Z]+(_[A-Z0-9]+)+$/);
      expect(status, code).to.be.within(400, 503);
      expect(title, code).to.match(/^[A-Z].*[^.]$/);
      expect(hint, code).to.match(/^[A-Z].*\.$/);
    }
  });

  it("has no title twice", () => {
    const titles = CODES.map((code) => describeError(code).title);
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).to.deep.equal([]);
  });

  it("knows its own codes only", () => {
    for (const text of ["", "constructor", "toString", "__proto__", "FORMAT", "format_id_invalid"])
      expect(isErrorCode(text)).to.equal(false);
    expect(CODES.every(isErrorCode)).to.equal(true);
  });
});

describe("an error", () => {
  it("carries code, status, hint, data and cause", () => {
    const cause = new Error("disk");
    const error = new QuorumgateError("STORAGE_FAILED", "a write failed", { data: { bytes: 5 }, cause });
    expect([error.code, error.status, error.hint, error.data, error.cause, error.name]).to.deep.equal([
      "STORAGE_FAILED",
      500,
      describeError("STORAGE_FAILED").hint,
      { bytes: 5 },
      cause,
      "QuorumgateError",
    ]);
    expect("cause" in new QuorumgateError("STORAGE_FAILED", "x")).to.equal(false);
  });

  it("that is not ours has the code of the unexpected", () => {
    expect([new Error("x"), "x", null, undefined, { code: "STORAGE_FAILED" }].map(errorCode)).to.deep.equal(
      new Array(5).fill("INTERNAL_ERROR"),
    );
  });

  it("of an invariant stops, and is no coded error", () => {
    invariant(true, "holds");
    expect(() => invariant(false, "must hold")).to.throw(InvariantError, "must hold");
    expect(() => unreachable("new case" as never)).to.throw(InvariantError, "new case");
    expect(new InvariantError("x")).to.not.be.instanceOf(QuorumgateError);
  });
});
