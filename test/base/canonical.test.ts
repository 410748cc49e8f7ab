import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import {
  type CanonicalValue,
  encodeCanonical,
  encodeJcs,
  FieldReader,
  isObject,
  parseCanonical,
  parseCanonicalObject,
  parseDecimal,
  parseJson,
} from "#base";
import { codeThrownBy, expectCode } from "../refusals.ts";
import { needVectors, vectorFiles } from "../vectors.ts";

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "utf8");
const textOf = (value: CanonicalValue): string => Buffer.from(encodeCanonical(value)).toString("utf8");
const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

/** Values that the canonical encoding can carry. */
const values: fc.Arbitrary<CanonicalValue> = fc.letrec<{ value: CanonicalValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ unit: "binary", maxLength: 6 }).filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 4 },
    ),
  ),
})).value;

describe("JSON", () => {
  it("accepts and refuses what JSONTestSuite says, and never crashes", function () {
    const folder = join(needVectors(this, "jsontestsuite"), "test_parsing");
    const files = vectorFiles(folder);
    expect(files.length).to.be.greaterThan(300);
    for (const file of files) {
      const bytes = readFileSync(join(folder, file));
      const code = codeThrownBy(() => parseJson(bytes));
      if (file.startsWith("y_")) expect(code, file).to.equal("nothing was thrown");
      if (file.startsWith("n_")) expect(code, file).to.be.oneOf(["FORMAT_JSON_INVALID", "FORMAT_UTF8_INVALID"]);
      expect(code, file).to.not.equal("INTERNAL_ERROR");
      expect(
        codeThrownBy(() => parseCanonical(bytes)),
        file,
      ).to.match(/^(FORMAT_|nothing)/);
    }
  });

  it("survives the transformations of JSONTestSuite with a code or a value", function () {
    const folder = join(needVectors(this, "jsontestsuite"), "test_transform");
    for (const file of vectorFiles(folder)) {
      const bytes = readFileSync(join(folder, file));
      expect(
        codeThrownBy(() => parseJson(bytes)),
        file,
      ).to.not.equal("INTERNAL_ERROR");
      if (file.startsWith("object_same_key")) expectCode("FORMAT_NOT_CANONICAL", () => parseCanonical(bytes));
    }
  });
});

describe("the canonical encoding", () => {
  it("gives the published bytes of RFC 8785's test data", function () {
    const folder = join(needVectors(this, "jcs"), "testdata");
    for (const file of vectorFiles(join(folder, "input"))) {
      const output = Buffer.from(encodeJcs(parseJson(readFileSync(join(folder, "input", file)))));
      expect(output.equals(readFileSync(join(folder, "output", file))), file).to.equal(true);
      const hex = readFileSync(join(folder, "outhex", file.replace(".json", ".txt")), "utf8").replaceAll(/\s/g, "");
      expect(output.toString("hex"), file).to.equal(hex);
      // The restricted profile takes the same bytes, or refuses what has fractions or null.
      const code = codeThrownBy(() => parseCanonical(output));
      expect(code, file).to.equal(["values.json", "arrays.json"].includes(file) ? "FORMAT_NOT_CANONICAL" : "nothing was thrown");
    }
  });

  it("is read back to the value that it was made of, and is the only encoding of it", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeCanonical(value);
        expect(Buffer.from(encodeCanonical(parseCanonical(bytes))).equals(bytes)).to.equal(true);
        expect(Buffer.from(encodeJcs(value)).equals(bytes)).to.equal(true);
        expect(JSON.parse(textOf(value))).to.deep.equal(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 300 },
    );
  });

  it("sorts keys by UTF-16 code unit and leaves out what is absent", () => {
    const value = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7 };
    expect(textOf(value)).to.equal('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
    expect(textOf({ b: 1, a: undefined } as never)).to.equal('{"b":1}');
  });

  it("refuses fractions, exponents, unsafe integers, null, __proto__ and lone surrogates when it writes", () => {
    for (const value of [
      0.5,
      1e300,
      2 ** 53,
      -(2 ** 53),
      Number.NaN,
      Number.POSITIVE_INFINITY,
      null,
      undefined,
      "\ud800",
      "a\udc00",
      [null],
      { a: null },
      { "\ud800": 1 },
      () => 1,
      1n,
    ]) {
      expectCode("FORMAT_NOT_CANONICAL", () => encodeCanonical(value as never));
    }
    expectCode("FORMAT_NOT_CANONICAL", () => encodeCanonical(JSON.parse('{"__proto__":1}') as never));
    expectCode("FORMAT_NOT_CANONICAL", () => encodeJcs(Number.NaN));
  });

  it("refuses every other way to write a value when it reads", () => {
    const others = [
      " 1",
      "1 ",
      "1\n",
      "+1",
      "01",
      "1.0",
      "1e2",
      "1E2",
      "-0",
      "0.0",
      "9007199254740992",
      "-9007199254740992",
      "1.5",
      "null",
      '{"b":1,"a":2}',
      '{"a":1,"a":1}',
      '{"a":1, "b":2}',
      '{ "a":1}',
      '{"__proto__":1}',
      '"\\u0061"',
      '"\\/"',
      '"\\u00e9"',
      '"\\u000A"',
      '"\\u000a"',
      '"\\ud83d\\ude00"',
      '"\\ud800"',
      "[1, 2]",
      '{"a":null}',
      '"\\u007f"',
    ];
    for (const text of others)
      expect(
        codeThrownBy(() => parseCanonical(bytesOf(text))),
        text,
      ).to.be.oneOf(["FORMAT_NOT_CANONICAL", "FORMAT_JSON_INVALID"]);
    for (const text of ["1", "-1", "9007199254740991", '"é"', '"\\n"', '"\\u0001"', '"\u007f"', '{"a":1,"b":[true,""]}', "[]", "{}"]) {
      expect(
        codeThrownBy(() => parseCanonical(bytesOf(text))),
        text,
      ).to.equal("nothing was thrown");
    }
    expectCode("FORMAT_JSON_INVALID", () => parseCanonical(bytesOf("\ufeff1")));
    expectCode("FORMAT_UTF8_INVALID", () => parseCanonical(Uint8Array.of(0x22, 0xff, 0x22)));
    expectCode("FORMAT_SHAPE_INVALID", () => parseCanonicalObject(bytesOf("[]")));
  });

  it("nests to 16 and not to 17, and a bomb of brackets is refused", () => {
    expect(codeThrownBy(() => parseCanonical(bytesOf(nested(16))))).to.equal("nothing was thrown");
    expectCode("FORMAT_TOO_DEEP", () => parseCanonical(bytesOf(nested(17))));
    for (const bomb of [nested(100_000), "[".repeat(1_000_000), '{"a":'.repeat(100_000)]) {
      expect(codeThrownBy(() => parseCanonical(bytesOf(bomb)))).to.be.oneOf(["FORMAT_TOO_DEEP", "FORMAT_JSON_INVALID"]);
    }
    expectCode("FORMAT_TOO_DEEP", () => encodeJcs(parseJson(bytesOf(nested(2_000)))));
  });

  it("pollutes no prototype", () => {
    parseJson(bytesOf('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'));
    expect(codeThrownBy(() => parseCanonical(bytesOf('{"constructor":{"prototype":{"polluted":1}}}')))).to.equal("nothing was thrown");
    expect(({} as Record<string, unknown>)["polluted"]).to.equal(undefined);
    expect(isObject([])).to.equal(false);
  });
});

