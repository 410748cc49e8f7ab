import { expect } from "chai";
import type { JsonValue } from "#base";
import { needVectors, readVectors } from "../vectors.ts";
import { expectProblem, QUESTION, ServedNode } from "./served-node.ts";

const DEPTH = 10_000;
const KEYS = 100_000;

describe("a body that is not as it should be", () => {
  const node = new ServedNode();
  before(() => node.begin());
  after(() => node.end());

  afterEach(async () => {
    const good = await node.post("/v1/authorize", await node.question());
    expect(good.json["outcome"], "a good question after the hostile ones").to.equal("allowed");
  });

  it("is refused in another content type than JSON", async () => {
    const body = JSON.stringify(await node.question());
    for (const type of [
      "text/plain",
      "application/xml",
      "multipart/form-data; boundary=x",
      "application/x-www-form-urlencoded",
      "nonsense",
    ]) {
      const answer = await node.send("POST", "/v1/authorize", { body, headers: { "content-type": type } });
      expectProblem(answer, "REQUEST_CONTENT_TYPE", type);
    }
  });

  it("is refused when it is no JSON, or JSON that no strict reader takes", async () => {
    const texts = [
      "",
      " ",
      "{",
      "[1,]",
      '{"a":1}{"b":2}',
      '{"command":"x","command":"y"}',
      '{"__proto__":{"admin":true}}',
      '"\\ud800"',
      "NaN",
      "1e999",
      "\ufeff{}",
    ];
    for (const text of texts) expectProblem(await node.post("/v1/authorize", text), /^(FORMAT|REQUEST)_/, JSON.stringify(text));
    const invalidUtf8 = await node.send("POST", "/v1/authorize", {
      body: Buffer.from([0x22, 0xc3, 0x28, 0x22]),
      headers: { "content-type": "application/json" },
    });
    expectProblem(invalidUtf8, /^FORMAT_/, "bytes that are no UTF-8");
  });

  it("is refused soon, and holds no memory, when it is a bomb", async () => {
    const bombs: Readonly<Record<string, string>> = {
      "deep arrays": "[".repeat(DEPTH) + "]".repeat(DEPTH),
      "deep objects": `${'{"a":'.repeat(DEPTH)}1${"}".repeat(DEPTH)}`,
      "many keys": `{${Array.from({ length: KEYS }, (_, key) => `"k${key}":1`).join()}}`,
      "a long number": `{"command":${"9".repeat(100_000)}}`,
      "a long key": `{"${"k".repeat(200_000)}":1}`,
    };
    const before = process.memoryUsage().rss;
    for (const [name, text] of Object.entries(bombs)) expectProblem(await node.post("/v1/authorize", text), /^FORMAT_/, name);
    expect(process.memoryUsage().rss - before).to.be.below(256 * 2 ** 20);
  });

  it("is refused when it is too large, whatever is in it", async () => {
    const answer = await node.post("/v1/authorize", `"${"x".repeat(4 * 2 ** 20)}"`).catch(() => undefined);
    if (answer !== undefined) expectProblem(answer, "FORMAT_TOO_LARGE", "four megabytes");
    const question = (await node.question()) as Record<string, JsonValue>;
    expectProblem(await node.post("/v1/authorize", { ...question, command: "A".repeat(200_000) }), /^FORMAT_/, "a long command");
  });

  it("is refused with a field unknown, missing or of another type", async () => {
    const question = (await node.question()) as Record<string, JsonValue>;
    const { signature, ...withoutSignature } = question;
    const wrong: JsonValue[] = [
      { ...question, extra: 1 },
      { ...question, signature: { ...(signature as object), extra: 1 } },
      withoutSignature as JsonValue,
      { ...question, command: 1 },
      { ...question, signature: [] },
      [],
      null,
      1,
      "text",
    ];
    for (const body of wrong) expectProblem(await node.post("/v1/authorize", body), /^FORMAT_/, JSON.stringify(body).slice(0, 80));
    for (const commands of [[], [1], "x", { length: 1 }, Array.from({ length: 257 }, () => question)]) {
      expectProblem(await node.post("/v1/commands", { commands: commands as JsonValue }), /^FORMAT_/, "commands");
    }
  });

  it("is refused when the command's bytes are not canonical", async () => {
    const { command, signature } = (await node.question()) as { command: string; signature: JsonValue };
    const text = Buffer.from(command, "base64url").toString();
    const { v, ...rest } = JSON.parse(text);
    const variants = {
      spaces: `${text.slice(0, -1)} }`,
      order: JSON.stringify({ v, ...rest }),
      "a fraction": text.replace('"v":1', '"v":1.0'),
      escapes: text.replace("authorize", "\\u0061uthorize"),
    };
    for (const [name, variant] of Object.entries(variants)) {
      expect(variant, name).not.to.equal(text);
      const answer = await node.post("/v1/authorize", { command: Buffer.from(variant).toString("base64url"), signature });
      expectProblem(answer, /^FORMAT_/, name);
    }
    for (const encoded of [`${command}=`, `${command}\n`, command.replaceAll("-", "+"), `${command}A`]) {
      if (encoded !== command)
        expectProblem(await node.post("/v1/authorize", { command: encoded, signature }), /^(FORMAT|COMMAND)_/, "base64url");
    }
  });

  it("is refused or answered, and crashes nothing, whatever strings it holds", async function () {
    const strings = readVectors<string[]>(needVectors(this, "blns"), "blns.json");
    for (const text of strings.filter((_, index) => index % 3 === 0)) {
      const body = { capability: { ...QUESTION.capability, domain: text, resources: [text] } };
      const command = await node.question({ body }).catch(() => undefined);
      if (command === undefined) continue;
      const answer = await node.post("/v1/authorize", command);
      expect(answer.status, text).to.be.below(500);
      if (answer.status === 200) expect(answer.json["outcome"], text).to.equal("denied");
    }
    for (const text of strings.filter((_, index) => index % 5 === 0)) {
      const answer = await node.get(`/v1/services/${encodeURIComponent(text)}`);
      expect(answer.status, text).to.be.within(400, 499);
      expect(answer.text, text).to.include("urn:quorumgate:error:");
    }
  });
});
