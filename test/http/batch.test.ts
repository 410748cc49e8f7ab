import { expect } from "chai";
import { type JsonValue, signedCommandFromJson } from "#base";
import { nodeHasher } from "#crypto";
import { HttpBackend } from "#gateway";
import { ServedNode } from "./served-node.ts";

describe("each command of a batch", function () {
  this.timeout(20_000);
  const node = new ServedNode();
  before(() => node.begin());
  after(() => node.end());

  /** One that is good, one that has expired, one whose signature is another's, one of a kind that no address takes, and a good one. */
  async function batch(): Promise<readonly JsonValue[]> {
    const [first, last] = [await node.question(), await node.question()];
    const { signature } = last as { readonly signature: JsonValue };
    return [
      first,
      await node.question({ issuedAtMs: Date.now() - 600_000 }),
      { ...((await node.question()) as object), signature },
      await node.command({ kind: "access", issuer: "service-1", body: {} }),
      last,
    ];
  }
  const CODES = ["OK", "COMMAND_EXPIRED", "COMMAND_SIGNATURE_INVALID", "COMMAND_KIND_UNKNOWN", "OK"];

  it("has its own answer: who is refused before ordering takes no other along", async () => {
    const commands = await batch();
    const { status, json } = await node.post("/v1/commands", { commands });
    expect(status).to.equal(200);
    const results = json["results"] as Record<string, JsonValue>[];
    expect(results.map(({ reason, code }) => reason ?? code)).to.deep.equal(CODES);
    for (const [at, result] of results.entries()) {
      expect(result["decisionId"]).to.equal(signedCommandFromJson(nodeHasher, commands[at] as JsonValue).hash);
      if (CODES[at] === "OK") expect(result["receipt"]).to.be.a("string");
      else expect(result["hint"]).to.be.a("string").with.length.greaterThan(10);
    }
  });

  it("has the same answer for a client of the library", async () => {
    const signed = (await batch()).map((command) => signedCommandFromJson(nodeHasher, command));
    const backend = new HttpBackend({ urls: [node.daemon.httpUrl], cluster: node.cluster });
    const submissions = await backend.submitAll(signed, 5_000);
    await backend.close();
    expect(submissions.map((submission) => (submission.kind === "ordered" ? submission.outcome.code : submission.code))).to.deep.equal(
      CODES,
    );
    expect(submissions.map(({ kind }) => kind)).to.deep.equal(["ordered", "refused", "refused", "refused", "ordered"]);
  });
});