describe("the field reader", () => {
  const reader = (value: unknown): FieldReader => new FieldReader(value as CanonicalValue, "thing");

  it("gives fields of their types and refuses what nobody asked for", () => {
    const fields = reader({ text: "a", flag: true, number: 3, big: "12", list: ["x"], inner: {} });
    expect([
      fields.text("text"),
      fields.boolean("flag"),
      fields.integer("number", { min: 0, max: 3 }),
      fields.decimal("big"),
    ]).to.deep.equal(["a", true, 3, 12]);
    expectCode("FORMAT_SHAPE_INVALID", () => fields.end());
    expect(fields.texts("list", { countMax: 1, lengthMax: 1 })).to.deep.equal(["x"]);
    fields.object("inner").end();
    fields.end();
    expect(fields.names()).to.deep.equal(["big", "flag", "inner", "list", "number", "text"]);
  });

  it("refuses missing, mistyped and oversized fields, and names that only the prototype has", () => {
    const fields = reader({ text: "aaaa", number: 5, list: ["aaaa", 1], fraction: 0.5, nothing: null });
    for (const run of [
      () => fields.text("missing"),
      () => fields.value("constructor"),
      () => fields.value("__proto__"),
      () => fields.text("number"),
      () => fields.boolean("text"),
      () => fields.integer("text", { min: 0, max: 1 }),
      () => fields.integer("number", { min: 0, max: 4 }),
      () => fields.integer("number", { min: 6, max: 9 }),
      () => fields.integer("fraction", { min: 0, max: 1 }),
      () => fields.list("text", 10),
      () => fields.texts("list", { countMax: 2, lengthMax: 9 }),
      () => fields.object("list"),
      () => fields.text("nothing"),
      () => fields.object("nothing"),
      () => reader(null),
      () => reader([]),
      () => reader("text"),
    ]) {
      expectCode("FORMAT_SHAPE_INVALID", run);
    }
    expectCode("FORMAT_TOO_LARGE", () => fields.text("text", 3));
    expectCode("FORMAT_TOO_LARGE", () => fields.list("list", 1));
  });

  it("reads decimals in one form only", () => {
    for (const [text, value] of [
      ["0", 0],
      ["1", 1],
      ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ] as const)
      expect(parseDecimal(text, "x")).to.equal(value);
    for (const text of ["", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "1 ", "9007199254740992", "99999999999999999999", "١"]) {
      expectCode("FORMAT_INTEGER_RANGE", () => parseDecimal(text, "x"));
    }
  });
});
